"""Every option of the runner, declared once: flags, key in the setting, validation, default."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .events import Kind
from .parsing import (
    DEFAULT_STAGES,
    choice,
    describe_stages,
    parse_count,
    parse_flag,
    parse_kinds,
    parse_optional_count,
    parse_path,
    parse_processes,
    parse_shuffle,
    parse_stages,
    parse_strings,
    parse_text,
)


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of the runner.

    ``dest`` is its keyword argument to the runner (Django's name where Django has it);
    ``flags`` are empty for what only the setting can say. ``django`` marks options that
    Django's runner declares itself.
    """

    key: str
    parse: Callable[[object], object]
    default: object
    help: str
    flags: tuple[str, ...] = ()
    dest: str = ""
    django: bool = False
    arguments: dict[str, Any] | None = None  # for add_argument()

    @property
    def field(self) -> str:
        """The attribute of ``Config``."""
        return self.key.lower()

    @property
    def name(self) -> str:
        """The keyword argument of the runner."""
        return self.dest or self.field

    @property
    def spelling(self) -> str:
        """How to name the option in a message."""
        return self.flags[0] if self.flags else self.name

    @property
    def is_switch(self) -> bool:
        return self.parse is parse_flag

    def declare(self, group: argparse._ArgumentGroup) -> None:
        """Add the option's flags, and --no-… for a switch, to ``group``."""
        if self.flags and not self.django:
            arguments = dict(self.arguments or {})
            if self.is_switch:
                arguments.setdefault("action", "store_true")
            group.add_argument(
                *self.flags,
                dest=self.name,
                default=argparse.SUPPRESS,
                help=self.help,
                **arguments,
            )
        if self.flags and self.is_switch and not self.spelling.startswith("--no-"):
            group.add_argument(
                self.spelling.replace("--", "--no-", 1),
                dest=self.name,
                action="store_false",
                default=argparse.SUPPRESS,
                help=argparse.SUPPRESS,
            )


def _django(key: str, parse: Callable[[object], object], default: object, **kwargs: Any) -> Option:
    return Option(key=key, parse=parse, default=default, django=True, **kwargs)


