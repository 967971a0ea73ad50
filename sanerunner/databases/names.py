"""The names of the test databases, which stand in the settings before these are made.

So code that opens connections of its own, or starts ``psql``, cannot reach a real database
either. Only while Django makes a test database do the settings have the name it is made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..exceptions import DatabaseConfigurationError, UnsafeDatabaseError
from .vendors import vendor_of


def refuse_real(alias: str, is_real: Callable[[BaseDatabaseWrapper], bool]) -> None:
    """Raise UnsafeDatabaseError if the test database has the name of a configured, real one."""
    connection = connections[alias]
    if not is_real(connection):
        return
    host = vendor_of(connection).address(connection)[0] or "localhost"
    name = vendor_of(connection).name(connection)
    remedy = f'Give it a name of its own in DATABASES["{alias}"]["TEST"]["NAME"].'
    if name != connection.settings_dict["NAME"]:
        remedy = f'Put it into NAME, not into DATABASES["{alias}"]["OPTIONS"].'
    raise UnsafeDatabaseError(
        f"The test database of alias {alias!r} has the name of a real database: "
        f"{str(name)!r} on {host}. {remedy}"
    )


class TestNames:
    """Real and test names. ``check(alias)`` is called before a test database is made, when its
    name stands in the settings, and may raise. ``suffix`` goes behind all test names. Raises
    DatabaseConfigurationError where a name gets too long with it.
    """

    __test__ = False

    def __init__(self, check: Callable[[str], None], suffix: str = "") -> None:
        self.begun: set[str] = set()  # aliases whose database exists, if only in part
        self._check = check
        self._suffix = suffix
        self._real: dict[str, Any] = {}

    def announce(self, mirrors: Mapping[str, str]) -> None:
        """Put the names of the test databases into the settings."""
        self._real = {alias: connections.settings[alias]["NAME"] for alias in connections}
        for alias in connections:
            creation: Any = connections[alias].creation
            if self._suffix:
                creation._get_test_db_name = partial(self._suffixed, creation)
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
            for name in ("create_test_db", "_get_test_db_name"):
                vars(connections[alias].creation).pop(name, None)
        self._real.clear()
        self.begun.clear()

    def _suffixed(self, creation: Any) -> Any:
        """Return the name of the test database that Django would take, with the suffix."""
        name = type(creation)._get_test_db_name(creation)
        connection = creation.connection
        vendor = vendor_of(connection)
        suffixed = vendor.suffixed(name, self._suffix)
        if 0 < vendor.longest_name < len(str(suffixed).encode()):
            raise DatabaseConfigurationError(
                f"The name {suffixed!r} of the test database of alias {connection.alias!r} is "
                f"longer than the {vendor.longest_name} bytes that the server takes: choose a "
                "shorter --database-suffix, or TEST NAME."
            )
        return suffixed

    def create(
        self,
        creation: Any,
        *args: Any,
        on_created: Callable[[], None] = lambda: None,
        load: Callable[[], bool] = lambda: False,
        **kwargs: Any,
    ) -> str:
        """Make a test database as ``creation.create_test_db()`` does; return its name.

        ``on_created()`` is called as soon as there is a database, still empty if it is new.
        ``load()`` comes first, and leaves nothing for Django to do if it returns True.
        """
        alias: str = creation.connection.alias
        settings_dict: dict[str, Any] = creation.connection.settings_dict
        self._check(alias)
        announced: str = settings_dict["NAME"]
        settings_dict["NAME"] = real = self._real[alias]  # of which Django makes the other name
        self.begun.add(alias)

        def _create_test_db(*args: Any, **kwargs: Any) -> Any:
            name = type(creation)._create_test_db(creation, *args, **kwargs)
            on_created()
            return name

        creation._create_test_db = _create_test_db
        try:
            if load():
                announced = settings_dict["NAME"]
            else:
                settings_dict["NAME"] = real
                announced = type(creation).create_test_db(creation, *args, **kwargs)
        finally:
            del creation._create_test_db
            if settings_dict["NAME"] == real != announced:
                self.begun.discard(alias)  # it failed before there was a database
            settings_dict["NAME"] = announced
        return announced
