"""A connection of our own to a PostgreSQL test database, over psycopg 3 or psycopg2."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..vendors import identity

INSUFFICIENT_PRIVILEGE = "42501"
LOCK_NOT_AVAILABLE = "55P03"
UNDEFINED_TABLE = "42P01"

Row = tuple[Any, ...]
#: The driver's number for a query that has returned rows.
TUPLES_OK = 2

# What roles or the database may have set, and what would get in the way here.
_NEUTRAL = """
SET client_min_messages = 'error'; SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0; SET synchronous_commit = off;
SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed';
SET row_security = off; SET sanerunner.own = 'on'
"""


class Session:
    """A session in autocommit, apart from Django's; ``settings`` is SQL that it begins with.

    It is opened now, or, if it is ``lazy``, when it is first used.
    """

    def __init__(self, wrapper: BaseDatabaseWrapper, settings: str, *, lazy: bool = False) -> None:
        database: Any = wrapper.Database  # type: ignore[attr-defined]  # that of this vendor
        # psycopg2 gives the last of several results only, psycopg 3 all in turn.
        self._multiple = not hasattr(database, "extensions")
        parameters = wrapper.get_connection_params()
        parameters.pop("cursor_factory", None)
        if self._multiple:
            parameters.update(cursor_factory=database.ClientCursor, prepare_threshold=None)
        self.error: type[Exception] = database.Error
        self._connect = partial(database.connect, **parameters)
        self._connection: Any = None
        self._prepared: dict[str, str] = {}  # statement -> name
        self._names = 0
        #: How many rows each statement of the last call touched; empty where that is not known.
        self.counts: list[int] = []
        role = wrapper.settings_dict["OPTIONS"].get("assume_role")
        begin = f"SET ROLE {wrapper.ops.quote_name(role)};" if role else ""
        self._begin = f"{begin} {_NEUTRAL}; {settings}"
        if not lazy:
            self._open()

    def _open(self) -> None:
        self._connection = self._connect()
        self._connection.autocommit = True
        self._cursor = self._connection.cursor()
        self.rows(self._begin)

    @property
    def closed(self) -> bool:
        return self._connection is not None and bool(self._connection.closed)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return int(self._connection.fileno())

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Execute ``sql``; return the rows of its last statement.

        Several statements, separated by semicolons, are one transaction.
        """
        if self._connection is None:
            self._open()
        cursor = self._cursor
        cursor.execute(sql, parameters or None)
        self.counts = [cursor.rowcount] if self._multiple else []
        while self._multiple and cursor.nextset():
            self.counts.append(cursor.rowcount)
        return cursor.fetchall() if cursor.description else []

    def numbers(self, sql: str) -> list[tuple[int, ...]]:
        """Execute a query of whole numbers; return its rows.

        The same as ``rows()``, without what the driver does around it.
        """
        if not self._multiple or self._connection is None:
            return self.rows(sql)
        result = self._connection.pgconn.exec_(sql.encode())
        if result.status != TUPLES_OK:
            return self.rows(sql)  # which raises the error, unless it has gone
        columns = range(result.nfields)
        return [
            tuple(int(result.get_value(row, column)) for column in columns)
            for row in range(result.ntuples)
        ]

    @cached_property
    def database(self) -> int:
        """The OID of the database."""
        sql = "SELECT oid::int8 FROM pg_database WHERE datname = current_database()"
        return int(self.rows(sql)[0][0])

    def prepare(self, statement: str, parameters: str = "") -> tuple[str, list[str]]:
        """Return the name of a prepared statement; and the SQL that prepares it, none if that
        has been done. ``parameters`` are their types, in brackets.
        """
        name = self._prepared.get(statement)
        if name is not None:
            return name, []
        self._names += 1
        name = self._prepared[statement] = f"sane_{self._names}"
        return name, [f"PREPARE {name}{parameters} AS {statement}"]

    def prepared_name(self, statement: str) -> str:
        """Prepare a statement unless that has been done; return its name."""
        name, preparing = self.prepare(statement)
        if preparing:
            try:
                self.rows(preparing[0])
            except self.error:
                del self._prepared[statement]
                raise
        return name

    def forget_prepared(self) -> None:
        """Forget all statements that were prepared."""
        self._prepared.clear()
        if not self.closed:
            with suppress(self.error):  # whatever comes next tells that the session is lost
                self.rows("DEALLOCATE ALL")

    @property
    def counting(self) -> bool:
        """Whether ``counts`` are known."""
        return self._multiple

    @property
    def prepared(self) -> int:
        """How many statements are prepared."""
        return len(self._prepared)

    @contextmanager
    def transaction(self, mode: str = "") -> Iterator[None]:
        """Make one transaction of several calls."""
        self.rows(f"BEGIN {mode}")
        try:
            yield
        except BaseException:
            if not self.closed:
                self.rows("ROLLBACK")
            raise
        self.rows("COMMIT")

    def copy_out(self, source: str) -> bytes:
        """Return the rows of ``source`` (a table with its columns, or a query in brackets)."""
        sql = f"COPY {source} TO STDOUT"
        if self._multiple:
            with self._cursor.copy(sql) as copy:
                return b"".join(copy)
        buffer = io.BytesIO()
        self._cursor.copy_expert(sql, buffer)
        return buffer.getvalue()

    def copy_in(self, target: str, rows: bytes) -> None:
        """Add rows that ``copy_out()`` returned to ``target``, a table with its columns."""
        sql = f"COPY {target} FROM STDIN"
        if self._multiple:
            with self._cursor.copy(sql) as copy:
                copy.write(rows)
        else:
            self._cursor.copy_expert(sql, io.BytesIO(rows))


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of an error of the driver, or of Django around one; "" if none."""
    cause = error.__cause__ if error.__cause__ is not None else error
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return str(code or getattr(error, "sqlstate", None) or "")


def django_sessions(wrapper: BaseDatabaseWrapper) -> list[BaseDatabaseWrapper]:
    """Return this thread's wrappers that have a session open to the database of ``wrapper``."""
    same = identity(wrapper)
    others = [
        other
        for other in connections.all(initialized_only=True)
        if other is not wrapper and identity(other) == same
    ]
    return [each for each in (wrapper, *others) if each.connection is not None]


def close_django(wrapper: BaseDatabaseWrapper, pids: Sequence[int] | None = None) -> list[int]:
    """Close this thread's sessions to the database (those of ``pids``); return their ids.

    Also out of an atomic block: Django opens a new one when it is used next.
    """
    closed = []
    for each in django_sessions(wrapper):
        session: Any = each.connection
        if session is None:  # a mirror shares the session of its primary
            continue
        pid = 0 if session.closed else session.info.backend_pid
        if pids is not None and pid not in pids:
            continue
        closed.append(pid)
        each.close()
        if each.in_atomic_block:
            session.close()
            each.connection = None
            each.in_atomic_block = each.closed_in_transaction = each.needs_rollback = False
    close_pool = getattr(wrapper, "close_pool", None)
    if pids is None and close_pool is not None:
        close_pool()
    return closed
