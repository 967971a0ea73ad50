"""The names of the test databases, which stand in the settings before these are made.

So code that opens connections of its own, or starts ``psql``, cannot reach a real database
either. Only while Django makes a test database do the settings have the name it is made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import connections
from django.db.backends.base.creation import BaseDatabaseCreation


class TestNames:
    """Real and test names. ``check(alias)`` is called before a test database is made, when its
    name stands in the settings, and may raise.
    """

    __test__ = False

    def __init__(self, check: Callable[[str], None]) -> None:
        self.begun: set[str] = set()  # aliases whose database exists, if only in part
        self._check = check
        self._real: dict[str, Any] = {}
        self._create_test_db: Callable[..., str] | None = None

    def announce(self, mirrors: Mapping[str, str]) -> None:
        """Put the names of the test databases into the settings."""
        self._real = {alias: connections.settings[alias]["NAME"] for alias in connections}
        for alias in connections:
            if alias not in mirrors:
                creation: Any = connections[alias].creation
                connections.settings[alias]["NAME"] = creation._get_test_db_name()
        for alias, primary in mirrors.items():
            connections.settings[alias]["NAME"] = connections.settings[primary]["NAME"]
        original: Callable[..., str] = BaseDatabaseCreation.create_test_db
        self._create_test_db = original

        def create_test_db(creation: Any, *args: Any, **kwargs: Any) -> str:
            return self._create(original, creation, *args, **kwargs)

        create_test_db.__doc__ = original.__doc__
        setattr(BaseDatabaseCreation, "create_test_db", create_test_db)  # noqa: B010  # typed

    def restore(self) -> None:
        """Put the real names back."""
        if self._create_test_db is not None:
            setattr(BaseDatabaseCreation, "create_test_db", self._create_test_db)  # noqa: B010
            self._create_test_db = None
        for alias, name in self._real.items():
            connections.settings[alias]["NAME"] = name
        self._real.clear()
        self.begun.clear()

    def _create(
        self, original: Callable[..., str], creation: Any, *args: Any, **kwargs: Any
    ) -> str:
        """Make a test database, for the run or for code that does so in its own way."""
        alias: str = creation.connection.alias
        settings_dict: dict[str, Any] = creation.connection.settings_dict
        if settings_dict is not connections.settings.get(alias):  # a copy, with its own name
            return original(creation, *args, **kwargs)
        self._check(alias)
        announced = settings_dict["NAME"]
        settings_dict["NAME"] = real = self._real[alias]  # of which Django makes the other name
        self.begun.add(alias)
        try:
            announced = original(creation, *args, **kwargs)
        finally:
            if settings_dict["NAME"] == real != announced:
                self.begun.discard(alias)  # it failed before there was a database
            settings_dict["NAME"] = announced
        return announced
