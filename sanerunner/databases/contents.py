"""What databases contain: read before and after tests, for ``--detect-leaks``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import DatabaseError, connections

from .operations import DatabaseOperations


class Content(NamedTuple):
    """What a database contained: tables -> digests of their rows, and that of the schema.

    ``problem`` says why it could not be read ("" if it could).
    """

    tables: Mapping[str, str]
    schema: str
    problem: str = ""


class _Watched(NamedTuple):
    operations: DatabaseOperations
    tables: frozenset[str]
    first: Content


class Contents:
    """Reads the databases that are watched, as far as their content is committed."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}

    def watch(self, alias: str, operations: DatabaseOperations) -> None:
        """Read a database from now on; it has just been made."""
        with connections[alias].cursor() as cursor:
            tables = frozenset(connections[alias].introspection.table_names(cursor))
        self._watched[alias] = _Watched(operations, tables, _read(operations, tables))

    def forget(self, alias: str) -> None:
        """Read a database no more."""
        self._watched.pop(alias, None)

    def forget_all(self) -> None:
        self._watched.clear()

    def now(self) -> dict[str, Content]:
        """Return what the databases contain now, by alias."""
        return {
            alias: _read(watched.operations, watched.tables)
            for alias, watched in self._watched.items()
        }

    def first(self, alias: str) -> Content:
        """Return what a database contained when it had just been made."""
        return self._watched[alias].first


def _read(operations: DatabaseOperations, tables: frozenset[str]) -> Content:
    database: Any = operations.connection.Database  # type: ignore[attr-defined]
    try:
        digests = operations.checksums(counters=False)
    except (DatabaseError, database.Error) as error:  # a lock that a test has left
        return Content({}, "", problem=str(error).strip().splitlines()[0])
    # Counters are left out: they move also when a row is added and removed again.
    found = {name: digests[name] for name in tables & digests.keys()}
    return Content(found, digests.get("(schema)", digests.get("schema", "")))
