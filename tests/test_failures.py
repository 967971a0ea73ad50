"""Databases that cannot be made: a message that says which, why and where, and full reports."""

from __future__ import annotations

import socket
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .support.projects import InnerProject, Outcome, inner_project
from .support.services import (
    Settings,
    databases_on,
    on_mariadb,
    require_mariadb,
    require_postgresql,
)

TESTS = """
    import unittest
    from django.test import TestCase
    from app.models import Thing

    class Unit(unittest.TestCase):
        def test_unit(self): pass

    class Rows(TestCase):
        def test_rows(self):
            Thing.objects.create(name="x")
"""


def closed_port() -> str:
    """Return a port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


class FailingCase(unittest.TestCase):
    def run_project(self, project: InnerProject, *arguments: str) -> Outcome:
        """Run; the unit stage stands, the others are not run, the end is no traceback."""
        outcome = project.test("--junit=junit.xml", *arguments)
        self.assertEqual(outcome.returncode, 2, outcome.output)
        self.assertNotIn("Traceback", outcome.stderr)
        self.assertEqual(
            project.verdicts(), {"test_unit": "passed", "test_rows": "skipped"}, outcome.output
        )
        return outcome

    def message(self, outcome: Outcome) -> list[str]:
        """Return the lines of the error at the end."""
        _, found, message = outcome.stderr.rpartition("DatabaseCreationError: ")
        self.assertTrue(found, outcome.output)
        return message.strip().splitlines()

    def reason(self, project: InnerProject) -> str:
        (skipped,) = project.xml().iter("skipped")
        return skipped.get("message", "")


class UnreachableTest(FailingCase):
    """Alias, host and port, and what the driver says, in two lines."""

    def unreachable(self, settings: Any, expected: str, driver: str) -> None:
        project = inner_project(self, TESTS, f"DATABASES = {{'default': {settings!r}}}\n")
        outcome = self.run_project(project)
        first, second = self.message(outcome)
        self.assertEqual(first, f"Database 'default' ({expected}) cannot be connected to:")
        self.assertRegex(second, driver)
        reason = f"stage 'database' could not start: {first.rstrip(':')}"
        self.assertIn(reason, self.reason(project))
        self.assertIn(reason, outcome.stderr)
        self.assertNotIn("Warning", outcome.stderr)

    def down(self, settings: Settings, driver: str) -> None:
        port = closed_port()
        settings = {**settings, "PORT": port, "USER": "me"}
        for each in ("127.0.0.1", "no-such-host.invalid"):
            with self.subTest(each):
                expected = f"host {each}, port {port}, user me"
                self.unreachable({**settings, "HOST": each}, expected, driver)

    def test_postgresql(self) -> None:
        settings = require_postgresql(self)
        self.down(settings, r"refused|resolve|not known")

    def test_mariadb(self) -> None:
        settings = require_mariadb(self)
        self.down(settings, r"\(200[25], ")

    def test_wrong_password(self) -> None:
        for settings, driver in (
            (require_postgresql(self), "no_such_role"),
            (require_mariadb(self), r"\((1045|1698), .*no_such_role"),
        ):
            with self.subTest(settings["ENGINE"]):
                expected = f"host {settings['HOST']}, port {settings['PORT']}, user no_such_role"
                wrong = {**settings, "USER": "no_such_role", "PASSWORD": "wrong"}
                self.unreachable(wrong, expected, driver)

    def test_without_warnings_as_errors(self) -> None:
        """Django's warning on the way to the error would be a third line, and more."""
        settings = {**require_postgresql(self), "HOST": "127.0.0.1", "PORT": closed_port()}
        project = inner_project(self, TESTS, f"DATABASES = {{'default': {settings!r}}}\n")
        outcome = project.test(environment={"PYTHONWARNINGS": "always"})
        self.assertEqual(outcome.returncode, 2, outcome.output)
        self.assertNotIn("Normally Django", outcome.stderr)

    def test_second_database(self) -> None:
        other = {**require_postgresql(self), "HOST": "127.0.0.1", "PORT": closed_port()}
        tests = TESTS.replace(
            "        def test_rows", "        databases = '__all__'\n        def test_rows"
        )
        settings = (
            "DATABASES['default']['TEST'] = {'NAME': str(BASE_DIR / 'test.sqlite3')}\n"
            f"DATABASES['other'] = {other!r}\n"
        )
        project = inner_project(self, tests, settings)
        outcome = self.run_project(project)
        self.assertIn("Database 'other' (host 127.0.0.1", self.message(outcome)[0])
        self.assertFalse((project.folder / "test.sqlite3").exists())

    def test_folder_that_is_not_there(self) -> None:
        settings = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "real.sqlite3",
            "TEST": {"NAME": "/no/such/folder/test.sqlite3"},
        }
        self.unreachable(settings, "file /no/such/folder/test.sqlite3", "unable to open")

    def test_role_that_may_not_create(self) -> None:
        settings = require_mariadb(self)
        user = f"{settings['NAME']}_u"[:30]
        on_mariadb(settings, f"CREATE USER {user} IDENTIFIED BY 'secret'")
        self.addCleanup(on_mariadb, settings, f"DROP USER {user}")
        restricted = {**settings, "USER": user, "PASSWORD": "secret"}
        project = inner_project(self, TESTS, f"DATABASES = {{'default': {restricted!r}}}\n")
        first, second = self.message(self.run_project(project))
        self.assertIn("Test database 'default' (host ", first)
        self.assertIn("could not be created:", first)
        self.assertIn("Access denied", second)


