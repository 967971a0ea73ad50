"""Test databases need not outlive a power failure: commits do not wait for the disk."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from .vendors import Identity, identity, vendor_of


class Durability:
    """Tells the vendor of each connection that is opened, by any thread, to a test database.

    Databases are told apart by what they are, not by alias: others are left alone.
    """

    def __init__(self) -> None:
        self._given_up: set[Identity] = set()

    def give_up(self, connection: BaseDatabaseWrapper) -> None:
        """Do so for the test database that ``connection`` names, which may not exist yet."""
        self._given_up.add(identity(connection))
        connection_created.connect(self._opened, dispatch_uid=id(self))

    def restore(self) -> None:
        """Leave connections that are opened from now on as they are."""
        connection_created.disconnect(dispatch_uid=id(self))
        self._given_up.clear()

    def _opened(self, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        if identity(connection) in self._given_up:
            vendor_of(connection).relax(connection)
