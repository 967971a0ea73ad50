"""The databases of workers: a clone for each, rewound and guarded as in a serial run."""

from __future__ import annotations

import unittest
from typing import Any, ClassVar

from ..support.projects import InnerProject, inner_project
from ..support.services import databases_on, on_postgresql, require_mariadb, require_postgresql

TESTS = """
import os, signal, time, unittest
from pathlib import Path
from django.db import connection, connections
from django.test import TestCase, TransactionTestCase
from sanerunner import DestructiveDatabaseTestCase
from app.models import Thing

def note(name):
    database = connection.settings_dict["NAME"]
    with open("databases.txt", "a") as file:
        file.write(f"{os.getpid()} {database}\\n")
    # Each process has its database for itself.
    Thing.objects.create(name=name)
    time.sleep(0.02)
    assert [thing.name for thing in Thing.objects.exclude(name="class")] == [name]

def note_beside_other(name):
    # Wait until another process has come so far.
    note(name)
    deadline = time.monotonic() + 60
    while len({line.split()[0] for line in Path("databases.txt").read_text().splitlines()}) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)

class Rollback(TestCase):
    def test_a(self): note_beside_other("a")
    def test_b(self): note_beside_other("b")
    def test_c(self): note_beside_other("c")
    def test_d(self): note_beside_other("d")

class Stock(TransactionTestCase):
    def test_a(self): note("a")
    def test_b(self): note("b")

class Sane(DestructiveDatabaseTestCase):
    @classmethod
    def setUpTestData(cls): Thing.objects.create(name="class")
    def test_a(self): note("a")
    def test_b(self):
        note("b")
        self.assertEqual(Thing.objects.count(), 2)
    def test_ids(self):
        self.assertEqual(Thing.objects.create(name="id").pk, 2)

class Dies(TransactionTestCase):
    def test_a_dies_with_rows(self):
        Thing.objects.create(name="left behind")
        os.kill(os.getpid(), signal.SIGKILL)
    def test_b(self): note("b")
    def test_c(self): note("c")

class Dies2(Dies): ...
"""

KEPT = """
from django.test import TestCase, TransactionTestCase
from app.models import Thing

class Clean(TestCase):
    def test_a(self): self.assertEqual(Thing.objects.count(), 0)
    def test_b(self): self.assertEqual(Thing.objects.count(), 0)

class Stock(TransactionTestCase):
    def test_a(self): Thing.objects.create(name="a")
    def test_b(self): self.assertEqual(Thing.objects.count(), 0)

class Last(Stock):
    sane_serial = True
    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        Thing.objects.create(name="left behind")
"""

REWIND = "SANERUNNER = {'RESTORE': 'rewind', 'VERIFY_REWIND': True, 'KEEP_GOING': True}\n"


class DatabasesContract(unittest.TestCase):
    #: The parts of the names of two workers' databases.
    clones: ClassVar[tuple[str, str]]

    def settings(self) -> dict[str, Any]:
        raise NotImplementedError

    def check_nothing_is_left(self, project: InnerProject, settings: dict[str, Any]) -> None:
        raise NotImplementedError

    def run_project(self, *arguments: str, restore: str = REWIND, tests: str = TESTS) -> None:
        settings = self.settings()
        project = inner_project(self, tests, f"DATABASES = {{'default': {settings!r}}}\n{restore}")
        outcome = project.test("--parallel=2", "--junit=junit.xml", *arguments)
        bad = {name for name, verdict in project.verdicts().items() if verdict != "passed"}
        self.assertEqual(bad, {"test_a_dies_with_rows"}, outcome.output)
        self.assertEqual(outcome.returncode, 1, outcome.output)
        lines = (project.folder / "databases.txt").read_text().splitlines()
        names = {line.split()[1] for line in lines}
        for part in self.clones:
            self.assertTrue(any(part in name for name in names), names)
        self.assertNotIn(str(settings["NAME"]), names)
        by_process = {line.split()[0]: line.split()[1] for line in lines}
        self.assertGreaterEqual(len(by_process), 2)
        self.assertEqual(len({tuple(line.split()) for line in lines}), len(by_process))
        self.check_nothing_is_left(project, settings)

    def test_fork(self) -> None:
        self.run_project("--start-method=fork")

    def test_spawn(self) -> None:
        self.run_project("--start-method=spawn")


class KeptContract(DatabasesContract):
    """Databases that outlive a run."""

    def test_kept(self) -> None:
        """The clones of an earlier run are used again, as their template was when it was made."""
        settings = self.settings()
        project = inner_project(
            self, KEPT, f"DATABASES = {{'default': {settings!r}}}\nSANERUNNER = {{}}\n"
        )
        for place, method in enumerate(("fork", "spawn")):
            outcome = project.test("--parallel=2", "--keepdb", f"--start-method={method}")
            self.assertEqual(outcome.returncode, 0, outcome.output)
            lines = outcome.stderr
            self.assertEqual(lines.count("Cloning test database"), 0 if place else 2, lines)
            self.assertEqual(lines.count("Using existing clone"), 2 if place else 0, lines)
        outcome = project.test("--parallel=2", "--create-db")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.check_nothing_is_left(project, settings)


class MemoryTest(DatabasesContract):
    clones = ("memorydb_default_1", "memorydb_default_2")

    def settings(self) -> dict[str, Any]:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": "real.sqlite3"}

    def check_nothing_is_left(self, project: InnerProject, settings: dict[str, Any]) -> None:
        left = {path.name for path in project.folder.rglob("*sqlite3*")}
        self.assertLessEqual(left, {"history.sqlite3"})