INITIAL = """
    from django.db import migrations, models

    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.CreateModel("Thing", [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=50)),
            ]),
        ]
"""
BROKEN = """
    from django.db import migrations

    def helper(n):
        return 1 / n

    def fill(apps, schema_editor):
        apps.get_model("app", "Thing").objects.create(name="x")
        helper(0)

    class Migration(migrations.Migration):
        dependencies = [("app", "0001_initial")]
        operations = [migrations.{operation}]
"""
RECEIVER = """
    from django.apps import AppConfig
    from django.db.models.signals import post_migrate

    def fill(sender, **kwargs):
        raise ValueError("not filled")

    class Config(AppConfig):
        name = "app"
        def ready(self):
            post_migrate.connect(fill, sender=self)
"""


class MigrationTest(FailingCase):
    """Its name, the frames of the project's own files, the error; the database is removed."""

    def project(self, operation: str, settings: str, **files: str) -> InnerProject:
        migrations = {
            "app/migrations/__init__.py": "",
            "app/migrations/0001_initial.py": INITIAL,
            "app/migrations/0002_data.py": INITIAL,
        }
        migrations["app/migrations/0002_data.py"] = BROKEN.replace("{operation}", operation)
        return inner_project(self, TESTS, settings, **{**migrations, **files})

    def check(self, settings: str, remains: Callable[[InnerProject], list[str]]) -> None:
        python = self.project("RunPython(fill)", settings)
        lines = self.message(self.run_project(python))
        path = python.folder.resolve() / "app" / "migrations" / "0002_data.py"
        self.assertEqual(
            lines[:-1],
            [
                "Migration app.0002_data (Raw Python operation) failed on test database "
                "'default':",
                f'  File "{path}", line 9, in fill',
                "    helper(0)",
                f'  File "{path}", line 5, in helper',
                "    return 1 / n",
            ],
        )
        self.assertEqual(lines[-1], "ZeroDivisionError: division by zero")
        self.assertIn("could not start: Migration app.0002_data", self.reason(python))
        self.assertEqual(remains(python), [])
        sql = self.project('RunSQL("INSERT INTO nothing VALUES (1)")', settings)
        lines = self.message(self.run_project(sql))
        self.assertIn("Migration app.0002_data (Raw SQL operation) failed", lines[0])
        self.assertRegex(lines[1], r"^django\.db\.utils\.\w+Error: ")
        self.assertIn("nothing", "".join(lines[1:]))
        self.assertEqual(remains(sql), [])

    def test_sqlite(self) -> None:
        self.check(
            "DATABASES['default']['TEST'] = {'NAME': str(BASE_DIR / 'test.sqlite3')}\n",
            lambda project: [path.name for path in project.folder.glob("test.sqlite3*")],
        )

    def on_server(self, settings: Settings) -> None:
        def remains(project: Any) -> list[str]:
            return [name for name in databases_on(settings) if settings["NAME"] in name]

        self.check(f"DATABASES = {{'default': {settings!r}}}\n", remains)

    def test_postgresql(self) -> None:
        self.on_server(require_postgresql(self))

    def test_mariadb(self) -> None:
        self.on_server(require_mariadb(self))

    def test_receiver(self) -> None:
        files = {"app/apps.py": RECEIVER}
        settings = "INSTALLED_APPS[-1] = 'app.apps.Config'\n"
        project = self.project("RunPython(migrations.RunPython.noop)", settings, **files)
        lines = self.message(self.run_project(project))
        self.assertEqual(
            lines[0], "post_migrate receiver app.apps.fill failed on test database 'default':"
        )
        self.assertIn(str(Path("app", "apps.py")), lines[1])
        self.assertEqual(lines[-1], "ValueError: not filled")

    def test_receiver_called_by_a_migration(self) -> None:
        receiver = RECEIVER.replace("post_migrate", "pre_migrate").replace(", sender=self", "")
        receiver = receiver.replace("        raise", "        if sender is None: raise")
        files = {"app/apps.py": receiver}
        settings = "INSTALLED_APPS[-1] = 'app.apps.Config'\n"
        operation = (
            "RunPython(lambda apps, editor: __import__('django.db.models.signals', "
            "fromlist=['a']).pre_migrate.send(sender=None))"
        )
        project = self.project(operation, settings, **files)
        lines = self.message(self.run_project(project))
        self.assertRegex(
            lines[0], r"^Migration app\.0002_data \(.*in its pre_migrate receiver app\.apps\.fill"
        )

    def test_command_in_a_migration(self) -> None:
        operation = (
            "RunPython(lambda apps, editor: __import__('django.core.management', "
            "fromlist=['a']).call_command('loaddata', 'nowhere'))"
        )
        lines = self.message(self.run_project(self.project(operation, "")))
        self.assertIn("Migration app.0002_data", lines[0])
        self.assertIn("nowhere", lines[-1])

    def test_migration_that_cannot_be_imported(self) -> None:
        project = self.project("RunPython(no_such_name)", "")
        lines = self.message(self.run_project(project))
        self.assertIn("Test database 'default' (in memory, ", lines[0])
        self.assertIn("0002_data.py", lines[1])
        self.assertTrue(lines[-1].startswith("NameError"), lines)

    def test_conflict_is_djangos_own_message(self) -> None:
        files = {"app/migrations/0002_other.py": BROKEN.replace("{operation}", "RunSQL('')")}
        project = self.project("RunPython(fill)", "", **files)
        outcome = project.test("--junit=junit.xml")
        self.assertNotEqual(outcome.returncode, 0)
        self.assertNotIn("Traceback", outcome.stderr)
        self.assertIn("CommandError: Conflicting migrations", outcome.stderr)
        self.assertNotIn("DatabaseCreationError", outcome.stderr)
        self.assertEqual(project.verdicts()["test_rows"], "skipped")

    def test_refused_when_a_test_opens_it(self) -> None:
        """A database that a unit test opens undeclared: the error is that test's."""
        project = self.project("RunPython(fill)", "")
        project.write("app/tests.py", TESTS.split("    class Rows")[0].replace(
            "pass", "Thing.objects.count()"
        ))  # fmt: skip
        outcome = project.test("--junit=junit.xml")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertEqual(project.verdicts(), {"test_unit": "error"})
        self.assertIn("Migration app.0002_data", outcome.stderr)
