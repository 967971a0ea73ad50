"""Imports go down the layers: nothing below knows of what is above it."""

from __future__ import annotations

import ast
import unittest
from collections.abc import Iterator
from pathlib import Path

import sanerunner

PACKAGE = Path(sanerunner.__file__).parent

# From the top down. A name is a module, or a folder with all that it holds; those on one line
# may not import each other.
LAYERS = (
    ("checks", "apps"),
    ("management", "integration"),
    ("runner",),
    ("parallelism",),
    ("bisection",),
    ("execution",),
    ("behaviors",),
    ("collection",),
    ("servers",),
    ("databases", "reporting"),
    ("cases",),
    ("clients", "plugins"),
    ("conf",),
    ("options",),
    ("parsing",),
    ("compat",),
    ("eventbus", "events", "exceptions"),
)
# What stands at the top but only names others: the public names, imported when first used.
OUTSIDE = {"__init__", "_version"}
# Siblings that may know each other: (importer, imported).
ALLOWED = {
    ("apps", "checks"),  # the app registers the checks
    ("eventbus", "events"),  # what the bus carries
    ("management", "integration"),  # the command
}

LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports_of(source: str) -> Iterator[ast.ImportFrom | ast.Import]:
    """Every import statement, save those for type checkers only."""
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending.extend(node.orelse)
        else:
            pending.extend(ast.iter_child_nodes(node))


def imported(node: ast.ImportFrom | ast.Import, folder: tuple[str, ...]) -> Iterator[str]:
    """The modules or folders right below ``sanerunner`` that ``node`` names.

    ``folder`` is where the importing module lies, relative to the package.
    """
    if isinstance(node, ast.Import):
        paths = [alias.name.split(".") for alias in node.names]
    elif node.level:
        base = ["sanerunner", *folder][: len(folder) + 2 - node.level]
        base += node.module.split(".") if node.module else []
        paths = [[*base, alias.name] for alias in node.names]
    else:
        paths = [[*(node.module or "").split("."), alias.name] for alias in node.names]
    for path in paths:
        if path[0] == "sanerunner" and len(path) > 1:
            yield path[1]


def violations(source: str, module: str) -> list[str]:
    """Return the imports in ``source`` that do not go down; ``module`` is "execution.run"."""
    *folder, name = module.split(".")
    importer = folder[0] if folder else name
    found = []
    for node in imports_of(source):
        for target in imported(node, tuple(folder)):
            if target == importer or target in OUTSIDE or (importer, target) in ALLOWED:
                continue
            if target not in LEVEL or LEVEL[target] <= LEVEL[importer]:
                found.append(f"{module}:{node.lineno} imports {target}")
    return found


class LayersTest(unittest.TestCase):
    def test_imports_go_down(self) -> None:
        found = []
        for path in sorted(PACKAGE.rglob("*.py")):
            module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
            if module not in OUTSIDE:
                found += violations(path.read_text(encoding="utf-8"), module)
        self.assertEqual(found, [])

    def test_every_module_has_a_layer(self) -> None:
        found = {
            path.stem
            for path in PACKAGE.iterdir()
            if path.suffix == ".py" or (path / "__init__.py").is_file()
        }
        self.assertEqual(found - LEVEL.keys() - OUTSIDE, set())

    def test_what_is_seen_as_a_violation(self) -> None:
        for source, module in (
            ("from ..runner import SaneRunner", "execution.run"),
            ("from .. import runner", "execution.run"),
            ("from sanerunner.runner import SaneRunner", "execution.run"),
            ("import sanerunner.runner", "execution.run"),
            ("def f():\n    from .conf import load", "events"),
            ("from ..databases import guard", "reporting.text"),
            ("if TYPE_CHECKING:\n    pass\nelse:\n    from .conf import load", "events"),
            ("from .nowhere import thing", "runner"),
        ):
            with self.subTest(source):
                self.assertEqual(len(violations(source, module)), 1)

    def test_what_is_not(self) -> None:
        for source, module in (
            ("from ..events import Event", "execution.run"),
            ("from .results import EventResult", "execution.run"),
            ("from .events import Event", "eventbus"),
            ("if TYPE_CHECKING:\n    from .conf import Config", "plugins"),
            ("from django.conf import settings", "events"),
            ("from ._version import __version__", "conf"),
        ):
            with self.subTest(source):
                self.assertEqual(violations(source, module), [])
