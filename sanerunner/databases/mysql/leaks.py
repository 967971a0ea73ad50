"""Other sessions of a MySQL or MariaDB database that hold a transaction or a lock: ended."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ..operations import LeakedSession
from .control import BLOCKED, Control, error_code, quote

PATIENCE = 0.25  # seconds: for another session to finish by itself
END_WAIT = 5.0  # seconds: for a session that was ended to be gone, its work rolled back
POLL = 0.01  # seconds

_NO_SUCH_THREAD = 1094


class Leaks:
    """Ends what a test has left open. ``connection``, Django's, is closed if it was that."""

    def __init__(self, control: Control, connection: BaseDatabaseWrapper) -> None:
        self._control = control
        self._connection: Any = connection

    def end_transactions(
        self, active: Collection[int], tables: Iterable[str]
    ) -> tuple[LeakedSession, ...]:
        """End those sessions of ``active`` that are still in a transaction after a moment, in
        which another thread may finish.
        """
        suspects = set(active)
        deadline = time.monotonic() + PATIENCE
        while suspects - {self._own_id()} and time.monotonic() < deadline:
            time.sleep(POLL)
            suspects &= self._control.activity()[1]
        return self._end(suspects, self.locked_tables(tables) if suspects else ())

    def using(self, active: Collection[int]) -> tuple[frozenset[int], bool]:
        """Return those of ``active`` that use this database, and whether there may be more: a
        session that uses none by default may have named this one in its statements.
        """
        if not active:
            return frozenset(), False
        rows = self._control.rows(
            "SELECT id, db FROM information_schema.processlist"
            f" WHERE id IN ({', '.join(map(str, active))}) AND (db IS NULL OR db = DATABASE())"
        )
        ours = frozenset(int(number) for number, database in rows if database is not None)
        return ours, len(rows) > len(ours)

    def end_table_locks(self) -> tuple[LeakedSession, ...]:
        """End sessions until no LOCK TABLES is in force; who holds one cannot be asked."""
        ended: list[LeakedSession] = []
        tables = self._tables_in_use()
        deadline = time.monotonic() + PATIENCE
        while tables and time.monotonic() < deadline:
            time.sleep(POLL)
            tables = self._tables_in_use()
        for session in self._by_suspicion() if tables else ():
            ended += self._end([session], tables)
            tables = self._tables_in_use()
            if not tables:
                break
        return tuple(ended)

    def end_blockers(self, tables: Iterable[str], *, patient: bool) -> tuple[LeakedSession, ...]:
        """End every other session of this database: something had to wait for one.

        If ``patient``, only if tables are still locked after a moment.
        """
        tables = list(tables)
        locked = self.locked_tables(tables)
        deadline = time.monotonic() + PATIENCE
        while patient and locked and time.monotonic() < deadline:
            time.sleep(POLL)
            locked = self.locked_tables(locked)
        if patient and not locked:
            return ()
        return self._end(self._sessions(), locked)

    def locked_tables(self, tables: Iterable[str]) -> tuple[str, ...]:
        """Return those of ``tables`` that another session has locked, or rows of them."""
        nowait = "LOCK IN SHARE MODE NOWAIT" if self._control.mariadb else "FOR SHARE NOWAIT"
        locked = []
        for table in sorted(tables):
            try:
                self._control.run(f"SELECT COUNT(*) FROM {quote(table)} USE INDEX () {nowait}")
            except self._control.Error as error:
                if error_code(error) in BLOCKED:  # a table that is gone is not locked
                    locked.append(table)
        return tuple(locked)

    def _sessions(self) -> set[int]:
        rows = self._control.rows(
            "SELECT id FROM information_schema.processlist"
            " WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        )
        return {int(number) for (number,) in rows}

    def _by_suspicion(self) -> list[int]:
        """Return the other sessions, Django's own last: closing that one costs the most."""
        return sorted(self._sessions(), key=lambda session: session == self._own_id())

    def _tables_in_use(self) -> tuple[str, ...]:
        database = quote(self._control.database)
        rows = self._control.rows(f"SHOW OPEN TABLES FROM {database} WHERE In_use > 0")
        return tuple(sorted(row[1] for row in rows))

    def _own_id(self) -> int:
        """Return the id of the session of Django's connection; 0 if it has none."""
        session = self._connection.connection
        return int(session.thread_id()) if session is not None else 0

    def _end(
        self, sessions: Collection[int], tables: tuple[str, ...]
    ) -> tuple[LeakedSession, ...]:
        for session in sessions:
            try:
                self._control.run(f"KILL {session}")
            except self._control.Error as error:
                if error_code(error) != _NO_SUCH_THREAD:
                    raise
        if self._own_id() in sessions:
            self._connection.close()
        deadline = time.monotonic() + END_WAIT
        while self._sessions() & set(sessions) and time.monotonic() < deadline:
            time.sleep(POLL)
        return tuple(LeakedSession(str(session), tables) for session in sorted(sessions))
