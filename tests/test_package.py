"""What ``import sanerunner`` gives, and what it costs."""

from __future__ import annotations

import configparser
import subprocess
import sys
import unittest
from pathlib import Path

import sanerunner

from .support.projects import ROOT

CASES = (
    "DatabaseTestCase",
    "DestructiveDatabaseTestCase",
    "HttpTestCase",
    "NoCleanupDatabaseTestCase",
    "NonIsolatedDatabaseTestCase",
    "NonIsolatedDestructiveDatabaseTestCase",
    "SaneTestCase",
    "TemplateTagTestCase",
    "UnitTestCase",
)


def python(source: str) -> subprocess.CompletedProcess[str]:
    """Run ``source`` in a fresh interpreter without settings; warnings are errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


class ImportTest(unittest.TestCase):
    def test_nothing_is_imported_before_it_is_used(self) -> None:
        done = python(
            "import sys, sanerunner\n"
            "heavy = ('django', 'unittest', 'rich', 'xmlrunner')\n"
            "print([name for name in sys.modules if name.partition('.')[0] in heavy])"
        )
        self.assertEqual((done.stdout, done.stderr), ("[]\n", ""))

    def test_every_public_name_is_importable_without_settings(self) -> None:
        done = python(
            "from sanerunner import *\n"
            "from sanerunner import SaneRunner\n"
            "from django.conf import settings\n"
            "print(SaneRunner.__name__, Kind.UNIT, settings.configured)"
        )
        self.assertEqual((done.stdout, done.stderr), ("SaneRunner unit False\n", ""))

    def test_the_app_imports_no_test_machinery(self) -> None:
        """It stands in INSTALLED_APPS of sites, not only of test runs."""
        done = python(
            "import sys, django\n"
            "from django.conf import settings\n"
            "settings.configure(INSTALLED_APPS=['sanerunner'])\n"
            "django.setup()\n"
            "heavy = ('django.test', 'unittest', 'rich', 'xmlrunner')\n"
            "print([name for name in heavy if name in sys.modules])"
        )
        self.assertEqual((done.stdout, done.stderr), ("[]\n", ""))


class NamesTest(unittest.TestCase):
    def test_all_is_complete(self) -> None:
        others = {"HTTPServerError", "Kind", "Plugin", "SaneRunner", "__version__"}
        self.assertEqual(set(sanerunner.__all__), {*CASES, *others})
        self.assertEqual(dir(sanerunner), sorted(sanerunner.__all__))

    def test_every_case_class_is_public(self) -> None:
        from sanerunner import cases

        made_here = {
            name
            for name, value in vars(cases).items()
            if isinstance(value, type)
            and value.__module__.startswith(f"{cases.__name__}.")
            and not name.startswith("_")
        }
        self.assertEqual(made_here, set(CASES))

    def test_a_name_is_the_same_object_each_time(self) -> None:
        from sanerunner.runner import SaneRunner

        self.assertIs(sanerunner.SaneRunner, SaneRunner)
        self.assertIs(sanerunner.SaneRunner, sanerunner.SaneRunner)

    def test_unknown_name(self) -> None:
        with self.assertRaisesRegex(AttributeError, "module 'sanerunner' has no attribute 'Foo'"):
            sanerunner.Foo  # noqa: B018


class DistributionTest(unittest.TestCase):
    def test_py_typed_is_shipped(self) -> None:
        self.assertTrue((Path(sanerunner.__file__).parent / "py.typed").is_file())
        metadata = configparser.ConfigParser()
        metadata.read(ROOT / "setup.cfg")
        self.assertIn("py.typed", metadata["options.package_data"]["sanerunner"])

    def test_every_folder_is_a_package(self) -> None:
        """``find:`` leaves out a folder without ``__init__.py``."""
        root = Path(sanerunner.__file__).parent
        without = {
            str(path.parent.relative_to(root))
            for path in root.rglob("*.py")
            if not (path.parent / "__init__.py").is_file()
        }
        self.assertEqual(without, set())
