"""MySQL and MariaDB."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from ..vendors import Vendor


class MySQL(Vendor):
    default_port = "3306"
    name_options = ("database", "db")

    def end_sessions(self, connection: BaseDatabaseWrapper) -> None:
        connection.close()
        with connection._nodb_cursor() as cursor:
            cursor.execute(
                "SELECT id FROM information_schema.processlist "
                "WHERE db = %s AND user = substring_index(current_user(), '@', 1)",
                [connection.settings_dict["NAME"]],
            )
            for (session,) in cursor.fetchall():
                cursor.execute("KILL %s", [session])
