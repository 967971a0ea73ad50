"""A database in memory, used by several threads over the one session that a thread has open.

With sessions of their own threads would be refused each other's tables at once: SQLite's shared
cache knows no waiting. With one wrapper for all, as Django's live server has it, a transaction of
one thread would take in what others write. Here each thread has a wrapper, with a state of its
own, and they take turns: a turn is a statement with its rows, or a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import SQLiteCursorWrapper

from ..renewal import forget_session
from ..vendors import SharedSession
from .turns import Turn

_TIMEOUT = 5.0  # seconds, that of Python's driver

_HOOKS = (
    "create_cursor",
    "_commit",
    "_rollback",
    "_set_autocommit",
    "get_new_connection",
    "close",
)


class MemorySession(SharedSession):
    """See SharedSession."""

    def __init__(self, owner: BaseDatabaseWrapper, check: Callable[[], None]) -> None:
        self._owner: Any = owner
        self._check = check
        self._turn = Turn()
        self._timeout = float(owner.settings_dict["OPTIONS"].get("timeout", _TIMEOUT))
        self._borrowers: list[Any] = []
        self._replaced: list[tuple[Any, dict[str, Any]]] = []  # hooks of wrappers, before ours

    def admit(self, wrapper: BaseDatabaseWrapper) -> None:
        self._take_turns(wrapper)

    def lend(self, wrapper: BaseDatabaseWrapper) -> None:
        borrower: Any = wrapper
        self._take_turns(borrower)
        borrower.get_new_connection = self._borrow
        borrower.close = partial(self._end_request, borrower)
        self._borrowers.append(borrower)

    def end(self) -> None:
        if self._turn.holder is not None and not self._turn.is_mine:
            if _is_in_use(self._owner.connection):
                self._owner.connection.interrupt()
                _leave_transaction(self._owner.connection)
            self._turn.take_away()
        for borrower in self._borrowers:
            forget_session(borrower)
        for wrapper, before in reversed(self._replaced):
            for name in _HOOKS:
                vars(wrapper).pop(name, None)
            vars(wrapper).update(before)
        self._borrowers.clear()
        self._replaced.clear()

    def _take_turns(self, wrapper: Any) -> None:
        own = vars(wrapper)
        self._replaced.append((wrapper, {name: own[name] for name in _HOOKS if name in own}))
        wrapper.create_cursor = partial(self._create_cursor, wrapper)
        wrapper._commit = partial(self._in_turn, wrapper, "_commit")
        wrapper._set_autocommit = partial(self._in_turn, wrapper, "_set_autocommit")
        wrapper._rollback = partial(self._roll_back, wrapper)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The block is this thread's turn, which lasts as long as a transaction is open."""
        self._check()
        if not self._turn.take(self._timeout):
            raise OperationalError(
                "database is locked: another thread has been in a transaction for "
                f"{self._timeout:g} seconds. In a database in memory all threads take turns: a "
                "test that waits for a request must not be in a transaction."
            )
        try:
            self._check()  # it may have been a long wait
            yield
        finally:
            if not _is_in_use(self._owner.connection):
                self._turn.pass_on()

    def _in_turn(self, wrapper: Any, name: str, *args: Any) -> Any:
        with self.turn():
            return getattr(type(wrapper), name)(wrapper, *args)

    def _roll_back(self, wrapper: Any) -> None:
        if self._turn.is_mine:  # else its transaction is no more
            self._in_turn(wrapper, "_rollback")

    def _create_cursor(self, wrapper: Any, name: str | None = None) -> Any:
        return wrapper.connection.cursor(factory=partial(_ReadCursor, session=self))

    def _borrow(self, parameters: Any) -> sqlite3.Connection:
        with self.turn():
            self._owner.ensure_connection()
            session: sqlite3.Connection = self._owner.connection
            return session

    def _end_request(self, borrower: Any) -> None:
        """Django closes the connection: what would that end, must end, and no more."""
        if self._turn.is_mine and borrower.connection is not None:
            _leave_transaction(borrower.connection)
            self._turn.pass_on()
            forget_session(borrower)


class _ReadCursor(SQLiteCursorWrapper):
    """Reads all rows while it is this thread's turn."""

    def __init__(self, connection: sqlite3.Connection, *, session: MemorySession) -> None:
        super().__init__(connection)
        self._session = session
        self._rows: Iterator[Any] = iter(())

    def execute(self, query: Any, params: Any = None) -> Any:
        with self._session.turn():
            found = super().execute(query, params)
            self._rows = iter(super().fetchall() if self.description else ())
        return found

    def executemany(self, query: Any, param_list: Any) -> Any:
        with self._session.turn():
            return super().executemany(query, param_list)

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return next(self._rows)

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        wanted = self.arraysize if size is None else size
        return [row for _, row in zip(range(wanted), self._rows, strict=False)]

    def fetchall(self) -> list[Any]:
        return list(self._rows)


def _is_in_use(session: sqlite3.Connection | None) -> bool:
    """Whether a transaction is open, or the driver would open one: autocommit was turned off."""
    try:
        return session is not None and (
            session.in_transaction or session.isolation_level is not None
        )
    except sqlite3.ProgrammingError:  # it was closed behind Django's back
        return False


def _leave_transaction(session: sqlite3.Connection) -> None:
    session.rollback()
    session.isolation_level = None
