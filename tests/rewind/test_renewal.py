"""Sessions that are renewed after a test: nothing of what a test did to one is left."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase, override_settings

from sanerunner.databases.operations import operations_for

# What a test may leave, and a query whose answer then differs from that of a new session.
CHANGES: dict[str, list[tuple[str, str]]] = {
    "postgresql": [
        ("SET statement_timeout = '7s'", "SHOW statement_timeout"),
        ("SET TIME ZONE 'Asia/Tokyo'", "SHOW timezone"),
        ("SET search_path = pg_catalog", "SHOW search_path"),
        ("SET ROLE pg_monitor", "SELECT current_user"),
        ("SET SESSION AUTHORIZATION pg_monitor", "SELECT session_user"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SHOW transaction_read_only"),
        ("CREATE TEMP TABLE kept (id int)", "SELECT to_regclass('pg_temp.kept')"),
        ("PREPARE kept AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements"),
        ("DECLARE kept CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors"),
        ("LISTEN kept", "SELECT count(*) FROM pg_listening_channels()"),
        (
            "SELECT pg_advisory_lock(77)",
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
        ),
        ("SET sane.kept = '1'", "SELECT current_setting('sane.kept', true)"),
        (
            "SELECT set_config('sane.kept', '1', false)",
            "SELECT current_setting('sane.kept', true)",
        ),
        (
            "DO $$ BEGIN PERFORM set_config('sane.kept', '1', false); END $$",
            "SELECT current_setting('sane.kept', true)",
        ),
    ],
    "mysql": [
        ("SET SESSION sql_mode = 'ANSI'", "SELECT @@sql_mode"),
        ("SET time_zone = '+05:00'", "SELECT @@time_zone"),
        ("SET foreign_key_checks = 0", "SELECT @@foreign_key_checks"),
        ("SET NAMES latin1", "SELECT @@character_set_client"),
        ("SET @kept = 1", "SELECT @kept"),
        ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SELECT @@transaction_isolation"),
        ("PREPARE kept FROM 'SELECT 1'", "SELECT 1"),
        ("SELECT GET_LOCK('kept', 1)", "SELECT IS_USED_LOCK('kept')"),
        ("CREATE TEMPORARY TABLE kept AS SELECT 1 AS id", "SELECT 1"),
    ],
}
ISOLATION = {"SELECT @@transaction_isolation": "SELECT @@tx_isolation"}


class RenewalTest(TransactionTestCase):
    """With a copy of Django's connection; its session is what is renewed."""

    def setUp(self) -> None:
        self.connection: Any = connections["default"].copy()
        # Django's close() leaves databases in memory open.
        self.addCleanup(BaseDatabaseWrapper.close, self.connection)
        operations = operations_for(self.connection)
        assert operations is not None
        self.renewal = operations.renewal
        self.vendor = self.connection.vendor

    def query(self, sql: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    def renewed(self) -> Any:
        """Return the driver's session after one that was opened by the renewal."""
        self.connection.ensure_connection()
        self.renewal.renew(self.connection)
        return self.connection.connection

    def test_what_a_test_leaves_is_gone(self) -> None:
        for change, question in CHANGES.get(self.vendor, ()):
            if self.vendor == "mysql" and self.connection.mysql_is_mariadb:
                question = ISOLATION.get(question, question)
            with self.subTest(change):
                self.renewed()
                fresh = self.query(question)
                self.query(change)
                self.renewal.renew(self.connection)
                self.assertEqual(self.query(question), fresh)
                self.connection.close()

    def test_the_session_stays(self) -> None:
        session = self.renewed()
        for statement in ("SELECT 1", "SET @x = 1") if self.vendor == "mysql" else ("SELECT 1",):
            self.query(statement)
        self.renewal.renew(self.connection)
        kept = self.vendor in CHANGES
        self.assertEqual(self.connection.connection is session, kept or self.in_memory())

    def in_memory(self) -> bool:
        return self.vendor == "sqlite" and self.connection.is_in_memory_db()

    def test_names_that_a_test_has_made_may_be_made_again(self) -> None:
        statements = {
            "postgresql": ["CREATE TEMP TABLE kept (id int)", "PREPARE kept AS SELECT 1"],
            "mysql": ["CREATE TEMPORARY TABLE kept (id int)", "PREPARE kept FROM 'SELECT 1'"],
        }
        for statement in statements.get(self.vendor, ()):
            self.renewed()
            self.query(statement)
            self.renewal.renew(self.connection)
            self.query(statement)
            self.renewal.renew(self.connection)

    def test_a_transaction_is_no_session_to_keep(self) -> None:
        if self.vendor not in CHANGES:
            self.skipTest("sessions are closed as Django does")
        session = self.renewed()
        self.connection.set_autocommit(False)
        self.query("SELECT 1")
        self.renewal.renew(self.connection)
        self.assertIsNot(self.connection.connection, session)
        self.assertTrue(self.connection.get_autocommit())

    def test_a_session_that_is_gone(self) -> None:
        if self.vendor not in CHANGES:
            self.skipTest("sessions are closed as Django does")
        self.renewed()
        own = {"postgresql": "pg_backend_pid()", "mysql": "connection_id()"}[self.vendor]
        end = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}[self.vendor]
        ((number,),) = self.query(f"SELECT {own}")
        with connections["default"].cursor() as cursor:
            cursor.execute(end.format(number))
        self.renewal.renew(self.connection)
        self.assertEqual(self.query("SELECT 1")[0][0], 1)

    def test_hooks_of_a_transaction_are_forgotten(self) -> None:
        if self.vendor not in CHANGES:
            self.skipTest("sessions are closed as Django does, or not at all")
        self.renewed()
        self.connection.run_on_commit = [(set(), self.fail, False)]
        self.renewal.renew(self.connection)
        self.assertEqual(self.connection.run_on_commit, [])

    def test_what_a_driver_was_told(self) -> None:
        if self.vendor != "postgresql" or not hasattr(self.renewed(), "add_notice_handler"):
            self.skipTest("needs psycopg 3")
        session = self.connection.connection
        session.add_notice_handler(self.fail)
        self.renewal.renew(self.connection)
        self.assertIsNot(self.connection.connection, session)

    def test_functions_that_may_set_anything(self) -> None:
        if self.vendor != "postgresql":
            self.skipTest("needs PostgreSQL")
        self.query(
            "CREATE FUNCTION pg_temp_setting() RETURNS text LANGUAGE sql AS "
            "$$ SELECT set_config('sane.kept', '1', false) $$"
        )
        self.connection.close()
        session = self.renewed()
        self.renewal.renew(self.connection)
        self.assertIsNot(self.connection.connection, session)

    def test_other_wrapper_classes_are_closed(self) -> None:
        class Wrapper(type(self.connection)):  # type: ignore[misc]
            """As of a backend that keeps notes about its session."""

        other: Any = Wrapper(self.connection.settings_dict, "default")
        other.ensure_connection()
        session = other.connection
        self.renewal.renew(other)
        self.assertIs(other.connection, session if self.in_memory() else None)
        BaseDatabaseWrapper.close(other)

    @override_settings(USE_TZ=True)
    def test_settings_that_change_how_sessions_are_opened(self) -> None:
        if self.vendor != "postgresql":
            self.skipTest("needs PostgreSQL, whose sessions know the time zone")
        self.renewed()
        self.assertFalse(self.renewal.outdated(self.connection))
        self.connection.settings_dict["OPTIONS"] = {"application_name": "other"}
        self.assertTrue(self.renewal.outdated(self.connection))
        self.renewal.renew(self.connection)
        self.assertEqual(self.query("SHOW application_name"), [("other",)])


class RenewedTest(TransactionTestCase):
    """The runner renews the sessions of its own tests."""

    sessions: list[Any] = []

    def test_1(self) -> None:
        self.note()

    def test_2(self) -> None:
        self.note()

    def test_3(self) -> None:
        self.note()
        if connections["default"].vendor == "sqlite":
            self.skipTest("Django itself leaves databases in memory open, and closes others")
        self.assertIs(self.sessions[-1], self.sessions[-2])

    def note(self) -> None:
        connections["default"].ensure_connection()
        self.sessions.append(connections["default"].connection)
