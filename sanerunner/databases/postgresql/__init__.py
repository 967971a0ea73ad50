"""PostgreSQL."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from ..vendors import Vendor


class PostgreSQL(Vendor):
    default_port = "5432"
    name_options = ("dbname",)
    default_name = "postgres"  # what Django opens to get at the server

    def end_sessions(self, connection: BaseDatabaseWrapper) -> None:
        connection.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = %s AND usename = current_user AND pid <> pg_backend_pid()",
                [connection.settings_dict["NAME"]],
            )