OPTIONS: tuple[Option, ...] = (
    Option(
        key="SELECT",
        flags=("--select",),
        parse=parse_kinds,
        default=(),
        arguments={"action": "append", "metavar": "KINDS"},
        help="Run only tests of these kinds, separated by commas: " + ", ".join(Kind) + ".",
    ),
    Option(
        key="DESELECT",
        flags=("--deselect",),
        parse=parse_kinds,
        default=(),
        arguments={"action": "append", "metavar": "KINDS"},
        help="Leave out tests of these kinds, separated by commas.",
    ),
    Option(
        key="STAGES",
        flags=("--stages",),
        parse=parse_stages,
        default=DEFAULT_STAGES,
        arguments={"metavar": "STAGES"},
        help="Which kinds run together, and in which order: "
        f"{describe_stages(DEFAULT_STAGES)} by default.",
    ),
    Option(
        key="KEEP_GOING",
        flags=("--keep-going",),
        parse=parse_flag,
        default=False,
        help="Run every stage, also after one that failed.",
    ),
    Option(
        key="LIST",
        flags=("--list",),
        parse=lambda value: None if value is None else choice("text", "json")(value),
        default=None,
        arguments={"nargs": "?", "const": "text", "metavar": "FORMAT"},
        help="Print the plan of the run and run nothing; --list=json for machines.",
    ),
    Option(
        key="JUNIT",
        flags=("--junit",),
        parse=parse_path,
        default=None,
        arguments={"metavar": "PATH"},
        help="Write a JUnit XML report to this file.",
    ),
    Option(
        key="JUNIT_STRICT",
        flags=("--junit-strict",),
        parse=parse_flag,
        default=False,
        help="Write only what the strictest JUnit schema allows (no file and line).",
    ),
    Option(
        key="PROGRESS",
        flags=("--progress",),
        parse=choice("auto", "plain", "live"),
        default="auto",
        arguments={"metavar": "auto|plain|live"},
        help="How progress is shown; auto is live on a terminal, else plain.",
    ),
    Option(
        key="OUTPUT_LIMIT",
        flags=("--output-limit",),
        parse=parse_count,
        default=1_000_000,
        arguments={"metavar": "CHARACTERS"},
        help="Keep at most this much of each test's stdout and stderr for the reports "
        "(1,000,000 by default).",
    ),
    Option(
        key="FREEZE_GC",
        flags=("--freeze-gc",),
        parse=parse_flag,
        default=True,
        help="Keep the garbage collector from scanning what was imported before the first "
        "test (the default).",
    ),
    Option(
        key="DEBUG",
        parse=choice("django", "keep"),
        default="django",
        help='"keep" leaves settings.DEBUG as the settings have it; "django" sets it to False, '
        "or True with --debug-mode.",
    ),
    Option(
        key="RESTORE",
        flags=("--restore",),
        arguments={"metavar": "rewind|flush"},
        parse=choice("rewind", "flush"),
        default="flush",
        help='How databases are put back after tests that commit: "rewind" restores exactly '
        'what changed, "flush" is Django\'s flush (the default for now).',
    ),
    Option(
        key="BASELINE",
        flags=("--baseline",),
        arguments={"metavar": "flushed|migrated"},
        parse=choice("flushed", "migrated"),
        default="flushed",
        help="What Django's TransactionTestCase classes find after one of them has run: "
        '"flushed", as under Django, or "migrated". For RESTORE "rewind".',
    ),
    Option(
        key="VERIFY_REWIND",
        flags=("--verify-rewind",),
        parse=parse_flag,
        default=False,
        help="After each rewind, compare full checksums with the baseline (slow).",
    ),
    Option(
        key="PLUGINS",
        parse=parse_strings,
        default=(),
        help="Dotted paths of Plugin classes, in the order of their hooks.",
    ),
    _django(
        "PATTERN",
        parse_text,
        None,
        flags=("--pattern", "-p"),
        help="The test matching pattern; test*.py by default.",
    ),
    _django(
        "TOP_LEVEL_DIRECTORY",
        parse_text,
        None,
        flags=("--top-level-directory", "-t"),
        dest="top_level",
        help="Top level of project for unittest discovery.",
    ),
    _django(
        "FAILFAST",
        parse_flag,
        False,
        flags=("--failfast",),
        help="Stop the run after the first failure.",
    ),
    _django(
        "KEEPDB",
        parse_flag,
        False,
        flags=("--keepdb", "--persist-test-database"),
        help="Preserve the test databases between runs.",
    ),
    _django(
        "SHUFFLE",
        parse_shuffle,
        False,
        flags=("--shuffle",),
        help="Shuffle the order of tests, by a seed if one is given.",
    ),
    _django(
        "REVERSE",
        parse_flag,
        False,
        flags=("--reverse", "-r"),
        help="Reverse the order of tests.",
    ),
    _django(
        "DEBUG_MODE",
        parse_flag,
        False,
        flags=("--debug-mode",),
        help="Set settings.DEBUG to True.",
    ),
    _django(
        "DEBUG_SQL",
        parse_flag,
        False,
        flags=("--debug-sql", "-d"),
        help="Print the SQL queries of failed tests.",
    ),
    _django(
        "PARALLEL",
        parse_processes,
        0,
        flags=("--parallel",),
        help='Number of processes, or "auto".',
    ),
    _django(
        "TAG",
        parse_strings,
        (),
        flags=("--tag",),
        dest="tags",
        help="Run only tests with this tag; repeatable.",
    ),
    _django(
        "EXCLUDE_TAG",
        parse_strings,
        (),
        flags=("--exclude-tag",),
        dest="exclude_tags",
        help="Leave out tests with this tag; repeatable.",
    ),
    _django(
        "K",
        parse_strings,
        (),
        flags=("-k",),
        dest="test_name_patterns",
        help="Run only tests whose name matches the pattern or contains the text; repeatable.",
    ),
    _django(
        "PDB",
        parse_flag,
        False,
        flags=("--pdb",),
        help="Start a debugger on each error or failure.",
    ),
    _django(
        "BUFFER",
        parse_flag,
        False,
        flags=("--buffer", "-b"),
        help="Discard the output of passing tests.",
    ),
    _django(
        "NO_FAULTHANDLER",
        parse_flag,
        False,
        flags=("--no-faulthandler",),
        dest="enable_faulthandler",
        help="Do not enable Python's faulthandler.",
    ),
    _django(
        "TIMING",
        parse_flag,
        False,
        flags=("--timing",),
        help="Print timings, including database set up and total run time.",
    ),
    _django(
        "DURATIONS",
        parse_optional_count,
        None,
        flags=("--durations",),
        help="Show the N slowest tests (0 for all).",
    ),
)

# django-sane-testing's spellings: --select-unittests is --select=unit.
OLD_SELECTIONS: dict[Kind, tuple[str, ...]] = {
    Kind.UNIT: ("-u", "--select-unittests"),
    Kind.DATABASE: ("--select-databasetests",),
    Kind.DESTRUCTIVE: ("--select-destructivedatabasetests",),
    Kind.HTTP: ("--select-httptests",),
    Kind.SELENIUM: ("--select-seleniumtests",),
}
