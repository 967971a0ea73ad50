"""The control connection: a session apart from Django's, with the test database attached."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from ...exceptions import DatabaseConfigurationError
from .image import LOCK_SECONDS, copy_into
from .schema import Table, quote


class Control:
    """Attaches a database as ``tested`` and reads, locks and writes it.

    ``path`` is None for a database in memory. Nothing that it writes fires a trigger, checks a
    constraint or cascades.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        # A wrapper of its own runs the receivers of connection_created, which may register
        # functions and collations that indexes need.
        self._wrapper = connection.copy()
        self._wrapper.settings_dict["NAME"] = ":memory:"
        self._wrapper.inc_thread_sharing()
        self.name = ""
        self.path: Path | None = None
        self._file: os.stat_result | None = None

    def open(self, name: str) -> None:
        """Connect, and attach the database ``name``, as the NAME in the settings has it."""
        self._wrapper.connect()
        self.raw: sqlite3.Connection = self._wrapper.connection
        for pragma in ("foreign_keys = OFF", "ignore_check_constraints = ON"):
            self.all(f"PRAGMA {pragma}")
        self.all(f"PRAGMA busy_timeout = {int(LOCK_SECONDS * 1000)}")
        setconfig: Any = getattr(self.raw, "setconfig", None)  # since Python 3.12
        self._triggers_off = setconfig is not None
        if setconfig is not None:
            setconfig(getattr(sqlite3, "SQLITE_DBCONFIG_ENABLE_TRIGGER"), False)  # noqa: B009
        self.attach(name)

    def close(self) -> None:
        BaseDatabaseWrapper.close(self._wrapper)

    def attach(self, name: str) -> None:
        self.all("ATTACH ? AS tested", name)
        self.all("PRAGMA tested.synchronous = OFF")
        path = next(row[2] for row in self.all("PRAGMA database_list") if row[1] == "tested")
        self.name, self.path = name, Path(path) if path else None
        self._file = self.path.stat() if self.path else None
        if self.path is None:
            if "cache=shared" not in name:
                raise DatabaseConfigurationError(
                    f"The SQLite database {name!r} of alias {self._wrapper.alias!r} is private "
                    'to one connection; name it like "file:test?mode=memory&cache=shared".'
                )
            # SQLite locks each table that is read, which costs more than the reading. Not
            # needed here: the write lock is taken before.
            self.all("PRAGMA read_uncommitted = ON")

    def detach(self) -> None:
        self.all("DETACH tested")

    def all(self, sql: str, *parameters: Any) -> list[Any]:
        return self.raw.execute(sql, parameters).fetchall()

    def pragma(self, name: str) -> Any:
        return self.all(f"PRAGMA tested.{name}")[0][0]

    def journal_mode(self) -> str:
        try:
            return str(self.pragma("journal_mode"))
        except sqlite3.DatabaseError:  # the file is damaged
            return "delete"

    def file_is_gone(self) -> bool:
        """Whether another file, or none, is where the attached one was."""
        if self.path is None or self._file is None:
            return False
        try:
            return not os.path.samestat(self.path.stat(), self._file)
        except FileNotFoundError:
            return True

    def begin(self) -> None:
        """Take the write lock: then nobody is in a transaction that has written."""
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                self.all("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                # In memory SQLite does not wait by itself.
                if self.path or not is_lock(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.005)

    @contextmanager
    def transaction(self, begin: str) -> Iterator[None]:
        self.all(begin)
        try:
            yield
        except BaseException:
            self.raw.rollback()
            raise
        self.raw.commit()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See the database as it is committed. In memory the write lock makes sure of that."""
        with self.locks_told(), self.transaction("BEGIN" if self.path else "BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def locks_told(self) -> Iterator[None]:
        """Say in words why SQLite cannot read what another session is writing."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if not is_lock(error):
                raise
            message = f"A session in database {self.name!r} is in a transaction: {error}"
            raise OperationalError(message) from error

    def rows(self, table: Table) -> list[Any]:
        """Return all rows, each value with its storage class, in an order of their own."""
        names = [table.alias] if table.alias else []
        names += [column.name for column in table.columns]
        # A plain column would be converted as its type says; text may be no UTF-8.
        values = ", ".join(f"typeof({name}), +{name}" for name in names) or "NULL"
        self.raw.text_factory = bytes
        try:
            return sorted(self.all(f"SELECT {values} FROM {table.target}"), key=repr)
        finally:
            self.raw.text_factory = str

    def restore(self, image: sqlite3.Connection) -> None:
        """Copy the pages of ``image`` over the database."""
        with closing(sqlite3.connect(self.name, uri=True)) as target:
            copy_into(image, target)

    @contextmanager
    def without_triggers(self, tables: Sequence[Table]) -> Iterator[None]:
        """Triggers are not to fire: before Python 3.12 they have to be dropped for a moment."""
        triggers = [] if self._triggers_off else [each for t in tables for each in t.triggers]
        for name, _ in triggers:
            self.all(f"DROP TRIGGER tested.{quote(name)}")
        yield
        for _, sql in triggers:
            self.all(sql.replace("CREATE TRIGGER ", "CREATE TRIGGER tested.", 1))


def is_lock(error: sqlite3.DatabaseError) -> bool:
    """Whether it is another session that is in the way."""
    return "locked" in str(error)
