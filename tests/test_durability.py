"""Commits to test databases do not wait for the disk; all others, and what users chose, stay."""

from __future__ import annotations

import unittest

import django

from .support.projects import Outcome, inner_project
from .support.services import (
    Settings,
    on_mariadb,
    on_postgresql,
    require_mariadb,
    require_postgresql,
)

FILES = """
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "default.real",
        "OPTIONS": {options!r},
        "TEST": {{"NAME": BASE_DIR / "default.test"}},
    }}
}}
"""
# The sessions of two threads, and of one that is opened after the first.
SESSIONS = """
    def sessions(self, query):
        found = []
        def ask():
            with connection.cursor() as cursor:
                cursor.execute(query)
                found.append(cursor.fetchone()[0])
            connection.close()
        ask()
        ask()
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return found
"""
TESTS = f"""
import os, sqlite3, threading
from django.conf import settings
from django.db import connection, connections
from django.db.utils import ConnectionHandler
from django.test import TransactionTestCase

class Sessions(TransactionTestCase):
{SESSIONS}
    def test_sessions(self):
        self.assertEqual(self.sessions(os.environ["QUERY"]), [VALUE] * 3)
"""
OTHERS = """
    def test_other_database(self):
        entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": settings.BASE_DIR / "foreign"}
        with ConnectionHandler({"default": entry})["default"].cursor() as cursor:
            cursor.execute("PRAGMA synchronous")
            self.assertEqual(cursor.fetchone(), (2,))
"""
SQLITE = "PRAGMA synchronous"
POSTGRESQL = "SHOW synchronous_commit"


class Case(unittest.TestCase):
    def passes(self, tests: str, settings: str, query: str, *arguments: str) -> Outcome:
        project = inner_project(self, tests, settings)
        for _ in range(2 if arguments else 1):
            outcome = project.test("-v2", *arguments, environment={"QUERY": query})
            self.assertEqual(outcome.returncode, 0, outcome.output)
            self.assertIn("test_sessions", outcome.stderr)
        return outcome


class SQLiteTest(Case):
    def check(self, value: int, options: dict[str, str], *arguments: str, more: str = "") -> None:
        tests = TESTS.replace("VALUE", str(value)) + more
        self.passes(tests, FILES.format(options=options), SQLITE, *arguments)

    def test_every_session(self) -> None:
        for restore in ("flush", "rewind"):
            with self.subTest(restore):
                self.check(0, {}, f"--restore={restore}", "--keepdb")

    def test_other_databases_are_left_alone(self) -> None:
        self.check(0, {}, more=OTHERS)

    @unittest.skipIf(django.VERSION < (5, 1), "init_command is new in Django 5.1")
    def test_what_the_settings_say(self) -> None:
        for value, command in ((2, "PRAGMA SYNCHRONOUS=FULL"), (1, "PRAGMA synchronous=1")):
            with self.subTest(command):
                self.check(value, {"init_command": command})

    def test_what_a_receiver_of_the_project_says(self) -> None:
        receiver = """
            from django.db.backends.signals import connection_created

            def choose(connection, **kwargs):
                connection.cursor().execute("PRAGMA synchronous = NORMAL")

            connection_created.connect(choose)
            """
        tests = TESTS.replace("VALUE", "1")
        files = {"app/models.py": receiver}
        project = inner_project(self, tests, FILES.format(options={}), **files)
        outcome = project.test(environment={"QUERY": SQLITE})
        self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_no_longer_after_the_run(self) -> None:
        project = inner_project(self, TESTS.replace("VALUE", "0"), FILES.format(options={}))
        project.write(
            "script.py",
            """
            import os, django
            django.setup()
            from django.conf import settings
            from django.db import connection, connections
            from django.db.backends.signals import connection_created
            from sanerunner import SaneRunner

            receivers = len(connection_created.receivers)
            assert SaneRunner(keepdb=True, interactive=False).run_tests([]) == 0
            assert len(connection_created.receivers) == receivers
            for name in (settings.BASE_DIR / "default.real", settings.BASE_DIR / "default.test"):
                other = connection.copy()
                other.settings_dict["NAME"] = name
                with other.cursor() as cursor:
                    cursor.execute("PRAGMA synchronous")
                    assert cursor.fetchone() == (2,), name
            """,
        )
        environment = {"QUERY": SQLITE, "DJANGO_SETTINGS_MODULE": "settings"}
        outcome = project.python("script.py", environment=environment)
        self.assertEqual(outcome.returncode, 0, outcome.output)


class PostgreSQLTest(Case):
    def check(self, value: str, settings: Settings, *arguments: str) -> None:
        self.passes(
            TESTS.replace("VALUE", repr(value)),
            f"DATABASES = {{'default': {settings!r}}}\n",
            POSTGRESQL,
            *arguments,
        )

    def test_every_session(self) -> None:
        for arguments in ((), ("--keepdb",), ("--restore=rewind", "--keepdb")):
            with self.subTest(arguments):
                self.check("off", require_postgresql(self), *arguments)

    def test_what_the_settings_say(self) -> None:
        for value in ("on", "local"):
            options = {"OPTIONS": {"options": f"-c synchronous_commit={value}"}}
            with self.subTest(value):
                self.check(value, {**require_postgresql(self), **options})

    def test_without_autocommit(self) -> None:
        """The database of ``--keepdb`` has to be there, as Django cannot make it then."""
        tests = TESTS.replace("VALUE", "'off'").replace(
            "connection.close()", "connection.commit(); connection.close()"
        )
        settings = {**require_postgresql(self), "AUTOCOMMIT": False}
        on_postgresql(settings, f"CREATE DATABASE test_{settings['NAME']}")
        databases = f"DATABASES = {{'default': {settings!r}}}\n"
        self.passes(tests, databases, POSTGRESQL, "--keepdb")

    def test_a_database_that_was_made_anew(self) -> None:
        """From its template, as a test has changed the schema."""
        tests = TESTS.replace("VALUE", "'off'").replace(
            "    def test_sessions",
            "    serialized_rollback = True\n\n"
            "    def test_a_schema(self):\n"
            "        connection.cursor().execute('CREATE TABLE later (id int)')\n\n"
            "    def test_sessions",
        )
        settings = f"DATABASES = {{'default': {require_postgresql(self)!r}}}\n"
        self.passes(tests, settings, POSTGRESQL, "--restore=rewind")

    def test_other_processes(self) -> None:
        """They find it with the database."""
        tests = """
            from django.db import connection
            from django.test import TransactionTestCase
            from tests.support.services import on_postgresql

            class Sessions(TransactionTestCase):
                def test_sessions(self):
                    for name, value in ((connection.settings_dict["NAME"], "off"), ("", "on")):
                        rows = on_postgresql(
                            connection.settings_dict, "SHOW synchronous_commit", database=name
                        )
                        self.assertEqual(rows, [(value,)])
            """
        settings = f"DATABASES = {{'default': {require_postgresql(self)!r}}}\n"
        self.passes(tests, settings, POSTGRESQL)


class MariaDBTest(Case):
    def test_the_server_is_left_alone(self) -> None:
        """There it is the whole server's, so that other databases would be touched."""
        settings = require_mariadb(self)
        query = "SELECT CONCAT(@@innodb_flush_log_at_trx_commit, @@sync_binlog)"
        ((value,),) = on_mariadb(settings, query)
        self.passes(
            TESTS.replace("VALUE", repr(value)),
            f"DATABASES = {{'default': {settings!r}}}\n",
            query,
        )
