"""Whole SQLite databases as bytes, and back."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

LOCK_SECONDS = 0.3  # for which a commit in another thread or process is waited for
_BUSY = (5, 6)  # SQLITE_BUSY, SQLITE_LOCKED
_VERSIONS_IN_HEADER = slice(18, 20)


def read_image(connection: sqlite3.Connection, database: str) -> bytes:
    """Return the pages of the attached ``database``, as if it were a file."""
    serialize: Any = getattr(connection, "serialize", None)  # since Python 3.11
    if serialize is not None:
        pages = bytearray(serialize(name=database))
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image"
            with closing(sqlite3.connect(path)) as target:
                copy_into(connection, target, name=database)
            pages = bytearray(path.read_bytes())
    if pages:
        pages[_VERSIONS_IN_HEADER] = b"\x01\x01"  # no write-ahead log in memory
    return bytes(pages)


def load_image(pages: bytes) -> sqlite3.Connection:
    """Return a connection to a database in memory that has these ``pages``."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    deserialize: Any = getattr(connection, "deserialize", None)
    if not pages:
        return connection
    if deserialize is not None:
        deserialize(pages)
        return connection
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image"
        path.write_bytes(pages)
        with closing(sqlite3.connect(path)) as source:
            source.backup(connection)
    return connection


def copy_into(source: sqlite3.Connection, target: sqlite3.Connection, name: str = "main") -> None:
    """Replace the content of ``target``, page by page, by that of ``name`` in ``source``.

    Raises OperationalError if another session has a lock that it does not give up.
    """
    deadline = time.monotonic() + LOCK_SECONDS

    def progress(status: int, remaining: int, total: int) -> None:
        if status in _BUSY and time.monotonic() > deadline:  # else it would try for ever
            raise sqlite3.OperationalError("database is locked")

    source.backup(target, progress=progress, name=name, sleep=0.01)
