"""What the guard knows of databases, and what it lets through."""

from __future__ import annotations

import copy
import os
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from django.db import OperationalError, connection, connections
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from django.test import SimpleTestCase

from sanerunner.databases import guard as guard_module
from sanerunner.databases.guard import ConnectionGuard, RefusingCursor
from sanerunner.databases.vendors import identity, in_memory
from sanerunner.exceptions import DatabaseInteractionError, UnsafeDatabaseError

from .support.services import require_postgresql

SQLITE = "django.db.backends.sqlite3"


def wrapper(
    engine: str, name: Any, alias: str = "default", **settings: Any
) -> BaseDatabaseWrapper:
    configured = {"ENGINE": engine, "NAME": name, **settings}
    handler = ConnectionHandler({"default": configured, alias: configured})
    return handler[alias]


class IdentityTest(unittest.TestCase):
    def test_spellings_of_a_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            real = Path(folder, "real name.sqlite3").resolve()
            real.touch()
            link = Path(folder, "link.sqlite3")
            link.symlink_to(real)
            expected = identity(wrapper(SQLITE, real))
            for name in (
                str(real),
                link,
                f"{folder}/x/../real name.sqlite3",
                os.path.relpath(real),
                f"file:{real}",
                f"file:{real}?mode=ro",
                f"file://{real}".replace(" ", "%20"),
                f"file://localhost{real}?cache=shared",
            ):
                with self.subTest(name):
                    self.assertEqual(identity(wrapper(SQLITE, name)), expected)
            option = wrapper(SQLITE, "other.sqlite3", OPTIONS={"database": real})
            self.assertEqual(identity(option), expected)
            self.assertNotEqual(identity(wrapper(SQLITE, f"{folder}/other")), expected)

    def test_in_memory(self) -> None:
        for name, expected in (
            (":memory:", True),
            ("file:x?mode=memory&cache=shared", True),
            ("memory", False),
            (Path(":memory:"), False),
        ):
            self.assertIs(in_memory(wrapper(SQLITE, name)), expected, name)
        hidden = wrapper(SQLITE, ":memory:", OPTIONS={"database": "real.sqlite3"})
        self.assertFalse(in_memory(hidden))

    def test_spellings_of_a_server(self) -> None:
        for engine, port in (
            ("django.db.backends.postgresql", "5432"),
            ("django.db.backends.mysql", "3306"),
        ):
            try:
                expected = identity(wrapper(engine, "shop"))
            except Exception as error:
                self.skipTest(str(error))
            for host in ("", "localhost", "LOCALHOST", "127.0.0.1", "::1", "/var/run/a-socket"):
                for given in ("", port, int(port)):
                    same = wrapper(engine, "shop", HOST=host, PORT=given)
                    self.assertEqual(identity(same), expected)
            for other in (
                wrapper(engine, "shop2"),
                wrapper(engine, "shop", PORT="1"),
                wrapper(engine, "shop", HOST="db.example"),
            ):
                self.assertNotEqual(identity(other), expected)

    def test_places_named_by_options(self) -> None:
        """By an option itself, by a service, by a file of options."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        services, options = Path(folder.name, "services"), Path(folder.name, "my.cnf")
        services.write_text("[main]\nhost=db.example\nport = 5433\ndbname=shop\n[other]\n")
        options.write_text("[mysqld]\nskip\n[client]\nhost = 'db.example'\nport=3307\n")
        postgresql, mysql = "django.db.backends.postgresql", "django.db.backends.mysql"
        with mock.patch.dict(os.environ, PGSERVICEFILE=str(services)):
            for engine, port, name, found in (
                (postgresql, 5433, "shop", {"host": "db.example", "port": "5433"}),
                (postgresql, 5433, "shop", {"service": "main"}),
                (postgresql, 5433, "", {"service": "main"}),
                (mysql, 3307, "shop", {"host": "db.example", "port": 3307}),
                (mysql, 3307, "shop", {"read_default_file": str(options)}),
            ):
                with self.subTest(found, engine=engine, name=name):
                    try:
                        expected = wrapper(engine, "shop", HOST="db.example", PORT=port)
                    except Exception as error:
                        self.skipTest(str(error))
                    named = wrapper(engine, name, OPTIONS=found)
                    self.assertEqual(identity(named), identity(expected))
            for service in ("other", "none"):
                unnamed = wrapper(postgresql, "shop", OPTIONS={"service": service})
                self.assertEqual(identity(unnamed), identity(wrapper(postgresql, "shop")))

    def test_option_that_wins_over_the_name(self) -> None:
        for engine, option in (
            ("django.db.backends.postgresql", "dbname"),
            ("django.db.backends.mysql", "db"),
            ("django.db.backends.mysql", "database"),
        ):
            try:
                named = wrapper(engine, "x", OPTIONS={option: "shop"})
            except Exception as error:
                self.skipTest(str(error))
            self.assertEqual(identity(named), identity(wrapper(engine, "shop")))


class GuardTest(unittest.TestCase):
    """A guard over connections of its own: two files, of which one is never to be opened."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.connections = ConnectionHandler(
            {
                "default": {"ENGINE": SQLITE, "NAME": self.folder / "real"},
                "other": {"ENGINE": SQLITE, "NAME": str(self.folder / "other")},
            }
        )
        self.real = copy.deepcopy(dict(self.connections.settings))
        self.addCleanup(self.connections.close_all)
        patch = mock.patch.object(guard_module, "connections", self.connections)
        patch.start()
        self.addCleanup(patch.stop)
        outer: Any = mock.patch.object(ConnectionGuard._installed[-1], "watched", set())
        outer.start()  # the suite's own guard would take these connections for its own
        self.addCleanup(outer.stop)
        self.provided: list[str] = []
        self.noticed: list[str] = []
        self.guard = ConnectionGuard(self.provide, self.noticed.append)
        self.guard.install()
        self.addCleanup(self.guard.uninstall)

    def provide(self, alias: str) -> None:
        self.provided.append(alias)
        self.connections.settings[alias]["NAME"] = str(self.folder / f"test_{alias}")

    def opened(self, wrapper: BaseDatabaseWrapper) -> str:
        """Return the name of the file that ``wrapper`` opens; it is closed after the test."""
        self.addCleanup(BaseDatabaseWrapper.close, wrapper)  # SQLite's leaves memory open
        return self.file_of(wrapper)

    def file_of(self, wrapper: BaseDatabaseWrapper) -> str:
        with wrapper.cursor() as cursor:
            cursor.execute("PRAGMA database_list")
            return Path(cursor.fetchone()[2]).name

    def tearDown(self) -> None:
        self.assertFalse((self.folder / "real").exists())
        self.assertFalse((self.folder / "other").exists())

    def test_connection_opens_what_is_provided(self) -> None:
        self.assertEqual(self.opened(self.connections["default"]), "test_default")
        self.assertEqual(self.provided, ["default"])

    def test_copies_and_wrappers_of_any_alias(self) -> None:
        wrapper_class = type(self.connections["default"])
        for alias, given, expected in (
            ("default", "default", "default"),
            ("default", "other", "other"),  # its settings, under another's name
            ("else", "other", "other"),
            ("else", "default", "default"),
        ):
            made = wrapper_class(copy.deepcopy(self.real[given]), alias)
            self.assertEqual(self.opened(made), f"test_{expected}")
        self.assertEqual(self.provided, ["default", "other", "other", "default"])
        self.assertEqual(self.opened(self.connections["other"].copy()), "test_other")

    def test_other_databases_are_no_business_of_the_guard(self) -> None:
        wrapper_class = type(self.connections["default"])
        mine = wrapper_class(
            {**self.real["default"], "NAME": str(self.folder / "mine")}, "default"
        )
        self.assertEqual(self.opened(mine), "mine")
        memory = wrapper_class({**self.real["default"], "NAME": ":memory:"}, "default")
        self.assertEqual(self.opened(memory), "")
        self.assertEqual(self.provided, [])

    def test_refused_when_nothing_is_provided(self) -> None:
        self.guard._provide = self.provided.append
        with self.assertRaisesRegex(UnsafeDatabaseError, "real.*alias 'default'.*refused"):
            self.connections["default"].cursor()
        self.assertEqual(self.provided, ["default"])

    def test_refused_when_an_option_names_the_real_one(self) -> None:
        settings = {**copy.deepcopy(self.real["default"])}
        settings["OPTIONS"] = {"database": str(self.folder / "real")}
        wrapper_class = type(self.connections["default"])
        with self.assertRaises(UnsafeDatabaseError):
            wrapper_class(settings, "default").cursor()

    def test_also_while_a_database_is_made(self) -> None:
        with self.guard.admitting("default"):
            with self.assertRaises(UnsafeDatabaseError):
                self.connections["default"].cursor()
            self.assertEqual(self.opened(self.connections["other"]), "test_other")

    def test_admitted_is_this_thread_only(self) -> None:
        opened: list[str] = []

        def work() -> None:
            try:
                opened.append(self.file_of(self.connections["default"]))
            finally:
                self.connections.close_all()

        with self.guard.admitting("default"):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        self.assertEqual(opened, ["test_default"])

    def test_connection_that_providing_has_opened_is_not_opened_twice(self) -> None:
        default = self.connections["default"]

        def provide(alias: str) -> None:
            self.provide(alias)
            if default.connection is None:
                default.connect()
                self.first: Any = default.connection

        self.guard._provide = provide
        self.assertEqual(self.opened(default), "test_default")
        self.assertIs(default.connection, self.first)
        default.connect()
        self.addCleanup(self.first.close)
        self.assertIsNot(default.connection, self.first)

    def test_use_of_a_watched_database_is_noticed_once(self) -> None:
        self.guard.watched = {"default"}
        self.opened(self.connections["other"])
        self.assertEqual(self.noticed, [])
        self.opened(self.connections["default"])
        self.opened(self.connections["default"])
        self.assertEqual(self.noticed, ["default"])

    def test_refusing(self) -> None:
        with self.guard.refusing("app.Test.test_it"):
            with self.assertRaises(DatabaseInteractionError) as caught:
                self.connections["default"].cursor().execute("SELECT 1")
            self.assertEqual(
                str(caught.exception),
                "app.Test.test_it declares no_database_interaction, "
                "but sent this to database 'default': SELECT 1",
            )
            with self.assertRaisesRegex(DatabaseInteractionError, "opened a connection"):
                self.connections["default"].ensure_connection()
            with self.assertRaisesRegex(DatabaseInteractionError, "SELECT 2"):
                self.connections["default"].chunked_cursor().executemany("SELECT 2", [])
            with self.assertRaisesRegex(DatabaseInteractionError, "CALL it"):
                self.connections["default"].cursor().callproc("it")
        self.assertEqual(self.provided, [])
        self.opened(self.connections["default"])

    def test_refusing_an_open_connection_in_any_thread(self) -> None:
        self.opened(self.connections["default"])
        cursors: list[Any] = []

        def work() -> None:
            cursors.append(self.connections["other"].cursor())

        with self.guard.refusing("test"):
            cursors.append(self.connections["default"].cursor())
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        for cursor in cursors:
            self.assertIsInstance(cursor, RefusingCursor)

    def test_close_opened_reaches_all_threads_and_copies(self) -> None:
        made: list[BaseDatabaseWrapper] = [self.connections["default"].copy()]
        other = self.connections["other"]
        self.opened(other)
        self.opened(made[0])

        def work() -> None:
            made.append(self.connections["default"])
            made[1].ensure_connection()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.guard.close_opened("default")
        self.assertEqual([each.connection for each in made], [None, None])
        self.assertIsNotNone(other.connection)

    def test_close_opened_takes_what_cannot_be_closed(self) -> None:
        """MySQL's driver refuses to close what a test has closed behind Django's back."""
        first, second = (self.connections["default"].copy() for _ in range(2))
        self.opened(first)
        self.opened(second)
        for each in (first, second):
            close = mock.patch.object(each, "_close", side_effect=OperationalError("(2006, '')"))
            self.addCleanup(each._close)
            close.start()
            self.addCleanup(close.stop)
        self.guard.close_opened("default")
        self.assertEqual([first.connection, second.connection], [None, None])

    def test_uninstalled(self) -> None:
        methods = dict(vars(BaseDatabaseWrapper))
        second = ConnectionGuard(self.provide)
        second.install()
        self.assertIsNot(vars(BaseDatabaseWrapper)["connect"], methods["connect"])
        second.uninstall()
        self.assertEqual(dict(vars(BaseDatabaseWrapper)), methods)
        second.uninstall()
        self.assertEqual(dict(vars(BaseDatabaseWrapper)), methods)


