"""Renews Django's session to a MySQL or MariaDB database."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ..renewal import SessionRenewal, has_foreign_receivers
from .control import text

# What differs from one moment or session to the next by itself, or cannot be set.
_VOLATILE = {
    *("timestamp", "pseudo_thread_id", "rand_seed1", "rand_seed2", "last_insert_id", "insert_id"),
    *("identity", "error_count", "warning_count", "in_transaction", "last_gtid", "gtid_seq_no"),
}


class MySQLRenewal(SessionRenewal):
    """Has the server forget the session (COM_CHANGE_USER), and sets the variables again that
    connecting to it had set.

    User variables and temporary tables that connecting makes cannot be listed: where it may make
    some, sessions are closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._statement = ""

    def supports(self, connection: BaseDatabaseWrapper) -> bool:
        options = connection.settings_dict["OPTIONS"]
        return (
            not options.keys() & {"read_default_file", "read_default_group"}
            and "@" not in str(options.get("init_command", ""))
            and not has_foreign_receivers()
            and connection.get_connection_params().keys() >= {"user", "database"}
        )

    def learn(self, connection: BaseDatabaseWrapper) -> bool:
        session: Any = connection.connection
        if not hasattr(session, "change_user"):
            return False
        opened = _variables(session)
        self._change_user(connection)
        changed = dict(opened.items() - _variables(session).items())
        if changed:
            values = (f"{name}={_literal(value)}" for name, value in sorted(changed.items()))
            self._statement = f"SET SESSION {', '.join(values)}"
            _run(session, self._statement)
        return _variables(session) == opened

    def reset(self, connection: BaseDatabaseWrapper) -> bool:
        self._change_user(connection)
        if self._statement:
            _run(connection.connection, self._statement)
        return True

    def _change_user(self, connection: BaseDatabaseWrapper) -> None:
        parameters = connection.get_connection_params()
        session: Any = connection.connection
        session.change_user(
            parameters["user"], parameters.get("password", ""), parameters["database"]
        )


def _variables(session: Any) -> dict[str, str]:
    rows = _run(session, "SHOW SESSION VARIABLES")
    return {name: value for name, value in rows if name not in _VOLATILE}


def _run(session: Any, statement: str) -> Any:
    cursor = session.cursor()
    try:
        cursor.execute(statement)
        return cursor.fetchall()
    finally:
        cursor.close()


def _literal(value: str) -> str:
    return value if value.lstrip("-").replace(".", "", 1).isdigit() else text(value)