class FileTest(KeptContract):
    clones = ("made_1.sqlite3", "made_2.sqlite3")

    def settings(self) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "real.sqlite3",
            "TEST": {"NAME": "made.sqlite3"},
        }

    def check_nothing_is_left(self, project: InnerProject, settings: dict[str, Any]) -> None:
        left = {path.name for path in project.folder.rglob("*sqlite3*")}
        self.assertLessEqual(left, {"history.sqlite3"})

    def test_flush(self) -> None:
        """Without rewinding; then ids go on."""
        self.run_project(
            "--start-method=forkserver",
            restore="SANERUNNER = {'KEEP_GOING': True}\n",
            tests=TESTS.replace(
                'assertEqual(Thing.objects.create(name="id").pk, 2)', "assertTrue(1)"
            ),
        )


class PostgreSQLTest(KeptContract):
    clones = ("_1", "_2")

    def settings(self) -> dict[str, Any]:
        settings = require_postgresql(self)
        on_postgresql(settings, f'CREATE DATABASE "{settings["NAME"]}"')
        return settings

    def check_nothing_is_left(self, project: InnerProject, settings: dict[str, Any]) -> None:
        left = [name for name in databases_on(settings) if settings["NAME"] in name]
        self.assertEqual(left, [settings["NAME"]])


class MariaDBTest(KeptContract):
    clones = ("_1", "_2")

    def settings(self) -> dict[str, Any]:
        return require_mariadb(self)

    def check_nothing_is_left(self, project: InnerProject, settings: dict[str, Any]) -> None:
        left = [name for name in databases_on(settings) if settings["NAME"] in name]
        self.assertEqual(left, [])


class GuardTest(unittest.TestCase):
    """What keeps a run away from real databases does so in workers."""

    TESTS = """
        import os, sqlite3, unittest
        from django.db import connection, connections
        from django.test import TestCase
        from sanerunner import UnitTestCase
        from app.models import Thing

        class Refused(UnitTestCase):
            def test_query(self):
                with self.assertRaisesRegex(Exception, "declares no_database_interaction"):
                    Thing.objects.count()

        class Undeclared(unittest.TestCase):
            def test_a(self):
                self.assertEqual(Thing.objects.count(), 0)
                Thing.objects.create(name="undeclared")
            def test_b(self): ...

        class Real(unittest.TestCase):
            def test_copy(self):
                copy = connection.copy()
                copy.settings_dict["NAME"] = os.environ["REAL"]
                with copy.cursor() as cursor:
                    cursor.execute("SELECT count(*) FROM app_thing")
                    cursor.fetchone()  # there is a table, unlike in the real one
                copy.close()
            def test_settings(self):
                self.assertNotIn("real", str(connections.settings["default"]["NAME"]))

        class Declared(TestCase):
            def test_what_others_left_is_gone(self): self.assertEqual(Thing.objects.count(), 0)
            def test_more(self): self.assertEqual(Thing.objects.count(), 0)
        """

    def test_guard(self) -> None:
        for method in ("fork", "spawn"):
            with self.subTest(method):
                project = inner_project(self, self.TESTS)
                real = project.folder / "real.sqlite3"
                outcome = project.test(
                    "--parallel=2", f"--start-method={method}", environment={"REAL": str(real)}
                )
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertFalse(real.exists())

    def test_clone_with_the_name_of_a_real_database(self) -> None:
        project = inner_project(
            self,
            """
            from django.test import TestCase
            class A(TestCase):
                def test_a(self): ...
                def test_b(self): ...
            """,
            """
            DATABASES["default"]["TEST"] = {"NAME": str(BASE_DIR / "made.sqlite3")}
            DATABASES["real"] = {**DATABASES["default"], "NAME": str(BASE_DIR / "made_2.sqlite3")}
            DATABASES["real"]["TEST"] = {"NAME": str(BASE_DIR / "other.sqlite3")}
            """,
        )
        project.write("made_2.sqlite3", "precious")
        outcome = project.test("--parallel=2")
        self.assertEqual(outcome.returncode, 2, outcome.output)
        self.assertIn("for worker 2 has the name of another database", outcome.stderr)
        self.assertEqual((project.folder / "made_2.sqlite3").read_text(), "precious")
        self.assertFalse((project.folder / "made_1.sqlite3").exists())

    def test_mirrors_and_several_databases(self) -> None:
        project = inner_project(
            self,
            """
            from django.test import TestCase
            from app.models import Thing
            class A(TestCase):
                databases = {"default", "replica", "other"}
                def test_a(self):
                    Thing.objects.create(name="a")
                    self.assertEqual(Thing.objects.using("replica").count(), 1)
                    self.assertEqual(Thing.objects.using("other").count(), 0)
                def test_b(self): self.test_a()
            """,
            """
            DATABASES["replica"] = {**DATABASES["default"], "TEST": {"MIRROR": "default"}}
            DATABASES["other"] = {**DATABASES["default"], "NAME": "other.sqlite3"}
            """,
        )
        for method in ("fork", "spawn"):
            with self.subTest(method):
                outcome = project.test("--parallel=2", f"--start-method={method}")
                self.assertEqual(outcome.returncode, 0, outcome.output)


del DatabasesContract, KeptContract  # they are run by their subclasses
