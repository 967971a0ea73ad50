"""Makes test databases exist when they are first needed, and takes them away at the end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..compat import CREATE_TEST_DB_ARGUMENTS, NullTimeKeeper
from ..events import DatabaseReady
from .baseline import START, Baselines
from .durability import Durability
from .facts import ServerFacts
from .failures import explained
from .finishing import Finisher
from .guard import ConnectionGuard
from .inmemory import Keepers
from .layout import (
    Layout,
    Signatures,
    TestDatabase,
    known_mirrors,
    plan_layout,
    primary_of,
    signatures,
)
from .making import DatabaseMaker, Keeping
from .mirrors import Mirrors
from .names import TestNames, refuse_real
from .pruning import prune
from .registry import KnownModels
from .serialized import SerializedContent
from .undeclared import UndeclaredUse
from .vendors import in_memory, vendor_of


class Provisioner:
    """The test databases of one run.

    ``verbosity``, ``interactive``, ``debug_sql`` and ``time_keeper`` mean what they mean for
    ``django.test.utils.setup_databases``; with ``migrate`` False tables are made from the
    models, without migrations. ``suffix`` goes behind the names of the databases. Images are
    kept in the folder ``image_cache``. ``created`` is called with the alias of each database that
    was made, not kept. ``emit`` takes a DatabaseReady event for each database.
    """

    def __init__(
        self,
        *,
        verbosity: int = 1,
        interactive: bool = True,
        keeping: Keeping | None = None,
        suffix: str = "",
        debug_sql: bool = False,
        migrate: bool = True,
        baselines: Baselines | None = None,
        created: Callable[[str], None] | None = None,
        image_cache: Path | None = None,
        time_keeper: Any = None,
        emit: Callable[[DatabaseReady], None] = lambda event: None,
        current_test: Callable[[], str] = lambda: "",
    ) -> None:
        self.verbosity = verbosity
        self.interactive = interactive
        self.keeping = keeping or Keeping()
        self.debug_sql = debug_sql
        self.migrate = migrate
        self.baselines = baselines
        self.time_keeper = time_keeper or NullTimeKeeper()
        self.guard = ConnectionGuard(
            self._provide_undeclared, self._note_undeclared, self._refuse_broken
        )
        self.serialized = SerializedContent()
        self._undeclared = UndeclaredUse(current_test, tells=verbosity >= 1)
        if baselines is not None:
            baselines.admitting = self.guard.admitting
        self._lock = threading.RLock()
        self._signatures: Signatures = {}
        self._declared: set[str] = set()
        self._made: dict[str, TestDatabase] = {}  # by their first alias, in order of making
        self._making: list[str] = []
        self._names = TestNames(self._before_making, suffix)
        self._mirrors = Mirrors()
        self._durability = Durability()
        self._models = KnownModels()
        self._facts = ServerFacts(self.guard.admitting)
        self._owner: int | None = None
        self._keepers = Keepers()
        self._maker = DatabaseMaker(
            self.keeping,
            verbosity=verbosity,
            interactive=interactive,
            migrate=migrate,
            baselines=baselines,
            create=self._create,
            adopt=self._names.begun.add,
            image_cache=image_cache,
        )
        self._finisher = Finisher(self._maker, baselines=baselines, created=created, emit=emit)

    @property
    def active(self) -> bool:
        """Whether connections are kept away from real databases now."""
        return self._owner is not None

    def declare(self, aliases: Mapping[str, bool]) -> Layout:
        """Learn the aliases of the run (-> whether to serialize their content); make nothing.

        Raises DatabaseConfigurationError for a circle in DEPENDENCIES, and UnsafeDatabaseError
        where a test database would be a real one.
        """
        self._models.learn()
        layout = plan_layout(aliases, self._signatures)
        for database in layout.databases:
            refuse_real(database.alias, self.guard.is_real)
            self._declared.add(database.alias)
        self.serialized.declare(aliases)
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
            dirty = self._undeclared.among(used)
            discarded = bool(dirty) and not self._rewind(dirty)
            if discarded:
                self._discard(dirty[0])
            self._make_missing(layout, rebuilt=discarded)
            for database in layout.databases:
                rewound = self.baselines is not None and self.baselines.covers([database.alias])
                self.serialized.ensure(database, self._models, rewound=rewound)
            return layout

    def teardown(self, *, keepdb: bool | None = None) -> None:
        """Destroy the databases, or keep them if so asked; ``keepdb`` wins over ``keeping``."""
        keep = self.keeping.keepdb if keepdb is None else keepdb
        with self._lock, contextlib.ExitStack() as stack:
            for database in self._made.values():
                stack.callback(self._destroy, database, keepdb=keep)

    def unmarked(self) -> list[str]:
        """Return the aliases of databases that were made, but do not carry this run's mark."""
        return self._maker.unmarked(self._made)

    def remove_kept(self, aliases: Mapping[str, bool]) -> list[str]:
        """Drop what an earlier process of this project has left of the databases of ``aliases``;
        return the aliases of those that were there.
        """
        removed = []
        with self._lock:
            for database in self.declare(aliases).databases:
                with self.guard.admitting(database.alias):
                    if self._maker.remove_kept(database.alias, self._declared):
                        removed.append(database.alias)
        return removed

    def start(self) -> None:
        """Let no connection reach a real database from now on.

        Raises UnsafeDatabaseError where a connection is in a transaction.
        """
        self._signatures = signatures()
        self._models = KnownModels()
        self.guard.install()
        self._facts.install()
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
            stack.callback(self._facts.uninstall)
            stack.callback(self._restore)
            stack.callback(self._maker.release)
            self.teardown()

    def prune(self) -> list[str]:
        """Remove what killed runs of this project have left; return a line for each."""
        with self._lock:
            return prune(
                [alias for alias in connections if primary_of(alias) == alias],
                project=self.keeping.project,
                own=self.keeping.keepdb,
                is_real=self.guard.is_real,
            )

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """``start()`` before this block, ``stop()`` after it."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.stop)
            self.start()
            yield

    def _restore(self) -> None:
        self._durability.restore()
        self._mirrors.restore()
        self._names.restore()
        self._owner = None

    def _provide_undeclared(self, alias: str) -> None:
        """Make a database that code has opened, unless it exists."""
        with self._lock:
            self._make_missing(plan_layout([alias], self._signatures))

    def _note_undeclared(self, alias: str) -> None:
        """Remember the test that has used a database without declaring it."""
        if self._making or not self._undeclared.note(alias):
            self.guard.watched.add(alias)  # a migration, a check, or the project's own runner

    def _refuse_broken(self, connection: BaseDatabaseWrapper) -> None:
        if self.baselines is not None and self.baselines.broken:
            self.baselines.refuse(connection)

    def _is_made(self, database: TestDatabase) -> bool:
        """Whether the database exists, is being made, or was made by the project's runner."""
        alias = database.alias
        return alias in self._made or alias in self._making or alias in self._names.begun

    def _make_missing(self, layout: Layout, rebuilt: bool = False) -> None:
        """Make the databases that do not exist yet; take their baselines when all are there, as
        the migrations of one may write to another.
        """
        for database in layout.databases:
            if not self._is_made(database):
                self._make(database, rebuilt)
        if not self._making:
            self._finisher.finish()

    def _make(self, database: TestDatabase, rebuilt: bool = False) -> None:
        started = time.monotonic()
        self._before_making(database.alias)
        self._making.append(database.alias)
        try:
            with (
                explained(database.alias),
                self.guard.admitting(database.alias),
                self._models.alone(),
                self.time_keeper.timed(f"  Creating {database.alias!r}"),
            ):
                made = self._maker.make(database.alias, self._declared, anew=rebuilt)
        finally:
            self._making.pop()
        self._made[database.alias] = database
        if threading.get_ident() != self._owner:  # this thread may end
            self._keepers.keep(database.alias)
        self._finisher.add(database.alias, made, time.monotonic() - started)
        if self.debug_sql:
            for each in connections.all():
                each.force_debug_cursor = True

    def _create(self, alias: str, keepdb: bool, **steps: Callable[[], Any]) -> None:
        """Make a database in Django's way, with ``steps`` of our own (see TestNames)."""
        connection = connections[alias]
        test_settings = connection.settings_dict["TEST"]
        migrate = test_settings["MIGRATE"]
        test_settings["MIGRATE"] = migrate and self.migrate
        try:
            self._names.create(
                connection.creation,
                verbosity=self.verbosity,
                autoclobber=not self.interactive,
                keepdb=keepdb,
                **steps,
                **CREATE_TEST_DB_ARGUMENTS,
            )
        except BaseException:
            if alias in self._names.begun:
                self._destroy(TestDatabase((alias,)), keepdb=keepdb)
            raise
        finally:
            test_settings["MIGRATE"] = migrate

    def _rewind(self, dirty: list[str]) -> bool:
        """Put databases that undeclared use may have changed back to *start*, if they can be;
        return whether all were.
        """
        owners = {alias: made.alias for made in self._made.values() for alias in made.aliases}
        aliases = sorted({owners.get(alias, alias) for alias in dirty})
        if self.baselines is None or not self.baselines.covers(aliases):
            return False
        for alias in dirty:
            self._undeclared.tell(alias, "is rewound")
        self._undeclared.forget(dirty)
        self.baselines.rewind(aliases, START)
        return True

    def _discard(self, dirty: str) -> None:
        """Destroy all databases, of which ``dirty`` is needed as migrations leave it."""
        self._undeclared.tell(dirty, "is made anew")
        for database in reversed(list(self._made.values())):
            self._destroy(database, keepdb=False)
        self._undeclared.forget_all()

    def _destroy(self, database: TestDatabase, *, keepdb: bool) -> None:
        connection = connections[database.alias]
        self._made.pop(database.alias, None)
        self._keepers.release(database.alias)
        with explained(database.alias, "destroyed"), self.guard.admitting(database.alias):
            if self.baselines is not None:
                self.baselines.detach(database.alias, dropped=not keepdb)
            if not keepdb or in_memory(connection):
                self.guard.close_opened(database.alias)
                vendor_of(connection).end_sessions(connection)
            name = connection.settings_dict["NAME"]
            connection.creation.destroy_test_db(name, self.verbosity, keepdb)
            if not keepdb:
                self._maker.removed(database.alias)
        self._names.begun.discard(database.alias)
        self.serialized.drop(database)

    def _before_making(self, alias: str) -> None:
        refuse_real(alias, self.guard.is_real)
        self._durability.give_up(connections[alias])
