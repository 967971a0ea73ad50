"""A database that cannot be put back: no test runs on it, and the run says why."""

from __future__ import annotations

import unittest
from typing import Any
from unittest import mock

from django.db import OperationalError, connections
from django.test import SimpleTestCase

from sanerunner.databases.baseline import MIGRATED, Baselines
from sanerunner.databases.operations import Rewound
from sanerunner.exceptions import RewindError

from ..support.projects import InnerProject
from . import test_behavior


class BaselinesTest(SimpleTestCase):
    def attached(self, *aliases: str) -> tuple[Baselines, dict[str, Any]]:
        baselines = Baselines()
        found = {alias: mock.Mock(**{"rewind.return_value": Rewound()}) for alias in aliases}
        for alias in aliases:
            target = "sanerunner.databases.baseline.operations_for"
            with mock.patch(target, return_value=found[alias]):
                baselines.attach(alias)
        return baselines, found

    def test_an_error_of_the_driver(self) -> None:
        baselines, operations = self.attached("default")
        operations["default"].rewind.side_effect = OperationalError("disk\n  full")
        with self.assertRaises(RewindError) as raised:
            baselines.rewind(["default"], MIGRATED)
        first, second = str(raised.exception).splitlines()
        self.assertIn("Database 'default' (", first)
        self.assertIn("could not be put back to its migrated state: disk full", first)
        self.assertIn(str(connections["default"].settings_dict["NAME"]), first)
        self.assertIn("run again", second)
        operations["default"].rewind.side_effect = None
        with self.assertRaisesRegex(RewindError, "'default' .* could not be put back .*disk full"):
            baselines.rewind(["default"], MIGRATED)
        self.assertEqual(operations["default"].rewind.call_count, 1)

    def test_the_others_are_put_back(self) -> None:
        baselines, operations = self.attached("default", "audit")
        operations["default"].rewind.side_effect = OperationalError("no")
        with self.assertRaises(RewindError):
            baselines.rewind(["default", "audit"], MIGRATED)
        operations["audit"].rewind.assert_called_once()
        baselines.refuse(connections["audit"])
        with self.assertRaises(RewindError):
            baselines.refuse(connections["default"])

    def test_mirrors_are_the_same_database(self) -> None:
        baselines, operations = self.attached("default")
        operations["default"].rewind.side_effect = OperationalError("no")
        with self.assertRaises(RewindError):
            baselines.rewind(["default"], MIGRATED)
        with self.assertRaises(RewindError):
            baselines.refuse(connections["replica"])

    def test_interrupted(self) -> None:
        baselines, operations = self.attached("default")
        operations["default"].rewind.side_effect = KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            baselines.rewind(["default"], MIGRATED)
        with self.assertRaisesRegex(RewindError, "KeyboardInterrupt"):
            baselines.refuse(connections["default"])

    def test_until_it_is_detached(self) -> None:
        baselines, operations = self.attached("default")
        operations["default"].rewind.side_effect = OperationalError("no")
        with self.assertRaises(RewindError):
            baselines.rewind(["default"], MIGRATED)
        baselines.detach("default", dropped=True)
        baselines.refuse(connections["default"])


# Operations that fail for good once the file "broken" is there.
OPERATIONS = """
    from pathlib import Path
    from django.db import OperationalError
    from django.utils.module_loading import import_string
    from sanerunner.databases.operations import _PATHS, register

    known = dict(_PATHS)

    def made(connection):
        base = import_string(known[connection.vendor])

        class Failing(base):
            def rewind(self, state, **options):
                if Path("broken").exists():
                    raise OperationalError("no space left on device")
                return super().rewind(state, **options)

        return Failing(connection)

    for vendor in known:
        register(vendor, "app.failing.made")
"""

TESTS = """
    import unittest
    from pathlib import Path
    from django.test import TransactionTestCase
    from sanerunner import DestructiveDatabaseTestCase
    from app.models import Thing

    class Alpha(DestructiveDatabaseTestCase):
        def test_1_passes(self):
            Thing.objects.create(name="a")

        def test_2_breaks(self):
            Path("broken").touch()

        def test_3_same_class(self):
            Thing.objects.count()
            Path("ran").touch()

    class Beta(DestructiveDatabaseTestCase):
        def test_destructive(self):
            Thing.objects.count()
            Path("ran").touch()

    class Gamma(TransactionTestCase):
        def test_stock(self):
            Thing.objects.count()
            Path("ran").touch()

    class Undeclared(unittest.TestCase):
        test_type = "destructive"

        def test_undeclared(self):
            Thing.objects.count()
            Path("ran").touch()
"""


class RunTest(unittest.TestCase):
    """On the vendor that the suite itself runs on."""

    project: Any = test_behavior.RewindBehaviorTest.project

    def broken(self) -> InnerProject:
        project: InnerProject = self.project(TESTS)
        project.write("app/failing.py", OPERATIONS)
        project.write("app/__init__.py", "from . import failing\n")
        return project

    def test_no_test_runs_on_it(self) -> None:
        project = self.broken()
        outcome = project.test("--settings=vendor_settings", "--junit=junit.xml")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertFalse((project.folder / "ran").exists(), outcome.output)
        verdicts = project.verdicts()
        self.assertEqual(verdicts.pop("test_1_passes"), "passed")
        self.assertEqual(verdicts.pop("test_2_breaks"), "error")
        self.assertNotIn("passed", verdicts.values(), outcome.output)
        self.assertIn("no space left on device", outcome.stderr)
        self.assertIn("No test runs on it as it is.", outcome.stderr)
