"""MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from ..sites import Site
from ..vendors import Vendor, read_options

_UNKNOWN_THREAD = 1094


class MySQL(Vendor):
    default_port = "3306"
    name_options = ("database", "db")
    facts = ("mysql_server_data",)

    longest_name = 64

    def site(self, connection: BaseDatabaseWrapper) -> Site:
        from .site import MySQLSite

        return MySQLSite(connection)

    def address(self, connection: BaseDatabaseWrapper) -> tuple[str, str]:
        """Options win over HOST and PORT, and these over the file that an option names."""
        host, port = super().address(connection)
        options = connection.settings_dict["OPTIONS"]
        file = options.get("read_default_file")
        group = options.get("read_default_group") or "client"
        found = read_options(file, group) if file else {}
        host = options.get("host") or host or found.get("host") or ""
        return str(host), str(options.get("port") or port or found.get("port") or "")

    def interrupter(self, connection: BaseDatabaseWrapper) -> Callable[[], None]:
        session: Any = connection.connection
        number = session.thread_id()

        def interrupt() -> None:
            with connection._nodb_cursor() as cursor:
                _kill(cursor, number)

        return interrupt

    def end_sessions(self, connection: BaseDatabaseWrapper) -> None:
        connection.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(
                "SELECT id FROM information_schema.processlist "
                "WHERE db = %s AND user = substring_index(current_user(), '@', 1)",
                [connection.settings_dict["NAME"]],
            )
            for (session,) in cursor.fetchall():
                _kill(cursor, session)


def _kill(cursor: Any, session: int) -> None:
    try:
        cursor.execute("KILL %s", [session])
    except OperationalError as error:
        if error.args[0] != _UNKNOWN_THREAD:  # it has ended by itself
            raise
