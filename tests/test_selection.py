"""Which tests are part of a run."""

from __future__ import annotations

import sys
import unittest
from types import ModuleType
from typing import Any
from unittest import mock

from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings

from sanerunner import SaneRunner, conf
from sanerunner.collection.selection import select
from sanerunner.events import Kind
from sanerunner.exceptions import UsageError

from .support.projects import inner_project
from .support.running import tests_of


def samples() -> list[unittest.TestCase]:
    class Unit(unittest.TestCase):
        def test_http_by_method(self) -> None: ...
        def test_unit(self) -> None: ...

        test_http_by_method.test_type = "http"  # type: ignore[attr-defined]

    database = type("Rows", (TestCase,), {"test_database": lambda self: None})
    destructive = type("Commits", (TransactionTestCase,), {"test_destructive": lambda self: None})
    return tests_of(Unit, database, destructive)


@override_settings(SANERUNNER={})
class SelectTest(SimpleTestCase):
    def names(self, tests: list[unittest.TestCase] | None = None, **options: Any) -> list[str]:
        chosen = select(samples() if tests is None else tests, conf.load(options))
        return [test._testMethodName for test in chosen.tests]

    def test_without_options_everything(self) -> None:
        self.assertEqual(len(self.names()), 4)

    def test_select_and_deselect(self) -> None:
        self.assertEqual(self.names(select="unit"), ["test_unit"])
        self.assertEqual(self.names(select=["unit,http"]), ["test_http_by_method", "test_unit"])
        self.assertEqual(self.names(select=["unit", "database"]), ["test_unit", "test_database"])
        self.assertEqual(self.names(deselect="unit,http,database"), ["test_destructive"])
        self.assertEqual(self.names(select="unit,database", deselect="unit"), ["test_database"])
        self.assertEqual(self.names(select="unit", deselect="unit"), [])

    def test_order_is_kept(self) -> None:
        tests = samples()[::-1]
        self.assertEqual(
            self.names(tests),
            ["test_destructive", "test_database", "test_unit", "test_http_by_method"],
        )

    def test_what_failed_to_load_is_always_selected(self) -> None:
        (failed,) = unittest.TestLoader().loadTestsFromName("tests.no_module_of_this_name")
        assert isinstance(failed, unittest.TestCase)
        self.assertEqual(self.names([failed], select="http"), ["no_module_of_this_name"])
        self.assertEqual(self.names([failed], deselect="unit"), ["no_module_of_this_name"])

    def test_found_counts_all_kinds(self) -> None:
        selection = select(samples(), conf.load({"select": "selenium"}))
        self.assertEqual(
            selection.found,
            {Kind.UNIT: 1, Kind.DATABASE: 1, Kind.DESTRUCTIVE: 1, Kind.HTTP: 1},
        )
        self.assertEqual(selection.describe(), "1 unit, 1 database, 1 destructive, 1 http")
        self.assertEqual(select([], conf.load({})).describe(), "none")

    def test_unknown_test_type_is_an_error_whatever_is_selected(self) -> None:
        wrong = type("Wrong", (unittest.TestCase,), {"test_x": lambda s: 0, "test_type": "x"})
        with self.assertRaisesRegex(UsageError, r"Wrong\.test_type: unknown kind 'x'"):
            self.names(tests_of(wrong), select="http")


TESTS = """
import unittest
from django.test import TestCase, tag

class Plain(unittest.TestCase):
    def test_a(self): pass
    @tag("slow")
    def test_b(self): pass

@tag("slow")
class Rows(TestCase):
    def test_c(self): pass
    @tag("odd")
    def test_d(self): pass
"""


class ComposedTest(unittest.TestCase):
    """Selection together with labels, -k and tags, and with the setting."""

    def ids(self, *labels: str, setting: dict[str, Any] | None = None, **options: Any) -> str:
        """The last letters of the tests selected by a runner made in this process."""
        module = ModuleType("made_tests")
        exec(compile(TESTS, "made_tests.py", "exec"), vars(module))
        del vars(module)["TestCase"]
        with (
            mock.patch.dict(sys.modules, {"made_tests": module}),
            override_settings(SANERUNNER=setting or {}),
        ):
            runner = SaneRunner(verbosity=0, **options)
            suite = runner.build_suite(labels or ["made_tests"])
        return "".join(sorted(test._testMethodName[-1] for test in suite))

    def test_everything_composes(self) -> None:
        self.assertEqual(self.ids(), "abcd")
        self.assertEqual(self.ids("made_tests.Rows"), "cd")
        self.assertEqual(self.ids("made_tests.Rows", select="unit"), "")
        self.assertEqual(self.ids(select="unit", tags=["slow"]), "b")
        self.assertEqual(self.ids(select="database", exclude_tags=["odd"]), "c")
        self.assertEqual(self.ids(deselect="database", test_name_patterns=["test_b"]), "b")
        self.assertEqual(self.ids("made_tests.Plain.test_a", "made_tests.Rows"), "acd")

    def test_setting_counts_where_no_option_is_given(self) -> None:
        self.assertEqual(self.ids(setting={"SELECT": "unit"}), "ab")
        self.assertEqual(self.ids(setting={"SELECT": ["unit"]}, select="database"), "cd")
        self.assertEqual(self.ids(setting={"DESELECT": "unit"}), "cd")
        self.assertEqual(self.ids(setting={"TAG": ["odd"]}), "d")
        self.assertEqual(self.ids(setting={"EXCLUDE_TAG": "slow"}), "a")
        self.assertEqual(self.ids(setting={"K": "test_c"}), "c")

    def test_command_line(self) -> None:
        project = inner_project(self, TESTS)
        outcome = project.test("--select=unit", "--tag=slow", "-k", "test_", "--junit=j.xml")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("Selected 1 of 3 test(s).", outcome.stdout)
        self.assertEqual(project.verdicts("j.xml"), {"test_b": "passed"})
        outcome = project.test("app.tests.Rows", "--select=unit")
        self.assertIn("Nothing is left of the tests found: 2 database.", outcome.stdout)
        self.assertNotIn("Creating test database", outcome.stderr)
