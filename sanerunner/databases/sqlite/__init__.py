"""SQLite."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote

from django.db.backends.base.base import BaseDatabaseWrapper

from ..vendors import Identity, Vendor


class SQLite(Vendor):
    name_options = ("database",)
    closes_across_threads = True

    def in_memory(self, connection: BaseDatabaseWrapper) -> bool:
        creation: Any = connection.creation
        return bool(creation.is_in_memory_db(self.name(connection) or ""))

    def identity(self, connection: BaseDatabaseWrapper) -> Identity:
        name = str(self.name(connection))
        return (
            connection.vendor,
            "",
            "",
            name if self.in_memory(connection) else _path(name),
        )


def _path(name: str) -> str:
    """Return the file that SQLite opens for ``name``, which may be a URI."""
    if name.startswith("file:"):
        name = unquote(name.removeprefix("file:").partition("?")[0])
        if name.startswith("//"):
            name = "/" + name[2:].partition("/")[2]
    return os.path.normcase(os.path.realpath(name))
