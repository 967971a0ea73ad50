"""Marks and locks on a PostgreSQL server.

Marks are comments on databases. Locks are advisory locks in the database ``postgres``: they are
counted for each database apart, so all runs must take them in the same one.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import NO_DB_ALIAS

from ..sites import Mark, Site, key_of, opened, sever, this_run
from .session import Session
from .template import COMMENT as TEMPLATE_COMMENT
from .template import template_name

MAINTENANCE = "postgres"
COMMENT = "sanerunner database "
_CLASS = 0x53414E45  # of the advisory locks
_SETTINGS = """
SET application_name = {name};
SELECT set_config('idle_session_timeout', '0', false)
WHERE current_setting('server_version_num')::int >= 140000
"""


class PostgreSQLSite(Site):
    _session: Session | None = None

    def open(self) -> None:
        settings = dict(self.connection.settings_dict)
        options = {key: value for key, value in settings["OPTIONS"].items() if key != "dbname"}
        settings.update(NAME=MAINTENANCE, OPTIONS=options)
        wrapper = type(self.connection)(settings, NO_DB_ALIAS)
        name = _literal(f"sanerunner, {this_run()}")
        self._session = Session(wrapper, _SETTINGS.format(name=name))
        opened(self)

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def abandon(self) -> None:
        session, self._session = self._session, None
        if session is not None and not session.closed:
            sever(session.fileno())

    def lock(self, name: Any) -> bool:
        return bool(self._rows("SELECT pg_try_advisory_lock(%s, %s)", _CLASS, _key(name))[0][0])

    def unlock(self, name: Any) -> None:
        self._rows("SELECT pg_advisory_unlock(%s, %s)", _CLASS, _key(name))

    def holder(self, name: Any) -> str:
        rows = self._rows(
            "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)"
            " WHERE locktype = 'advisory' AND granted AND objsubid = 2"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid = %s::bigint::oid AND objid = %s::bigint::oid",
            _CLASS,
            _key(name) % 2**32,
        )
        return str(rows[0][0]).removeprefix("sanerunner, ") if rows else ""

    def exists(self, name: Any) -> bool:
        return bool(self._rows("SELECT 1 FROM pg_database WHERE datname = %s", name))

    def may_mark(self, name: Any) -> bool:
        if not self.connection.settings_dict["AUTOCOMMIT"]:
            return False  # CREATE DATABASE cannot run in the transaction that Django begins
        rows = self._rows(
            "SELECT 1 FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreatedb)"
        )
        return bool(rows)

    def read_mark(self, name: Any) -> Mark | None:
        comment = self._comment(name)
        if not comment.startswith(COMMENT):
            return None
        return Mark.from_text(comment.removeprefix(COMMENT))

    def write_mark(self, name: Any, mark: Mark) -> None:
        self._rows(
            f"COMMENT ON DATABASE {self._quoted(name)} IS {_literal(COMMENT + mark.to_text())}"
        )

    def marked(self) -> dict[str, Mark]:
        rows = self._rows(
            "SELECT datname::text, c FROM pg_database, shobj_description(oid, 'pg_database') c"
            " WHERE starts_with(c, %s)",
            COMMENT,
        )
        marks = {name: Mark.from_text(comment.removeprefix(COMMENT)) for name, comment in rows}
        return {name: mark for name, mark in marks.items() if mark is not None}

    def identity(self, name: Any) -> str:
        rows = self._rows(
            "SELECT system_identifier || ' ' || oid FROM pg_control_system(), pg_database"
            " WHERE datname = %s",
            name,
        )
        return str(rows[0][0]) if rows else ""

    def drop(self, name: Any) -> None:
        number = 0
        while self.exists(template := template_name(str(name), number)):
            if self._comment(template).startswith(TEMPLATE_COMMENT):
                self._drop(template)
            number += 1
        self._drop(str(name))

    def _comment(self, name: Any) -> str:
        rows = self._rows(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
            name,
        )
        return str(rows[0][0] or "") if rows else ""

    def _drop(self, name: str) -> None:
        self._rows(f"DROP DATABASE IF EXISTS {self._quoted(name)} WITH (FORCE)")

    def _quoted(self, name: Any) -> str:
        return self.connection.ops.quote_name(str(name))

    def _rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        assert self._session is not None, "open() comes first"
        return self._session.rows(sql, parameters)


def _key(name: Any) -> int:
    return int.from_bytes(key_of(str(name), 4), "big", signed=True)


def _literal(text: str) -> str:
    doubled = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{doubled}'"
