"""The sessions in a SQLite database: there is no server that could end those of a test.

Django's own connections can be rolled back and closed from here. One that code has opened by
itself, or of another process, cannot: it keeps the database that it has opened, and the tests
go on with a copy in its place.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from ..operations import LeakedSession
from .store import remove

_numbers = itertools.count(1)


class Sessions:
    """Django's connections, of all threads, to the database of ``connection``."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._known: weakref.WeakSet[BaseDatabaseWrapper] = weakref.WeakSet([connection])

    @property
    def name(self) -> str:
        return str(self._connection.settings_dict["NAME"])

    def open(self) -> None:
        self._known.update(connections.all(initialized_only=True))
        connection_created.connect(self._remember)

    def close(self) -> None:
        connection_created.disconnect(self._remember)

    def _remember(self, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        if str(connection.settings_dict["NAME"]) == self.name:
            self._known.add(connection)

    def _opened(self) -> Iterator[BaseDatabaseWrapper]:
        for wrapper in list(self._known):
            if wrapper.connection is not None and str(wrapper.settings_dict["NAME"]) == self.name:
                yield wrapper

    def roll_back(self) -> tuple[LeakedSession, ...]:
        """End the transactions that Django's connections are in; they stay open."""
        leaked = []
        for wrapper in self._opened():
            try:
                if wrapper.connection.in_transaction:
                    wrapper.connection.rollback()
                    _leave_transaction(wrapper)
                    leaked.append(LeakedSession(self.name))
            except sqlite3.ProgrammingError:  # closed, in a transaction that Django is still in
                continue
        return tuple(leaked)

    def close_all(self) -> None:
        """Close Django's connections, and with them the cursors that were not read to the end."""
        for wrapper in self._opened():
            wrapper.inc_thread_sharing()
            try:
                BaseDatabaseWrapper.close(wrapper)  # that of SQLite leaves those in memory open
            finally:
                wrapper.dec_thread_sharing()

    def rename(self, name: str) -> None:
        """Have Django open the database ``name`` from now on."""
        before = self.name
        for wrapper in list(self._known):
            if str(wrapper.settings_dict["NAME"]) == before:
                wrapper.settings_dict["NAME"] = name


def _leave_transaction(wrapper: Any) -> None:
    """Let Django know that its connection is in no transaction: as if it had opened it anew."""
    wrapper.in_atomic_block = wrapper.needs_rollback = wrapper.closed_in_transaction = False
    wrapper.savepoint_ids, wrapper.atomic_blocks, wrapper.run_on_commit = [], [], []
    wrapper.autocommit = wrapper.settings_dict["AUTOCOMMIT"]
    wrapper.connection.isolation_level = None if wrapper.autocommit else ""


def replace_file(path: Path, image: sqlite3.Connection) -> None:
    """Put a new file with the content of ``image`` where sessions have another one open."""
    new = path.with_name(f"{path.name}.sane-new")
    remove(new)
    with closing(sqlite3.connect(new)) as target:
        image.backup(target)
    if path.exists():  # else a test has removed it
        shutil.copymode(path, new)
    for suffix in ("-journal", "-wal", "-shm"):  # else they would be applied to the new file
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    os.replace(new, path)


def fresh_name(name: str) -> str:
    """Return the name of another database in memory, made from ``name``."""
    base, _, parameters = name.partition("?")
    base = base.partition("~")[0]
    return f"{base}~{next(_numbers)}?{parameters}"
