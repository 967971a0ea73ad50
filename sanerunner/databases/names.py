"""The names of the test databases, which stand in the settings before these are made.

So code that opens connections of its own, or starts ``psql``, cannot reach a real database
either. Only while Django makes a test database do the settings have the name it is made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.db import connections


class TestNames:
    """Real and test names. ``check(alias)`` is called before a test database is made, when its
    name stands in the settings, and may raise.
    """

    __test__ = False

    def __init__(self, check: Callable[[str], None]) -> None:
        self.begun: set[str] = set()  # aliases whose database exists, if only in part
        self._check = check
        self._real: dict[str, Any] = {}

    def announce(self, mirrors: Mapping[str, str]) -> None:
        """Put the names of the test databases into the settings."""
        self._real = {alias: connections.settings[alias]["NAME"] for alias in connections}
        for alias in connections:
            creation: Any = connections[alias].creation
            if alias not in mirrors:
                connections.settings[alias]["NAME"] = creation._get_test_db_name()
            # So that a project's own way of making it is seen as well.
            creation.create_test_db = partial(self.create, creation)
        for alias, primary in mirrors.items():
            connections.settings[alias]["NAME"] = connections.settings[primary]["NAME"]

    def restore(self) -> None:
        """Put the real names back."""
        for alias, name in self._real.items():
            connections.settings[alias]["NAME"] = name
            vars(connections[alias].creation).pop("create_test_db", None)
        self._real.clear()
        self.begun.clear()

    def create(self, creation: Any, *args: Any, **kwargs: Any) -> str:
        """Make a test database as ``creation.create_test_db()`` does; return its name."""
        alias: str = creation.connection.alias
        settings_dict: dict[str, Any] = creation.connection.settings_dict
        self._check(alias)
        announced: str = settings_dict["NAME"]
        settings_dict["NAME"] = real = self._real[alias]  # of which Django makes the other name
        self.begun.add(alias)
        try:
            announced = type(creation).create_test_db(creation, *args, **kwargs)
        finally:
            if settings_dict["NAME"] == real != announced:
                self.begun.discard(alias)  # it failed before there was a database
            settings_dict["NAME"] = announced
        return announced
