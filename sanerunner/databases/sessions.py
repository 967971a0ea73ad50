"""Ends what other sessions a server has in a test database: with them it cannot be dropped."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper


def end_sessions(connection: BaseDatabaseWrapper) -> None:
    """End the sessions in the database that ``connection`` names, of threads that the run has
    left behind and of processes that its tests have started. ``connection`` itself is closed.
    """
    end = {"postgresql": _end_postgresql, "mysql": _end_mysql}.get(connection.vendor)
    if end is not None:
        connection.close()
        end(connection)


def _end_postgresql(connection: BaseDatabaseWrapper) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND usename = current_user AND pid <> pg_backend_pid()",
            [connection.settings_dict["NAME"]],
        )


def _end_mysql(connection: BaseDatabaseWrapper) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist "
            "WHERE db = %s AND user = substring_index(current_user(), '@', 1)",
            [connection.settings_dict["NAME"]],
        )
        for (session,) in cursor.fetchall():
            cursor.execute("KILL %s", [session])
