"""What a run must know of a database's vendor, beyond what Django's backends say.

One module for each vendor; elsewhere no vendor is named.
"""

from __future__ import annotations

from collections.abc import Callable
from configparser import ConfigParser
from configparser import Error as ParserError
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from .sites import Site

Identity = tuple[str, str, str, str]

LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")

_PATHS = {
    "postgresql": "sanerunner.databases.postgresql.PostgreSQL",
    "mysql": "sanerunner.databases.mysql.MySQL",
    "sqlite": "sanerunner.databases.sqlite.SQLite",
}


class SharedSession:
    """The session of one thread's wrapper, used by those of other threads, where a session of
    their own would not do. ``check`` is called before each use, and may raise.
    """

    def admit(self, wrapper: BaseDatabaseWrapper) -> None:
        """Have the owner, or a mirror of it, both of the thread that calls, expect others."""

    def lend(self, wrapper: BaseDatabaseWrapper) -> None:
        """Have the wrapper of another thread use the session. It is called in that thread."""

    def end(self) -> None:
        """End what others have left open, by force; they have no session any more."""


class Vendor:
    """A vendor without a module of its own: a server that is told by host, port and name."""

    #: The port of a server where the settings name none.
    default_port = ""
    #: The OPTIONS that win over NAME.
    name_options: tuple[str, ...] = ()
    #: What is opened where the settings have no name.
    default_name = ""
    #: The longest name of a database in bytes, 0 if there is no such limit.
    longest_name = 0
    #: Patterns of warnings that Django gives before it says that a server does not answer.
    idle_warnings: tuple[str, ...] = ()
    #: Whether a connection may be closed while another thread uses it.
    closes_across_threads = False
    #: The cached properties of Django's wrapper that ask the server.
    facts: tuple[str, ...] = ()

    def name(self, connection: BaseDatabaseWrapper) -> Any:
        """Return the name that ``connection`` opens: NAME, unless OPTIONS has one."""
        name = connection.settings_dict["NAME"]
        for option in self.name_options:
            name = connection.settings_dict["OPTIONS"].get(option, name)
        return name

    def suffixed(self, name: Any, suffix: str) -> Any:
        """Return the name of a test database with ``suffix`` behind it."""
        return f"{name}_{suffix}"

    def display(self, name: Any) -> str:
        """Return how messages name a database."""
        return str(name)

    def site(self, connection: BaseDatabaseWrapper) -> Site | None:
        """Return where the test database is, not opened yet; None where it cannot be marked."""
        return None

    def in_memory(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether the database of ``connection`` exists only inside this process."""
        return False

    def identity(self, connection: BaseDatabaseWrapper) -> Identity:
        """Return what tells one database from another, however it is spelled: vendor, host,
        port and name.
        """
        host, port = self.address(connection)
        host, name = host.lower(), self.name(connection)
        return (
            connection.vendor,
            "localhost" if host in LOCAL_HOSTS or host.startswith("/") else host,
            port or self.default_port,
            str(self.default_name if name is None else name),
        )

    def server(self, connection: BaseDatabaseWrapper) -> str:
        """Return product and version of the server: "PostgreSQL 15.4".

        It is asked in the session of ``connection`` if that is open, else in one without a
        database: the one that ``connection`` names may not exist.
        """
        if connection.connection is not None:
            return product_of(connection)
        with connection._nodb_cursor() as cursor:
            return product_of(cursor.db)

    def address(self, connection: BaseDatabaseWrapper) -> tuple[str, str]:
        """Return the host and port that ``connection`` opens; "" where nothing names them."""
        settings_dict = connection.settings_dict
        return str(settings_dict["HOST"] or ""), str(settings_dict["PORT"] or "")

    def place(self, connection: BaseDatabaseWrapper) -> str:
        """Return where ``connection`` leads, for messages: host, port and user."""
        host, port = self.address(connection)
        port, user = port or self.default_port, str(connection.settings_dict["USER"] or "")
        parts = [f"host {host or 'localhost'}", port and f"port {port}", user and f"user {user}"]
        return ", ".join(filter(None, parts))

    def end_sessions(self, connection: BaseDatabaseWrapper) -> None:
        """End the sessions in the database that ``connection`` names, of threads that the run
        has left behind and of processes that its tests have started: with them it cannot be
        dropped. ``connection`` itself is closed.
        """

    def shared_session(
        self, connection: BaseDatabaseWrapper, check: Callable[[], None]
    ) -> SharedSession | None:
        """Return how other threads use the database of ``connection``; None if each opens a
        session of its own.
        """
        return None

    def interrupter(self, connection: BaseDatabaseWrapper) -> Callable[[], None]:
        """Return what makes the statement fail that is executed over ``connection``, which is
        open; other threads may call it while that lasts.
        """
        return lambda: None

    def relax(self, connection: BaseDatabaseWrapper) -> None:
        """Let commits to the test database that ``connection`` has just opened not wait for the
        disk, as far as the vendor has that for a session or a database. What the settings ask
        for wins. Here, and where only a whole server can be told so, nothing is done.
        """


def product_of(connection: BaseDatabaseWrapper) -> str:
    """Return what ``connection``, if open, leads to: "PostgreSQL 15.4"."""
    version = ".".join(map(str, connection.get_database_version()))
    return f"{connection.display_name} {version}"


def read_options(path: str | Path, section: str) -> dict[str, str]:
    """Return a section of an ini file of a server's client; nothing if it cannot be read: the
    driver will say so.
    """
    parser = ConfigParser(interpolation=None, strict=False, allow_no_value=True, delimiters=("=",))
    try:
        parser.read(Path(path).expanduser(), encoding="utf-8")
    except (OSError, ValueError, ParserError):
        return {}
    if not parser.has_section(section):
        return {}
    return {key: value.strip("'\"") for key, value in parser.items(section) if value}


@cache
def _vendor(name: str) -> Vendor:
    vendor: Vendor = import_string(_PATHS[name])() if name in _PATHS else Vendor()
    return vendor


def vendor_of(connection: BaseDatabaseWrapper) -> Vendor:
    return _vendor(connection.vendor)


def display_name(connection: BaseDatabaseWrapper) -> str:
    """Return how messages name the database of ``connection``."""
    return vendor_of(connection).display(name_of(connection))


def name_of(connection: BaseDatabaseWrapper) -> Any:
    """Return the name of the database that ``connection`` opens."""
    return vendor_of(connection).name(connection)


def identity(connection: BaseDatabaseWrapper) -> Identity:
    """Return what tells the database of ``connection`` from another."""
    return vendor_of(connection).identity(connection)


def in_memory(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database of ``connection`` exists only inside this process."""
    return vendor_of(connection).in_memory(connection)
