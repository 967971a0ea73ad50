"""Runs of inner projects whose tests commit: other restores, other vendors, broken rewinds."""

from __future__ import annotations

import unittest

from ..support.projects import InnerProject, inner_project

TESTS = """
    from django.test import TestCase, TransactionTestCase
    from sanerunner import DestructiveDatabaseTestCase
    from app.models import Thing

    class Alpha(TransactionTestCase):
        def test_1(self):
            Thing.objects.create(name="left behind")

        def test_2(self):
            self.assertEqual(Thing.objects.count(), 0)
            Thing.objects.create(name="left behind")

        def test_3(self):
            self.assertEqual(Thing.objects.count(), 0)
"""

# A vendor's class whose rewind does nothing, or fails, when the second test ends.
BROKEN = """
    from sanerunner.databases.operations import Rewound
    from sanerunner.databases.sqlite.operations import SQLiteOperations

    class Broken(SQLiteOperations):
        rewinds = 0

        def rewind(self, state, *, counters=True):
            Broken.rewinds += 1
            if Broken.rewinds > 1:
                {fault}
            return super().rewind(state, counters=counters)
"""

BACKEND = """
    from django.db.backends.sqlite3 import base

    class DatabaseWrapper(base.DatabaseWrapper):
        vendor = "acme"
"""

OPERATIONS = """
    from sanerunner.databases.sqlite.operations import SQLiteOperations

    class AcmeOperations(SQLiteOperations):
        vendor = "acme"

        def rewind(self, state, *, counters=True):
            print(f"acme rewinds to {state}")
            return super().rewind(state, counters=counters)
"""
REGISTER = """
    from django.apps import AppConfig
    from sanerunner.databases.operations import register

    class Config(AppConfig):
        name = "app"

        def ready(self):
            register("{vendor}", "app.operations.{name}")
"""


class BrokenRewindTest(unittest.TestCase):
    def project(self, fault: str) -> InnerProject:
        return inner_project(
            self,
            TESTS,
            **{
                "app/operations.py": BROKEN.format(fault=fault),
                "app/apps.py": REGISTER.format(vendor="sqlite", name="Broken"),
            },
        )

    def assert_blamed(self, project: InnerProject, *messages: str) -> None:
        outcome = project.test("--verify-rewind", "--junit=junit.xml")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        # The first test is followed by Django's flush, the second one by the first rewind.
        self.assertEqual(
            project.verdicts(), {"test_1": "passed", "test_2": "error", "test_3": "skipped"}
        )
        for message in messages:
            self.assertIn(message, outcome.stderr)
        self.assertNotIn("interrupted", outcome.output)
        (skipped,) = project.xml().iter("skipped")
        self.assertIn("not run: RewindError: Database 'default'", skipped.get("message", ""))

    def test_the_test_that_it_broke_is_blamed_and_no_other_runs(self) -> None:
        self.assert_blamed(
            self.project("return Rewound()"),
            "could not be put back to its flushed state: a comparison after the rewind finds "
            "differences: app_thing",
            "No test runs on it as it is.\n",
        )

    def test_a_rewind_that_raises(self) -> None:
        self.assert_blamed(
            self.project("raise OSError('no space left on device')"),
            ") could not be put back to its flushed state: no space left on device\n",
        )


class VendorTest(unittest.TestCase):
    settings = """
        DATABASES["default"]["ENGINE"] = "acme"
        DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "test.sqlite3"}
    """

    def test_without_operations_django_flushes_which_is_said_once(self) -> None:
        project = inner_project(self, TESTS, self.settings, **{"acme/base.py": BACKEND})
        outcome = project.test("--keep-going")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        message = "Database 'default' is put back by Django's flush: there is no rewind for acme."
        self.assertEqual(outcome.output.count(message), 1, outcome.output)

    def test_third_parties_register_their_operations(self) -> None:
        project = inner_project(
            self,
            TESTS,
            self.settings,
            **{
                "acme/base.py": BACKEND,
                "app/operations.py": OPERATIONS,
                "app/apps.py": REGISTER.format(vendor="acme", name="AcmeOperations"),
            },
        )
        outcome = project.test()
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("acme rewinds to flushed", outcome.stdout)
        self.assertNotIn("Django's flush", outcome.output)


class LazinessTest(unittest.TestCase):
    def test_what_tests_that_roll_back_do_not_pay_for(self) -> None:
        tests = TESTS + (
            """
    class Rolled(TestCase):
        def test_rolled_back(self):
            Thing.objects.create(name="rolled back")
            """
        )
        operations = OPERATIONS.replace("acme rewinds", "rewinds")
        project = inner_project(
            self,
            tests,
            **{
                "app/operations.py": operations,
                "app/apps.py": REGISTER.format(vendor="sqlite", name="AcmeOperations"),
            },
        )
        outcome = project.test("app.tests.Rolled")
        self.assertNotIn("rewinds to", outcome.output)
        outcome = project.test()
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertEqual(outcome.stdout.count("rewinds to migrated"), 1, outcome.output)
