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
from .baseline import Baselines
from .guard import ConnectionGuard
from .layout import (
    Layout,
    Signatures,
    TestDatabase,
    known_mirrors,
    plan_layout,
    primary_of,
    signatures,
)
from .mirrors import Mirrors
from .names import TestNames
from .vendors import in_memory, vendor_of


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
        baselines: Baselines | None = None,
        time_keeper: Any = None,
        emit: Callable[[DatabaseReady], None] = lambda event: None,
        current_test: Callable[[], str] = lambda: "",
    ) -> None:
        self.verbosity = verbosity
        self.interactive = interactive
        self.keepdb = keepdb
        self.debug_sql = debug_sql
        self.migrate = migrate
        self.baselines = baselines
        self.time_keeper = time_keeper or NullTimeKeeper()
        self.emit = emit
        self.current_test = current_test
        self.guard = ConnectionGuard(self._provide_undeclared, self._note_undeclared)
        self.undeclared: dict[str, str] = {}  # alias -> the first test that used it
        self._lock = threading.RLock()
        self._signatures: Signatures = {}
        self._serialize: dict[str, bool] = {}
        self._made: dict[str, TestDatabase] = {}  # by their first alias, in order of making
        self._making: list[str] = []
        self._names = TestNames(self._check_name)
        self._mirrors = Mirrors()
        self._owner: int | None = None
        self._keepers: dict[str, BaseDatabaseWrapper] = {}

    @property
    def active(self) -> bool:
        """Whether connections are kept away from real databases now."""
        return self._owner is not None

    def declare(self, aliases: Mapping[str, bool]) -> Layout:
        """Learn the aliases of the run (-> whether to serialize their content); make nothing.

        Raises DatabaseConfigurationError for a circle in DEPENDENCIES, and UnsafeDatabaseError
        where a test database would be a real one.
        """
        layout = plan_layout(aliases, self._signatures)
        for database in layout.databases:
            self._check_name(database.alias)
        for alias, serialize in aliases.items():
            self._serialize[alias] = self._serialize.get(alias, False) or serialize
        return layout

    def require(self, aliases: Mapping[str, bool]) -> Layout:
        """Make the databases of ``aliases``, and what they depend on, unless they exist.

        To be called before each stage: what its tests use of other databases is noted, and a
        database that was used so is made anew for a stage that declares it. All others are made
        anew with it: the migrations of one database may have written to another.
        """
        with self._lock:
            layout = self.declare(aliases)
            used = {alias for database in layout.databases for alias in database.aliases}
            self.guard.watched = set(connections) - used - set(layout.mirrors)
            dirty = sorted(used.intersection(self.undeclared))
            if dirty:
                self._discard(dirty[0])
            for database in layout.databases:
                if not self._is_made(database):
                    self._make(database, rebuilt=bool(dirty))
            for database in layout.databases:
                self._serialize_content(database)
            return layout

    def teardown(self) -> None:
        """Destroy the databases, or keep them if so asked."""
        with self._lock, contextlib.ExitStack() as stack:
            for database in self._made.values():
                stack.callback(self._destroy, database, keepdb=self.keepdb)

    def start(self) -> None:
        """Let no connection reach a real database from now on.

        Raises UnsafeDatabaseError where a connection is in a transaction.
        """
        self._signatures = signatures()
        self.guard.install()
        self._owner = threading.get_ident()
        mirrors = known_mirrors()
        self._names.announce(mirrors)
        for alias in connections:
            self.guard.announce(alias)
        self._mirrors.redirect(mirrors)

    def stop(self) -> None:
        """Destroy the databases; connections and settings are as before ``start()``."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.guard.uninstall)
            stack.callback(self._restore)
            self.teardown()

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """``start()`` before this block, ``stop()`` after it."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.stop)
            self.start()
            yield

    def _restore(self) -> None:
        self._mirrors.restore()
        self._names.restore()
        self._owner = None

    def _provide_undeclared(self, alias: str) -> None:
        """Make a database that code has opened, unless it exists."""
        with self._lock:
            for database in plan_layout([alias], self._signatures).databases:
                if not self._is_made(database):
                    self._make(database)

    def _note_undeclared(self, alias: str) -> None:
        """Remember the test that has used a database without declaring it."""
        user = self.current_test()
        if self._making or not user:  # a migration, a check, or the project's own runner
            self.guard.watched.add(alias)
        else:
            self.undeclared.setdefault(primary_of(alias), user)

    def _is_made(self, database: TestDatabase) -> bool:
        """Whether the database exists, is being made, or was made by the project's runner."""
        alias = database.alias
        return alias in self._made or alias in self._making or alias in self._names.begun

    def _make(self, database: TestDatabase, rebuilt: bool = False) -> None:
        connection = connections[database.alias]
        keep = self.keepdb and not rebuilt
        started = time.monotonic()
        self._making.append(database.alias)
        try:
            with (
                self.guard.admitting(database.alias),
                self.time_keeper.timed(f"  Creating {database.alias!r}"),
            ):
                self._create(database, keepdb=keep)
        finally:
            self._making.pop()
        self._made[database.alias] = database
        self._keep_open(database)
        if self.baselines is not None:
            self.baselines.attach(database.alias)
        if self.debug_sql:
            for each in connections.all():
                each.force_debug_cursor = True
        how = "rebuilt" if rebuilt else "kept" if keep else "created"
        name = str(connection.settings_dict["NAME"])
        self.emit(DatabaseReady(database.alias, name, how, time.monotonic() - started))

    def _create(self, database: TestDatabase, *, keepdb: bool) -> None:
        connection = connections[database.alias]
        test_settings = connection.settings_dict["TEST"]
        migrate = test_settings["MIGRATE"]
        test_settings["MIGRATE"] = migrate and self.migrate
        try:
            self._names.create(
                connection.creation,
                verbosity=self.verbosity,
                autoclobber=not self.interactive,
                keepdb=keepdb,
                **CREATE_TEST_DB_ARGUMENTS,
            )
        except BaseException:
            if database.alias in self._names.begun:
                self._destroy(database, keepdb=keepdb)
            raise
        finally:
            test_settings["MIGRATE"] = migrate

    def _keep_open(self, database: TestDatabase) -> None:
        """An in-memory database lives as long as a connection; this thread's may end first."""
        connection = connections[database.alias]
        if in_memory(connection) and threading.get_ident() != self._owner:
            keeper = connection.copy()
            keeper.connect()
            self._keepers[database.alias] = keeper

    def _discard(self, dirty: str) -> None:
        """Destroy all databases, of which ``dirty`` is needed as migrations leave it."""
        if self.verbosity >= 1:
            connections[dirty].creation.log(
                f"Test database {dirty!r} is made anew: {self.undeclared[dirty]} used it without "
                "declaring it, outside of any isolation."
            )
        for database in reversed(list(self._made.values())):
            self._destroy(database, keepdb=False)
        self.undeclared.clear()

    def _destroy(self, database: TestDatabase, *, keepdb: bool) -> None:
        connection = connections[database.alias]
        self._made.pop(database.alias, None)
        self._keepers.pop(database.alias, None)
        if self.baselines is not None:
            self.baselines.detach(database.alias, dropped=not keepdb)
        with self.guard.admitting(database.alias):
            if not keepdb or in_memory(connection):
                self.guard.close_opened(database.alias)
                vendor_of(connection).end_sessions(connection)
            name = connection.settings_dict["NAME"]
            connection.creation.destroy_test_db(name, self.verbosity, keepdb)
        self._names.begun.discard(database.alias)
        for alias in database.aliases:
            vars(connections[alias]).pop("_test_serialized_contents", None)

    def _serialize_content(self, database: TestDatabase) -> None:
        for alias in database.aliases:
            connection = connections[alias]
            if self._serialize.get(alias) and not hasattr(connection, "_test_serialized_contents"):
                content = connection.creation.serialize_db_to_string()
                connection._test_serialized_contents = content  # type: ignore[attr-defined]

    def _check_name(self, alias: str) -> None:
        """Refuse a test database whose name is that of a configured, real one."""
        connection = connections[alias]
        if self.guard.is_real(connection):
            host = connection.settings_dict["HOST"] or "localhost"
            name = vendor_of(connection).name(connection)
            remedy = f'Give it a name of its own in DATABASES["{alias}"]["TEST"]["NAME"].'
            if name != connection.settings_dict["NAME"]:
                remedy = f'Put it into NAME, not into DATABASES["{alias}"]["OPTIONS"].'
            raise UnsafeDatabaseError(
                f"The test database of alias {alias!r} has the name of a real database: "
                f"{str(name)!r} on {host}. {remedy}"
            )