class TransactionTest(unittest.TestCase):
    def test_run_does_not_begin_in_a_transaction(self) -> None:
        handler = ConnectionHandler({"default": {"ENGINE": SQLITE, "NAME": ":memory:"}})
        handler["default"].in_atomic_block = True
        guard = ConnectionGuard(lambda alias: None)
        methods = dict(vars(BaseDatabaseWrapper))
        with (
            mock.patch.object(guard_module, "connections", handler),
            mock.patch.object(ConnectionGuard, "_installed", []),
            self.assertRaisesRegex(UnsafeDatabaseError, "'default' is in a transaction"),
        ):
            guard.install()
        self.assertEqual(dict(vars(BaseDatabaseWrapper)), methods)


class ServerDatabaseTest(unittest.TestCase):
    """The database that Django opens to get at a PostgreSQL server."""

    def guarded(self, name: str) -> tuple[ConnectionGuard, ConnectionHandler]:
        settings = {**require_postgresql(self), "NAME": name}
        handler = ConnectionHandler({"default": settings})
        patch = mock.patch.object(guard_module, "connections", handler)
        patch.start()
        self.addCleanup(patch.stop)
        guard = ConnectionGuard(lambda alias: None)
        guard.install()
        self.addCleanup(guard.uninstall)
        return guard, handler

    def test_is_let_through(self) -> None:
        _, handler = self.guarded("sane_shop")
        with handler["default"]._nodb_cursor() as cursor:
            cursor.execute("SELECT current_database()")
            self.assertEqual(cursor.fetchone(), ("postgres",))

    def test_is_refused_where_it_is_a_real_one(self) -> None:
        guard, handler = self.guarded("postgres")
        with self.assertRaisesRegex(UnsafeDatabaseError, NO_DB_ALIAS):
            handler["default"]._nodb_cursor().__enter__()
        with guard.admitting("default"), handler["default"]._nodb_cursor() as cursor:
            cursor.execute("SELECT 1")


class SuiteTest(SimpleTestCase):
    databases = {"default"}

    def test_this_suite_runs_in_a_test_database(self) -> None:
        for alias in connections:
            name = str(connections[alias].settings_dict["NAME"])
            self.assertTrue(name.startswith("test_") or "mode=memory" in name, name)
        guarded = ConnectionGuard._installed[-1]
        self.assertFalse(guarded.is_real(connection))

    def test_rows_of_a_server_cursor_are_refused_as_well(self) -> None:
        connection.ensure_connection()
        with ConnectionGuard._installed[-1].refusing("test"):
            self.assertIsInstance(connection.chunked_cursor(), RefusingCursor)
