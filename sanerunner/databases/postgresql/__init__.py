"""PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ...conf import postgresql_service_files
from ..sites import Site
from ..vendors import Vendor, read_options


def _service(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return what the service that the options name, if they do, says."""
    service = connection.settings_dict["OPTIONS"].get("service")
    if not service:
        return {}
    found = (read_options(path, service) for path in postgresql_service_files())
    return next(filter(None, found), {})


# Whether the role owns the database; no row where someone has chosen for this database, role
# or session, as in OPTIONS.
_SYNCHRONOUS = """
SELECT pg_has_role(datdba, 'USAGE'), quote_ident(datname) FROM pg_database, pg_settings
WHERE current_setting('synchronous_commit') <> 'off' AND datname = current_database()
 AND name = 'synchronous_commit'
 AND source IN ('default', 'environment variable', 'configuration file', 'command line')"""


class PostgreSQL(Vendor):
    default_port = "5432"
    name_options = ("dbname",)
    default_name = "postgres"  # what Django opens to get at the server
    idle_warnings = ("Normally Django will use a connection to the 'postgres' database",)
    facts = ("pg_version",)
    longest_name = 63

    def name(self, connection: BaseDatabaseWrapper) -> Any:
        name = super().name(connection)
        return _service(connection).get("dbname", name) if name == "" else name

    def address(self, connection: BaseDatabaseWrapper) -> tuple[str, str]:
        host, port = super().address(connection)
        options = {**_service(connection), **connection.settings_dict["OPTIONS"]}
        host = host or options.get("host") or options.get("hostaddr") or ""
        return str(host), str(port or options.get("port") or "")

    def site(self, connection: BaseDatabaseWrapper) -> Site:
        from .site import PostgreSQLSite

        return PostgreSQLSite(connection)

    def end_sessions(self, connection: BaseDatabaseWrapper) -> None:
        connection.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = %s AND usename = current_user AND pid <> pg_backend_pid()",
                [connection.settings_dict["NAME"]],
            )

    def interrupter(self, connection: BaseDatabaseWrapper) -> Callable[[], None]:
        session: Any = connection.connection
        cancel: Callable[[], None] = session.cancel
        return cancel

    def relax(self, connection: BaseDatabaseWrapper) -> None:
        """Also for other processes that open the database: it is told, if the role owns it."""
        session: Any = connection.connection  # not a cursor of Django's, which tests may count
        with session.cursor() as cursor:
            cursor.execute(_SYNCHRONOUS)
            for owned, name in cursor.fetchall():
                if owned:
                    cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
                cursor.execute("SET synchronous_commit = off")
        if not connection.get_autocommit():
            session.commit()
