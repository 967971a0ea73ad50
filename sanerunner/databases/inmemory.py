"""Keeps in-memory databases alive."""

from __future__ import annotations

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from .vendors import in_memory


class Keepers:
    """Connections that are open as long as databases are to live: an in-memory database lives as
    long as a connection, and that of the thread which made it may end first.
    """

    def __init__(self) -> None:
        self._open: dict[str, BaseDatabaseWrapper] = {}

    def keep(self, alias: str) -> None:
        """Keep the database of ``alias``, if it is in memory."""
        connection = connections[alias]
        if in_memory(connection):
            keeper = connection.copy()
            keeper.connect()
            self._open[alias] = keeper

    def release(self, alias: str) -> None:
        self._open.pop(alias, None)
