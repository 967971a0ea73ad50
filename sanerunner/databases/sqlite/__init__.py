"""SQLite."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from typing import Any
from urllib.parse import unquote

from django.db.backends.base.base import BaseDatabaseWrapper

from ..sites import Site
from ..vendors import Identity, SharedSession, Vendor, product_of

_SYNCHRONOUS = "PRAGMA synchronous"


class SQLite(Vendor):
    name_options = ("database",)
    closes_across_threads = True

    def in_memory(self, connection: BaseDatabaseWrapper) -> bool:
        creation: Any = connection.creation
        return bool(creation.is_in_memory_db(self.name(connection) or ""))

    def suffixed(self, name: Any, suffix: str) -> Any:
        """Return the name with the suffix before the extension, as Django names clones; that
        of a database in memory as it is.
        """
        if str(name) == ":memory:" or "mode=memory" in str(name):
            return name
        path, query, parameters = str(name).partition("?")
        root, extension = os.path.splitext(path)
        return f"{root}_{suffix}{extension}{query}{parameters}"

    def display(self, name: Any) -> str:
        return os.path.basename(path_of(str(name)))

    def site(self, connection: BaseDatabaseWrapper) -> Site | None:
        from .site import SQLiteSite

        return None if self.in_memory(connection) else SQLiteSite(connection)

    def place(self, connection: BaseDatabaseWrapper) -> str:
        name = str(self.name(connection))
        return f"in memory, {name}" if self.in_memory(connection) else f"file {name}"

    def identity(self, connection: BaseDatabaseWrapper) -> Identity:
        name = str(self.name(connection))
        return (
            connection.vendor,
            "",
            "",
            name if self.in_memory(connection) else path_of(name),
        )

    def server(self, connection: BaseDatabaseWrapper) -> str:
        return product_of(connection)  # the library's; nothing is opened

    def shared_session(
        self, connection: BaseDatabaseWrapper, check: Callable[[], None]
    ) -> SharedSession | None:
        if not self.in_memory(connection):
            return None
        from .sharing import MemorySession

        return MemorySession(connection, check)

    def interrupter(self, connection: BaseDatabaseWrapper) -> Callable[[], None]:
        session: sqlite3.Connection = connection.connection
        return session.interrupt

    def relax(self, connection: BaseDatabaseWrapper) -> None:
        session: sqlite3.Connection = connection.connection
        commands = str(connection.settings_dict["OPTIONS"].get("init_command", ""))
        # Another value than SQLite's own was chosen too, when the connection was opened.
        chosen = "synchronous" in commands.lower()
        if not chosen and session.execute(_SYNCHRONOUS).fetchone() == _default():
            session.execute(f"{_SYNCHRONOUS} = OFF")


@cache
def _default() -> Any:
    with closing(sqlite3.connect(":memory:")) as session:
        return session.execute(_SYNCHRONOUS).fetchone()


def path_of(name: str) -> str:
    """Return the file that SQLite opens for ``name``, which may be a URI."""
    if name.startswith("file:"):
        name = unquote(name.removeprefix("file:").partition("?")[0])
        if name.startswith("//"):
            name = "/" + name[2:].partition("/")[2]
    return os.path.normcase(os.path.realpath(name))
