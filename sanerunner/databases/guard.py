"""Keeps every connection of a run away from the real databases.

While a guard is installed, a connection that would open a configured database asks for the
test database first, which is then made if there is none yet (Django opens the real one).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper

from ..exceptions import DatabaseInteractionError, UnsafeDatabaseError

Identity = tuple[str, str, str, str]


def identity(settings_dict: dict[str, Any]) -> Identity:
    """Return what tells one database from another: engine, host, port and name."""
    return (
        str(settings_dict["ENGINE"]),
        str(settings_dict["HOST"]),
        str(settings_dict["PORT"]),
        str(settings_dict["NAME"]),
    )


def in_memory(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database of ``connection`` exists only inside this process."""
    check: Callable[[], bool] | None = getattr(connection, "is_in_memory_db", None)
    return check is not None and check()


class ConnectionGuard:
    """Stands before ``connect()`` and ``cursor()`` of all connections, in all threads.

    ``provide(alias)`` is called before a connection opens a real database; after it the alias
    must name a test database, else the connection is refused.
    """

    def __init__(self, provide: Callable[[str], None]) -> None:
        self._provide = provide
        self._real: dict[Identity, str] = {}
        self._originals: dict[str, Callable[..., Any]] = {}
        self._admitted = threading.local()
        self._refused_by: str | None = None

    def install(self) -> None:
        """Begin: remember the real databases, close connections to them, stand guard."""
        for alias in connections:
            settings_dict = connections[alias].settings_dict
            self._real.setdefault(identity(settings_dict), alias)
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close()
        self._replace("connect", self._connect)
        self._replace("cursor", self._cursor)
        self._replace("chunked_cursor", self._cursor)

    def uninstall(self) -> None:
        """Take the guard away; connections behave as Django made them."""
        for name, original in self._originals.items():
            setattr(BaseDatabaseWrapper, name, original)
        self._originals.clear()

    @contextmanager
    def admitting(self, alias: str) -> Iterator[None]:
        """Let this thread open the real database of ``alias``: to create the test database
        beside it, or drop it.
        """
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
        try:
            yield
        finally:
            self._refused_by = before

    def is_real(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether opening ``connection`` now would open a configured, real database."""
        settings_dict = connection.settings_dict
        if connection.alias == NO_DB_ALIAS or identity(settings_dict) not in self._real:
            return False
        if in_memory(connection):  # any number of databases have this name
            return any(settings_dict is configured for configured in connections.settings.values())
        return True

    def _replace(self, name: str, check: Callable[..., Any]) -> None:
        original = getattr(BaseDatabaseWrapper, name)
        self._originals[name] = original

        def guarded(connection: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
            return check(original, connection, *args, **kwargs)

        guarded.__name__ = name
        guarded.__doc__ = original.__doc__
        setattr(BaseDatabaseWrapper, name, guarded)

    def _connect(self, original: Callable[..., Any], connection: BaseDatabaseWrapper) -> Any:
        if connection.alias == getattr(self._admitted, "alias", None):
            return original(connection)
        if self._refused_by:
            raise DatabaseInteractionError(
                f"{self._refused_by} declares no_database_interaction, "
                f"but opened a connection to database {connection.alias!r}."
            )
        if self.is_real(connection):
            self._make_safe(connection)
            if connection.connection is not None:  # opened while its database was made
                return None
        return original(connection)

    def _make_safe(self, connection: BaseDatabaseWrapper) -> None:
        alias = self._real[identity(connection.settings_dict)]
        if connection.alias in connections:
            alias = connection.alias
        self._provide(alias)
        # A copy of the connection has settings of its own.
        connection.settings_dict["NAME"] = connections[alias].settings_dict["NAME"]
        if self.is_real(connection):
            raise UnsafeDatabaseError(
                f"A connection to the real database {connection.settings_dict['NAME']!r} "
                f"(alias {alias!r}) was refused: there is no test database for it."
            )

    def _cursor(
        self,
        original: Callable[..., Any],
        connection: BaseDatabaseWrapper,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if self._refused_by:
            return RefusingCursor(self._refused_by, connection.alias)
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
