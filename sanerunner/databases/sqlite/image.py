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
_NO_LOG = b"\x01\x01"


def read_image(connection: sqlite3.Connection, database: str) -> bytes:
    """Return the pages of the attached ``database``, for a database in memory."""
    pages = read_pages(connection, database)
    return _without_log(pages) if pages else pages


def _without_log(pages: bytes) -> bytes:
    """Return pages whose header has no write-ahead log, which there cannot be in memory."""
    if pages[_VERSIONS_IN_HEADER] == _NO_LOG:
        return pages
    return pages[: _VERSIONS_IN_HEADER.start] + _NO_LOG + pages[_VERSIONS_IN_HEADER.stop :]


def read_pages(connection: sqlite3.Connection, database: str) -> bytes:
    """Return the pages of the attached ``database``, as if it were a file."""
    if not connection.execute(f"PRAGMA {database}.page_count").fetchone()[0]:
        return b""  # nothing was ever written to it, which serialize() takes for an error
    serialize: Any = getattr(connection, "serialize", None)  # since Python 3.11
    if serialize is not None:
        return bytes(serialize(name=database))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image"
        with closing(sqlite3.connect(path)) as target:
            copy_into(connection, target, name=database)
        return path.read_bytes()


def load_image(pages: bytes) -> sqlite3.Connection:
    """Return a connection to a database in memory that has these ``pages``."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    deserialize: Any = getattr(connection, "deserialize", None)
    if not pages:
        return connection
    pages = _without_log(pages)
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
