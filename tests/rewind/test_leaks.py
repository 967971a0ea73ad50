"""A test that leaves a session in a transaction, or with a lock, is told of by its name."""

from __future__ import annotations

import unittest
from typing import Any

from django.db import connections

from ..support.projects import InnerProject
from . import test_behavior

# Each leaks in another way; ``keep`` holds what must not be freed, and so closed, too early.
TESTS = """
    import sqlite3, subprocess, sys, threading, unittest
    from django.db import connection, transaction
    from django.test import TestCase, TransactionTestCase
    from sanerunner import DestructiveDatabaseTestCase, NonIsolatedDestructiveDatabaseTestCase
    from app.models import Thing

    keep = []

    def in_thread(work):
        def run():
            try:
                work()
            finally:
                keep.append(connection.connection)
                done.set()
                end.wait(60)
        done, end = threading.Event(), threading.Event()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        done.wait(60)

    def transaction_of_a_thread():
        def work():
            connection.set_autocommit(False)
            Thing.objects.create(name="leaked")
        in_thread(work)

    def rows_locked_for_update():
        def work():
            connection.set_autocommit(False)
            list(Thing.objects.select_for_update())
        in_thread(work)

    def own_transaction():
        connection.set_autocommit(False)
        Thing.objects.create(name="leaked")

    def driver_session():
        parameters = connection.get_connection_params()
        parameters.pop("cursor_factory", None)
        session = connection.Database.connect(**parameters)
        keep.append(session)
        session.cursor().execute({begin!r})
        session.cursor().execute("UPDATE app_thing SET name = 'leaked'")

    def process():
        code = "import settings_of_process, sys; sys.exit(settings_of_process.hold())"
        held = subprocess.Popen(
            [sys.executable, "-c", code, str(connection.settings_dict["NAME"])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        keep.append(held)
        assert held.stdout.readline() == "held\\n"

    def lock():
        def work():
            with connection.cursor() as cursor:
                for statement in {lock!r}:
                    cursor.execute(statement)
        in_thread(work)

    def advisory_lock():
        def work():
            with connection.cursor() as cursor:
                cursor.execute({advisory!r})
        in_thread(work)

    def names():
        return [thing.name for thing in Thing.objects.all()]

    class Leaks({base}):
        serialized_rollback = True


        def test_1_before(self):
            self.assertEqual(names(), ["migrated"])

        def test_2_leaks(self):
            {leak}()

        def test_3_after(self):
            self.assertEqual(names(), ["migrated"])
            Thing.objects.create(name="x")

    class ZLater({base}):
        serialized_rollback = True

        def test_4_later(self):
            self.assertEqual(names(), ["migrated"])
"""
HOLDER = """
import os, sys

def hold():
    os.environ["DJANGO_SETTINGS_MODULE"] = "vendor_settings"
    import django
    from django.conf import settings
    settings.DATABASES["default"]["NAME"] = sys.argv[1]
    django.setup()
    from django.db import connection
    from app.models import Thing
    connection.set_autocommit(False)
    Thing.objects.create(name="leaked")
    print("held", flush=True)
    sys.stdin.read()
    os._exit(0)
"""
VENDORS: dict[str, dict[str, Any]] = {
    "postgresql": {
        "begin": "SELECT 1",
        "lock": ["BEGIN", "LOCK TABLE app_thing IN ACCESS EXCLUSIVE MODE"],
        "advisory": "SELECT pg_advisory_lock(7)",
    },
    "mysql": {
        "begin": "BEGIN",
        "lock": ["LOCK TABLES app_thing WRITE"],
        "advisory": "SELECT GET_LOCK('mine', 1)",
    },
    "sqlite": {"begin": "BEGIN IMMEDIATE", "lock": ["BEGIN EXCLUSIVE"], "advisory": "SELECT 1"},
}


class LeaksTest(unittest.TestCase):
    """On the vendor that the suite itself runs on."""

    project: Any = test_behavior.RewindBehaviorTest.project

    LEAKS = (
        "transaction_of_a_thread",
        "rows_locked_for_update",
        "own_transaction",
        "driver_session",
        "process",
        "lock",
    )

    def leaking(self, leak: str, base: str = "DestructiveDatabaseTestCase") -> InnerProject:
        vendor = connections["default"].vendor
        tests = TESTS.format(base=base, leak=leak, **VENDORS[vendor])
        project: InnerProject = self.project(tests)
        project.write("settings_of_process.py", HOLDER)
        if vendor == "sqlite":
            settings = (project.folder / "vendor_settings.py").read_text()
            name = "DATABASES['default']['TEST'] = {'NAME': str(BASE_DIR / 'test.sqlite3')}\n"
            project.write("vendor_settings.py", settings + name)
        return project

    def check(self, leak: str, base: str) -> None:
        if leak == "rows_locked_for_update" and connections["default"].vendor == "sqlite":
            return  # it locks no rows
        project = self.leaking(leak, base)
        arguments = ("-W", "always", "manage.py", "test", "--noinput", "--junit=junit.xml")
        outcome = project.python(*arguments, "--settings=vendor_settings")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("LeakedSessionWarning: app.tests.Leaks.test_2_leaks", outcome.stderr)
        self.assertEqual(outcome.stderr.count("LeakedSessionWarning"), 1, outcome.output)
        if leak != "rows_locked_for_update" and connections["default"].vendor != "sqlite":
            self.assertIn("app_thing", outcome.stderr)
        outcome = project.test("--settings=vendor_settings", "--junit=junit.xml")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        found = project.verdicts()
        bad = {name for name, verdict in found.items() if verdict != "passed"}
        self.assertEqual(bad, {"test_2_leaks"}, outcome.output)

    def test_sane_classes(self) -> None:
        for leak in self.LEAKS:
            with self.subTest(leak):
                self.check(leak, "DestructiveDatabaseTestCase")

    def test_stock_classes(self) -> None:
        for leak in ("transaction_of_a_thread", "lock"):
            with self.subTest(leak):
                self.check(leak, "TransactionTestCase")

    def test_classes_that_are_rolled_back(self) -> None:
        """Their class is told of, not the one that is rewound next."""
        if connections["default"].vendor == "sqlite":
            raise unittest.SkipTest("the transaction around the test keeps others from writing")
        project = self.leaking("names")
        tests = (project.folder / "app" / "tests.py").read_text()
        rolled = """
class Rolled(TestCase):
    def test_0_rolled_back(self):
        transaction_of_a_thread()
"""
        tests = tests.replace(
            "def test_2_leaks(self):\n        transaction", "def test_2(self): names"
        )
        project.write("app/tests.py", tests + rolled)
        outcome = project.test("--settings=vendor_settings", "--junit=junit.xml", "--keep-going")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertIn("ERROR: tearDownClass (app.tests.Rolled)", outcome.stderr)
        self.assertIn("Warning: A test of app.tests.Rolled left session", outcome.stderr)
        bad = {name for name, verdict in project.verdicts().items() if verdict != "passed"}
        self.assertEqual(bad, {"tearDownClass"})
