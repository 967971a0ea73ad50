"""The content that Django keeps serialized, for tests with ``serialized_rollback``."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connections

from .layout import TestDatabase
from .registry import KnownModels


class SerializedContent:
    """Serializes databases, on the connections where Django looks for their content."""

    def __init__(self) -> None:
        #: Aliases that need none where they are rewound.
        self.unneeded: set[str] = set()
        self._wanted: dict[str, bool] = {}

    def declare(self, aliases: Mapping[str, bool]) -> None:
        """Learn of aliases whether their content is wanted; once wanted, it stays so."""
        for alias, wanted in aliases.items():
            self._wanted[alias] = self._wanted.get(alias, False) or wanted

    def ensure(self, database: TestDatabase, models: KnownModels, *, rewound: bool) -> None:
        """Serialize a database, under all its aliases, unless that was done or is not needed."""
        for alias in database.aliases:
            connection = connections[alias]
            if rewound and alias in self.unneeded:
                continue
            if self._wanted.get(alias) and not hasattr(connection, "_test_serialized_contents"):
                with models.alone():
                    content = connection.creation.serialize_db_to_string()
                connection._test_serialized_contents = content  # type: ignore[attr-defined]

    def drop(self, database: TestDatabase) -> None:
        """Forget the content of a database that is not there any more."""
        for alias in database.aliases:
            vars(connections[alias]).pop("_test_serialized_contents", None)
