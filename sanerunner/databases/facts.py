"""What Django asks a server once, and then remembers: its version and the like.

Under Django's runner the databases are made before the first test, so that also tests which must
not connect are answered. Here they may run before any database is there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.functional import cached_property

from .vendors import vendor_of


class ServerFacts:
    """Answers on connections that SimpleTestCase has blocked, by a connection to no database.

    ``admitting(alias)`` is a context manager in which the server of an alias may be asked.
    """

    def __init__(self, admitting: Callable[[str], AbstractContextManager[None]]) -> None:
        self._admitting = admitting
        self._originals: list[tuple[type, str, Any]] = []

    def install(self) -> None:
        for connection in connections.all():
            for name in vendor_of(connection).facts:
                owner = next(
                    (each for each in type(connection).__mro__ if name in vars(each)), None
                )
                if owner is not None and isinstance(vars(owner)[name], cached_property):
                    self._replace(owner, name)

    def uninstall(self) -> None:
        while self._originals:
            owner, name, original = self._originals.pop()
            setattr(owner, name, original)

    def _replace(self, owner: type, name: str) -> None:
        original: Any = vars(owner)[name]

        def read(connection: BaseDatabaseWrapper) -> Any:
            if "temporary_connection" not in vars(connection):
                return original.func(connection)
            with self._admitting(connection.alias), connection._nodb_cursor() as cursor:
                return getattr(cursor.db, name)

        replacement: Any = cached_property(read)
        replacement.__set_name__(owner, name)
        setattr(owner, name, replacement)
        self._originals.append((owner, name, original))
