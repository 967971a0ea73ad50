"""``manage.py test`` as a user types it, in an inner project."""

from __future__ import annotations

import json
import unittest

from .support.projects import InnerProject, inner_project

TESTS = """
    import unittest
    from django.test import SimpleTestCase, TestCase, TransactionTestCase
    from app.models import Thing

    class Plain(unittest.TestCase):
        def test_plain(self): pass

    class Simple(SimpleTestCase):
        def test_simple(self): pass

    class Rows(TestCase):
        def test_rows(self): Thing.objects.create(name="a")

    class Commits(TransactionTestCase):
        def test_commits(self): Thing.objects.create(name="b")
"""
FAILING_UNIT = TESTS.replace("def test_plain(self): pass", "def test_plain(self): self.fail('no')")


class SelectionTest(unittest.TestCase):
    def names(self, project: InnerProject, *arguments: str) -> list[str]:
        outcome = project.test("--junit=junit.xml", *arguments)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        return sorted(project.verdicts())

    def test_kinds_are_selected(self) -> None:
        project = inner_project(self, TESTS)
        everything = ["test_commits", "test_plain", "test_rows", "test_simple"]
        self.assertEqual(self.names(project), everything)
        self.assertEqual(self.names(project, "--select=unit"), ["test_plain", "test_simple"])
        self.assertEqual(
            self.names(project, "--select=unit,database"),
            ["test_plain", "test_rows", "test_simple"],
        )
        self.assertEqual(
            self.names(project, "--select=database", "--select=destructive"),
            ["test_commits", "test_rows"],
        )
        self.assertEqual(self.names(project, "--deselect=unit,database"), ["test_commits"])
        self.assertEqual(
            self.names(project, "--select-destructivedatabasetests"), ["test_commits"]
        )
        self.assertEqual(
            self.names(project, "-u", "--select-databasetests"),
            ["test_plain", "test_rows", "test_simple"],
        )

    def test_selection_of_units_makes_no_database(self) -> None:
        outcome = inner_project(self, TESTS).test("--select=unit")
        self.assertNotIn("Creating test database", outcome.stderr)
        self.assertIn("Ran 2 tests", outcome.stderr)
        self.assertIn("\nOK\n", outcome.stderr)

    def test_unknown_kind_is_one_line_and_exit_2(self) -> None:
        outcome = inner_project(self, TESTS).test("--select=unti")
        self.assertEqual(outcome.returncode, 2)
        self.assertEqual(
            outcome.stderr.strip(),
            "UsageError: --select: unknown kind 'unti' (did you mean 'unit'?); "
            "known: unit, database, destructive, http, selenium.",
        )

    def test_nothing_left_says_what_there_was(self) -> None:
        outcome = inner_project(self, TESTS).test("--select=http")
        self.assertIn(
            "Nothing is left of the tests found: 2 unit, 1 database, 1 destructive.",
            outcome.stdout,
        )

    def test_what_failed_to_load_is_always_selected(self) -> None:
        project = inner_project(self, TESTS, **{"app/test_broken.py": "import nothing_like_it"})
        outcome = project.test("--select=destructive")
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("nothing_like_it", outcome.stderr)


class StagesTest(unittest.TestCase):
    def test_failing_stage_stops_the_later_ones(self) -> None:
        project = inner_project(self, FAILING_UNIT)
        outcome = project.test("--junit=junit.xml")
        self.assertEqual(outcome.returncode, 1)
        self.assertNotIn("Creating test database", outcome.stderr)
        self.assertIn("not run=2", outcome.stderr)
        self.assertEqual(
            project.verdicts(),
            {
                "test_plain": "failure",
                "test_simple": "passed",
                "test_rows": "skipped",
                "test_commits": "skipped",
            },
        )
        messages = {skip.get("message") for skip in project.xml().iter("skipped")}
        self.assertEqual(messages, {"not run: stage 'unit' failed"})

    def test_keep_going_runs_every_stage(self) -> None:
        project = inner_project(self, FAILING_UNIT)
        outcome = project.test("--keep-going", "--junit=junit.xml")
        self.assertEqual(outcome.returncode, 1)
        self.assertEqual(project.verdicts()["test_commits"], "passed")

    def test_list_runs_nothing(self) -> None:
        project = inner_project(self, FAILING_UNIT)
        outcome = project.test("--list=json")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        plan = json.loads(outcome.stdout)
        self.assertEqual(
            [stage["name"] for stage in plan["stages"]],
            [
                "unit",
                "database",
                "destructive,http",
            ],
        )
        self.assertEqual(plan["databases"], ["default"])
        text = project.test("--list")
        self.assertIn("Stage 2: database (1 test)", text.stdout)
