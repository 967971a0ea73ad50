"""Makes test databases exist when they are first needed, and takes them away at the end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..compat import CREATE_TEST_DB_ARGUMENTS, NullTimeKeeper
from ..events import DatabaseReady
from ..exceptions import UnsafeDatabaseError
from .guard import ConnectionGuard, in_memory
from .layout import Layout, Signatures, TestDatabase, plan_layout, signatures
from .mirrors import Mirrors


class Provisioner:
    """The test databases of one run.

    ``verbosity``, ``interactive``, ``keepdb``, ``debug_sql`` and ``time_keeper`` mean what they
    mean for ``django.test.utils.setup_databases``; with ``migrate`` False tables are made from
    the models, without migrations. ``emit`` takes a DatabaseReady event for each database.
    """

    def __init__(
        self,
        *,
        verbosity: int = 1,
        interactive: bool = True,
        keepdb: bool = False,
        debug_sql: bool = False,
        migrate: bool = True,
        time_keeper: Any = None,
        emit: Callable[[DatabaseReady], None] = lambda event: None,
        current_test: Callable[[], str] = lambda: "",
    ) -> None:
        self.verbosity = verbosity
        self.interactive = interactive
        self.keepdb = keepdb
        self.debug_sql = debug_sql
        self.migrate = migrate
        self.time_keeper = time_keeper or NullTimeKeeper()
        self.emit = emit
        self.current_test = current_test
        self.guard = ConnectionGuard(self._provide_undeclared)
        self.undeclared: dict[str, str] = {}  # alias -> the first test that used it
        self._lock = threading.RLock()
        self._signatures: Signatures = {}
        self._making = 0
        self._serialize: dict[str, bool] = {}
        self._real_names: dict[str, Any] = {}  # alias -> NAME, of the databases made
        self._mirrors = Mirrors()
        self._keepers: list[BaseDatabaseWrapper] = []

    def declare(self, aliases: Mapping[str, bool]) -> Layout:
        """Learn the aliases of the run (-> whether to serialize their content); make nothing.

        Raises DatabaseConfigurationError for a circle in DEPENDENCIES, and UnsafeDatabaseError
        where a test database would be a real one.
        """
        layout = plan_layout(aliases, self._signatures)
        for database in layout.databases:
            self._check_name(database)
        self._serialize.update(aliases)
        self._mirrors.redirect(layout.mirrors)
        return layout

    def require(self, aliases: Mapping[str, bool]) -> None:
        """Make the databases of ``aliases``, and what they depend on, unless they exist.

        A database that tests have used which did not declare it is made anew first.
        """
        with self._lock:
            self._serialize.update(aliases)
            layout = plan_layout(aliases, self._signatures)
            self._mirrors.redirect(layout.mirrors)
            for database in layout.databases:
                if any(alias in self.undeclared for alias in database.aliases):
                    self._remake(database)
                elif database.alias not in self._real_names:
                    self._make(database, how="kept" if self.keepdb else "created")
            for database in layout.databases:
                self._serialize_content(database)

    def teardown(self) -> None:
        """Destroy the databases (keep them if so asked); connections are as before the run."""
        with self._lock:
            self._mirrors.restore()
            for keeper in self._keepers:
                keeper.inc_thread_sharing()
                BaseDatabaseWrapper.close(keeper)
            self._keepers.clear()
            for alias in reversed(tuple(self._real_names)):
                if alias in self._real_names:
                    self._destroy(self._database_of(alias), keepdb=self.keepdb)

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Let no connection reach a real database inside this block."""
        self._signatures = signatures()
        self.guard.install()
        try:
            yield
        finally:
            try:
                self.teardown()
            finally:
                self.guard.uninstall()

    def _provide_undeclared(self, alias: str) -> None:
        """Make a database that code has opened outside of what the tests declare."""
        with self._lock:
            layout = plan_layout([alias], self._signatures)
            self._mirrors.redirect(layout.mirrors)
            user = self.current_test()
            for database in layout.databases:
                if database.alias not in self._real_names:
                    self._check_name(database)
                    self._make(database, how="kept" if self.keepdb else "created")
                    self._keep_open(database)
                    if user and not self._making:  # else a check or migration has used it
                        self.undeclared[database.alias] = user

    def _keep_open(self, database: TestDatabase) -> None:
        """An in-memory database lives as long as a connection; this thread's may end first."""
        connection = connections[database.alias]
        if in_memory(connection) and threading.current_thread() is not threading.main_thread():
            keeper = connection.copy()
            keeper.connect()
            self._keepers.append(keeper)

    def _make(self, database: TestDatabase, how: str) -> None:
        connection = connections[database.alias]
        real_name = connection.settings_dict["NAME"]
        if not self.migrate:
            connection.settings_dict["TEST"]["MIGRATE"] = False
        started = time.monotonic()
        self._making += 1
        with (
            self.guard.admitting(database.alias),
            self.time_keeper.timed(f"  Creating {database.alias!r}"),
        ):
            try:
                connection.creation.create_test_db(
                    verbosity=self.verbosity,
                    autoclobber=not self.interactive,
                    keepdb=how == "kept",
                    **CREATE_TEST_DB_ARGUMENTS,
                )
            except BaseException:
                self._remove_half_made(database, real_name)
                raise
            finally:
                self._making -= 1
            for alias in database.aliases:
                self._real_names[alias] = real_name
            for alias in database.aliases[1:]:
                connections[alias].creation.set_as_test_mirror(connection.settings_dict)
            self._mirrors.refresh()
        if self.debug_sql:
            for each in connections.all():
                each.force_debug_cursor = True
        name = str(connection.settings_dict["NAME"])
        self.emit(DatabaseReady(database.alias, name, how, time.monotonic() - started))

    def _remove_half_made(self, database: TestDatabase, real_name: Any) -> None:
        connection = connections[database.alias]
        if connection.settings_dict["NAME"] != real_name and not self.keepdb:
            for alias in database.aliases:
                self._real_names[alias] = real_name
            self._destroy(database, keepdb=False)

    def _remake(self, database: TestDatabase) -> None:
        users = [self.undeclared.pop(a) for a in database.aliases if a in self.undeclared]
        if self.verbosity >= 1:
            connections[database.alias].creation.log(
                f"Test database {database.alias!r} is made anew: {users[0]} used it without "
                "declaring it, outside of any isolation."
            )
        self._destroy(database, keepdb=False)
        self._make(database, how="rebuilt")

    def _destroy(self, database: TestDatabase, *, keepdb: bool) -> None:
        connection = connections[database.alias]
        real_name = self._real_names[database.alias]
        if not keepdb:
            # Django's close() leaves in-memory databases open.
            BaseDatabaseWrapper.close(connection)
        try:
            with self.guard.admitting(database.alias):
                connection.creation.destroy_test_db(real_name, self.verbosity, keepdb)
        finally:
            for alias in database.aliases:
                connections.settings[alias]["NAME"] = self._real_names.pop(alias)
                connections[alias].settings_dict["NAME"] = real_name

    def _serialize_content(self, database: TestDatabase) -> None:
        for alias in database.aliases:
            connection = connections[alias]
            if self._serialize.get(alias) and not hasattr(connection, "_test_serialized_contents"):
                content = connection.creation.serialize_db_to_string()
                connection._test_serialized_contents = content  # type: ignore[attr-defined]

    def _database_of(self, alias: str) -> TestDatabase:
        (database,) = (
            database
            for database in plan_layout(self._real_names, self._signatures).databases
            if alias in database.aliases
        )
        return database

    def _check_name(self, database: TestDatabase) -> None:
        """Refuse a test database whose name is that of a configured, real one."""
        connection = connections[database.alias]
        creation: Any = connection.creation
        test_name = creation._get_test_db_name()
        settings_dict = connection.settings_dict
        if database.alias in self._real_names:
            return
        probe = connection.copy()
        probe.settings_dict = {**settings_dict, "NAME": test_name}
        if not in_memory(probe) and self.guard.is_real(probe):
            raise UnsafeDatabaseError(
                f"The test database of alias {database.alias!r} has the name of a real database: "
                f"{test_name!r} on {settings_dict['HOST'] or 'localhost'}. "
                'Give it a name of its own in DATABASES["…"]["TEST"]["NAME"].'
            )
