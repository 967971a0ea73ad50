"""Keeps every connection of a run away from the real databases.

While a guard is installed, a connection to a configured database asks for the test database
first, which is then made if there is none yet (Django opens the real one).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar
from weakref import WeakSet

from django.db import DatabaseError, connections
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper

from ..exceptions import DatabaseInteractionError, UnsafeDatabaseError
from .vendors import Identity, identity, in_memory, vendor_of

# What SimpleTestCase replaces on the connections that a class must not use.
BLOCKED_METHODS = ("connect", "temporary_connection", "cursor", "chunked_cursor")


class ConnectionGuard:
    """Stands before ``connect()`` and every cursor of all connections, in all threads.

    ``provide(alias)`` is called before a connection opens a configured database; after it there
    must be a test database, else the connection is refused. ``notice(alias)`` is called when a
    database in ``watched`` is used; it is watched no longer then. ``refuse(connection)`` is called
    before each cursor, and may raise.
    """

    _installed: ClassVar[list[ConnectionGuard]] = []

    def __init__(
        self,
        provide: Callable[[str], None],
        notice: Callable[[str], None] = lambda alias: None,
        refuse: Callable[[BaseDatabaseWrapper], None] = lambda connection: None,
    ) -> None:
        self.watched: set[str] = set()
        self._provide = provide
        self._notice = notice
        self._refuse = refuse
        self._real: set[Identity] = set()
        self._aliases: dict[Identity, list[str]] = {}  # of real and of test databases
        self._originals: dict[str, Callable[..., Any]] = {}
        self._admitted = threading.local()
        self._opened: WeakSet[BaseDatabaseWrapper] = WeakSet()
        self._nested = False
        self._refused_by: str | None = None

    def install(self) -> None:
        """Begin: remember the real databases, close connections to them, stand guard.

        Raises UnsafeDatabaseError where one of them is in a transaction.
        """
        self._nested = bool(self._installed)
        if not self._nested:  # else they are another run's, to its test databases
            self._close_connections()
        for alias in connections:
            if not in_memory(connections[alias]):
                self._real.add(identity(connections[alias]))
                self.announce(alias)
        self._installed.append(self)
        self._replace("connect", self._connect)
        self._replace("_cursor", self._cursor)

    def uninstall(self) -> None:
        """Take the guard away; connections behave as Django made them."""
        for name, original in self._originals.items():
            setattr(BaseDatabaseWrapper, name, original)
        self._originals.clear()
        if self in self._installed:
            self._installed.remove(self)

    def ask(self, provide: Callable[[str], None], notice: Callable[[str], None]) -> None:
        """From now on call these instead: in a process that has databases of its own."""
        self._provide = provide
        self._notice = notice

    def announce(self, alias: str) -> None:
        """Ask for the database of ``alias`` before one of the name it has now is opened."""
        aliases = self._aliases.setdefault(identity(connections[alias]), [])
        if alias not in aliases:
            aliases.append(alias)

    @contextmanager
    def admitting(self, alias: str) -> Iterator[None]:
        """Let this thread make or drop the test database of ``alias``."""
        before = getattr(self._admitted, "alias", None)
        self._admitted.alias = alias
        try:
            yield
        finally:
            self._admitted.alias = before

    @contextmanager
    def refusing(self, test_name: str) -> Iterator[None]:
        """Make any use of a database, by any thread, an error that names the test."""
        before, self._refused_by = self._refused_by, test_name
        # SimpleTestCase has put its own refusals, which know neither test nor SQL, on these.
        kept = []
        for connection in connections.all():
            own = {name: vars(connection).pop(name, None) for name in BLOCKED_METHODS}
            vars(connection)["ensure_connection"] = self._refusal_to_connect(connection.alias)
            kept.append((connection, own))
        try:
            yield
        finally:
            for connection, own in kept:
                del vars(connection)["ensure_connection"]
                vars(connection).update({name: own[name] for name in own if own[name]})
            self._refused_by = before

    def _refusal_to_connect(self, alias: str) -> Callable[[], None]:
        message = (
            f"{self._refused_by} declares no_database_interaction, "
            f"but opened a connection to database {alias!r}."
        )

        def refuse() -> None:
            raise DatabaseInteractionError(message)

        return refuse

    def is_real(self, connection: BaseDatabaseWrapper, name: str | None = None) -> bool:
        """Whether opening ``connection`` now, or ``name`` over it, would open a configured, real
        database.
        """
        found = identity(connection)
        if name is not None:
            return (*found[:3], name) in self._real
        return not in_memory(connection) and found in self._real

    def close_opened(self, alias: str) -> None:
        """Close what connections there are to the database of ``alias``, in all threads.

        Those that a living thread may be using are left, save with SQLite, which allows it.
        """
        own = connections[alias]
        alive = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
        for connection in list(self._opened):
            in_use = (
                vars(connection)["_thread_ident"] in alive
                and not vendor_of(connection).closes_across_threads
            )
            if identity(connection) == identity(own) and not in_use:
                connection.inc_thread_sharing()
                with suppress(DatabaseError):  # MySQL's driver: it was closed behind Django's back
                    BaseDatabaseWrapper.close(connection)  # SQLite's leaves it open
                connection.dec_thread_sharing()

    def _close_connections(self) -> None:
        """Close this thread's connections; others are closed when they are used next."""
        own = connections.all(initialized_only=True)
        for connection in own:
            if connection.in_atomic_block:
                raise UnsafeDatabaseError(
                    f"The connection to database {connection.alias!r} is in a transaction: "
                    "end it before tests are run."
                )
        for connection in own:
            BaseDatabaseWrapper.close(connection)  # SQLite's leaves those in memory open
        for connection in connections.all():
            close_pool = getattr(connection, "close_pool", None)  # PostgreSQL: of all threads
            if close_pool is not None:
                close_pool()

    def _replace(self, name: str, check: Callable[..., Any]) -> None:
        original = getattr(BaseDatabaseWrapper, name)
        self._originals[name] = original

        def guarded(connection: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
            return check(original, connection, *args, **kwargs)

        guarded.__name__ = name
        guarded.__doc__ = original.__doc__
        setattr(BaseDatabaseWrapper, name, guarded)

    def _connect(self, original: Callable[..., Any], connection: BaseDatabaseWrapper) -> None:
        before = connection.connection
        admitted = getattr(self._admitted, "alias", None)
        if admitted is not None and connection.alias in (admitted, NO_DB_ALIAS):
            self._refuse_real(connection, settings=connections.settings[admitted])
        elif self._refused_by:
            self._refusal_to_connect(connection.alias)()
        else:
            self._redirect(connection)
            self._refuse_real(connection)
        self._opened.add(connection)  # opening it sends queries
        if connection.connection is before:  # else the making of the database has opened it
            original(connection)

    def _redirect(self, connection: BaseDatabaseWrapper) -> None:
        """Point a connection to a configured database at the test database."""
        aliases = self._aliases.get(identity(connection))
        if not aliases or connection.alias == NO_DB_ALIAS:
            return
        alias = connection.alias if connection.alias in aliases else aliases[0]
        self._use(alias)
        self._provide(alias)
        # A copy of the connection has settings of its own, and a mirror's server is another.
        keys = ["NAME"]
        if connections.settings[alias]["TEST"]["MIRROR"]:
            keys += ["HOST", "PORT", "USER", "PASSWORD"]
        for key in keys:
            connection.settings_dict[key] = connections[alias].settings_dict[key]

    def _refuse_real(
        self, connection: BaseDatabaseWrapper, settings: dict[str, Any] | None = None
    ) -> None:
        """Raise UnsafeDatabaseError if ``connection`` is to a real database (and, if
        ``settings`` are given, has these very settings, not a copy of them made to get at the
        server).
        """
        settings_dict = connection.settings_dict
        if self.is_real(connection) and (settings is None or settings is settings_dict):
            raise UnsafeDatabaseError(
                f"A connection to the real database {identity(connection)[-1]!r} "
                f"(alias {connection.alias!r}) was refused."
            )

    def _use(self, alias: str) -> None:
        if alias in self.watched:
            self.watched.discard(alias)
            self._notice(alias)

    def _reopen(self, connection: BaseDatabaseWrapper) -> None:
        """Close a connection that was opened before the run, so that it opens anew."""
        if not self._nested:
            if connection.in_atomic_block:
                self._refuse_real(connection)
            BaseDatabaseWrapper.close(connection)

    def _cursor(
        self,
        original: Callable[..., Any],
        connection: BaseDatabaseWrapper,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if self._refused_by:
            return RefusingCursor(self._refused_by, connection.alias)
        self._refuse(connection)
        if connection.alias in self.watched and connection is connections[connection.alias]:
            self._use(connection.alias)
        session = vars(connection).get("_primary", connection)  # a mirror's is its primary's
        if session.connection is not None and session not in self._opened:
            self._reopen(session)
        return original(connection, *args, **kwargs)


class RefusingCursor:
    """A cursor that raises, with the SQL in the message, whatever it is asked to execute."""

    def __init__(self, test_name: str, alias: str) -> None:
        self._test_name = test_name
        self._alias = alias

    def __enter__(self) -> RefusingCursor:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """There is nothing to close."""

    def close(self) -> None:
        """There is nothing to close."""

    def execute(self, sql: str, params: Any = None) -> None:
        raise DatabaseInteractionError(
            f"{self._test_name} declares no_database_interaction, "
            f"but sent this to database {self._alias!r}: {sql}"
        )

    def executemany(self, sql: str, param_list: Any) -> None:
        self.execute(sql)

    def callproc(self, procname: str, params: Any = None, kparams: Any = None) -> None:
        self.execute(f"CALL {procname}")
