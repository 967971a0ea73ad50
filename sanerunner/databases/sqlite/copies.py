"""Copies of SQLite databases: of files with what is kept beside them, and of memory to files."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper

from ..copies import Copies, ImageError
from ..vendors import identity, in_memory
from . import path_of
from .image import copy_into, load_image, read_pages
from .store import remove


class SQLiteCopies(Copies):
    """A clone of a database in memory is a file, which ``load_image()`` takes: there is no other
    way into another process.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._pages = self._beside = b""

    @contextmanager
    def cloning(self) -> Iterator[Callable[[str], None]]:
        """The pages are read once: writing them is faster than SQLite's own copying."""
        self._pages = _read(self._name)
        self._beside = b""
        if not in_memory(self.connection):
            beside = sidecar_of(database_path(self.connection))
            self._beside = _read(str(beside)) if beside.exists() else b""
        yield self.clone

    def clone(self, name: str) -> None:
        target = Path(path_of(name))
        if in_memory(self.connection):
            _write(target, self._pages)
            return
        remove(sidecar_of(target))  # first: it belongs to what is replaced
        _replace(target, self._pages)
        if self._beside:
            _replace(sidecar_of(target), self._beside)

    def write_image(self, path: Path) -> None:
        path.write_bytes(_read(self._name))

    def load_image(self, path: Path) -> None:
        pages = path.read_bytes()
        try:
            if in_memory(self.connection):
                self._load_into_memory(pages)
            else:
                self.connection.close()
                target = database_path(self.connection)
                remove(sidecar_of(target))
                _replace(target, pages)
        except sqlite3.DatabaseError as error:
            raise ImageError(f"SQLite cannot read it: {error}") from error

    def _load_into_memory(self, pages: bytes) -> None:
        self.connection.ensure_connection()  # the database lives as long as a connection to it
        with (
            closing(load_image(pages)) as source,
            closing(sqlite3.connect(self._name, uri=True)) as target,
        ):
            copy_into(source, target)

    @property
    def _name(self) -> str:
        return str(self.connection.settings_dict["NAME"])


def database_path(connection: BaseDatabaseWrapper) -> Path:
    """Return the file of a database that is not in memory."""
    return Path(identity(connection)[-1])


def sidecar_of(path: Path) -> Path:
    """Return the file beside the database at ``path`` that keeps what outlives a process."""
    return path.with_name(f"{path.name}.sane")


def _read(name: str) -> bytes:
    with closing(sqlite3.connect(name, uri=True)) as source:
        return read_pages(source, "main")


def _replace(path: Path, pages: bytes) -> None:
    """Put a new file at ``path`` in one step."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.sane-new")
    try:
        _write(new, pages)
        for suffix in ("-journal", "-wal", "-shm"):  # else they would be applied to the new file
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        os.replace(new, path)
    finally:
        remove(new)


def _write(path: Path, pages: bytes) -> None:
    """Write a file, and raise sqlite3.DatabaseError if it is no database."""
    path.write_bytes(pages)
    with closing(sqlite3.connect(path)) as written:
        written.execute("PRAGMA schema_version")
