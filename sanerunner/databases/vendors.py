"""What a run must know of a database's vendor, beyond what Django's backends say.

One module for each vendor; elsewhere no vendor is named.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.module_loading import import_string

Identity = tuple[str, str, str, str]

LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")

_PATHS = {
    "postgresql": "sanerunner.databases.postgresql.PostgreSQL",
    "mysql": "sanerunner.databases.mysql.MySQL",
    "sqlite": "sanerunner.databases.sqlite.SQLite",
}


class Vendor:
    """A vendor without a module of its own: a server that is told by host, port and name."""

    #: The port of a server where the settings name none.
    default_port = ""
    #: The OPTIONS that win over NAME.
    name_options: tuple[str, ...] = ()
    #: What is opened where the settings have no name.
    default_name = ""
    #: Whether a connection may be closed while another thread uses it.
    closes_across_threads = False

    def name(self, connection: BaseDatabaseWrapper) -> Any:
        """Return the name that ``connection`` opens: NAME, unless OPTIONS has one."""
        name = connection.settings_dict["NAME"]
        for option in self.name_options:
            name = connection.settings_dict["OPTIONS"].get(option, name)
        return name

    def in_memory(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether the database of ``connection`` exists only inside this process."""
        return False

    def identity(self, connection: BaseDatabaseWrapper) -> Identity:
        """Return what tells one database from another, however it is spelled: vendor, host,
        port and name.
        """
        host = str(connection.settings_dict["HOST"] or "").lower()
        port = str(connection.settings_dict["PORT"] or self.default_port)
        name = self.name(connection)
        return (
            connection.vendor,
            "localhost" if host in LOCAL_HOSTS else host,
            port,
            str(self.default_name if name is None else name),
        )

    def end_sessions(self, connection: BaseDatabaseWrapper) -> None:
        """End the sessions in the database that ``connection`` names, of threads that the run
        has left behind and of processes that its tests have started: with them it cannot be
        dropped. ``connection`` itself is closed.
        """


@cache
def _vendor(name: str) -> Vendor:
    vendor: Vendor = import_string(_PATHS[name])() if name in _PATHS else Vendor()
    return vendor


def vendor_of(connection: BaseDatabaseWrapper) -> Vendor:
    return _vendor(connection.vendor)


def name_of(connection: BaseDatabaseWrapper) -> Any:
    """Return the name of the database that ``connection`` opens."""
    return vendor_of(connection).name(connection)


def identity(connection: BaseDatabaseWrapper) -> Identity:
    """Return what tells the database of ``connection`` from another."""
    return vendor_of(connection).identity(connection)


def in_memory(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database of ``connection`` exists only inside this process."""
    return vendor_of(connection).in_memory(connection)
