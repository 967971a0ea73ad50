"""Marks and locks on a MySQL or MariaDB server.

A mark is a document in the sibling of a database; locks are named ones of the server.
"""

from __future__ import annotations

import re
from typing import Any

from django.db.backends.base.base import NO_DB_ALIAS

from ..sites import Mark, Site, key_of, opened, sever
from .control import DENIED, LOST, error_code, quote
from .store import definition_of, documents_of, sibling_of

_MARK = "mark"
_NOT_THERE = {1049, 1146}
_SIBLING = re.compile(r".*_sane|.{47}_[0-9a-f]{16}")
_IDLE = 2147483  # seconds, the longest that every platform takes
_PATIENCE = 5  # seconds


class MySQLSite(Site):
    _session: Any = None

    def open(self) -> None:
        settings = {**self.connection.settings_dict, "NAME": ""}
        wrapper: Any = type(self.connection)(settings, NO_DB_ALIAS)
        params = dict(wrapper.get_connection_params())
        for key in ("database", "db"):
            params.pop(key, None)
        self._error: type[Exception] = wrapper.Database.Error
        self._session = wrapper.Database.connect(**params)
        self._session.autocommit(True)
        # Dropping a database waits for sessions that use it.
        self._rows(f"SET SESSION wait_timeout = {_IDLE}, lock_wait_timeout = {_PATIENCE}")
        opened(self)

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except self._error as error:
                if error_code(error) not in LOST:
                    raise

    def abandon(self) -> None:
        if self._session is not None:
            sever(self._session.fileno())
            self._session = None

    def lock(self, name: Any) -> bool:
        return bool(self._rows("SELECT GET_LOCK(%s, 0)", _key(name))[0][0])

    def unlock(self, name: Any) -> None:
        self._rows("SELECT RELEASE_LOCK(%s)", _key(name))

    def holder(self, name: Any) -> str:
        mark = self.read_mark(name)
        ((session,),) = self._rows("SELECT IS_USED_LOCK(%s)", _key(name))
        if mark is not None:
            return mark.run
        return f"session {session} of the server" if session is not None else ""

    def exists(self, name: Any) -> bool:
        rows = self._rows(
            "SELECT schema_name, @@lower_case_table_names FROM information_schema.schemata"
            " WHERE schema_name = %s",
            str(name),
        )
        return any(found == name or folds for found, folds in rows)

    def may_mark(self, name: Any) -> bool:
        sibling = sibling_of(str(name))
        if self.exists(sibling):
            return True
        try:
            self._rows(f"CREATE DATABASE {quote(sibling)}")
        except self._error as error:
            if error_code(error) not in DENIED:
                raise
            return False
        self._rows(f"DROP DATABASE {quote(sibling)}")
        return True

    def read_mark(self, name: Any) -> Mark | None:
        return self._read(sibling_of(str(name)))[1]

    def write_mark(self, name: Any, mark: Mark) -> None:
        sibling = sibling_of(str(name))
        try:
            for statement in definition_of(sibling):
                self._rows(statement)
        except self._error as error:
            if error_code(error) not in DENIED:
                raise
            return  # nothing can be kept beside it, so it will not be taken for ours
        self._rows(
            f"REPLACE INTO {documents_of(sibling)} (name, content, written)"
            " VALUES (%s, %s, NOW())",
            _MARK,
            f"{name}\n{mark.to_text()}",
        )

    def marked(self) -> dict[str, Mark]:
        siblings = [name for (name,) in self._rows("SHOW DATABASES") if _SIBLING.fullmatch(name)]
        found = (self._read(sibling) for sibling in siblings)
        return {name: mark for name, mark in found if mark is not None}

    def identity(self, name: Any) -> str:
        """Return what tells the server: databases have no identity of their own, but the age of
        their tables (see ``Store.older_than_database()``).
        """
        rows = self._rows(
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid', 'datadir')"
        )
        return " ".join(str(value) for _, value in sorted(rows))

    def drop(self, name: Any) -> None:
        for each in (str(name), sibling_of(str(name))):
            self._rows(f"DROP DATABASE IF EXISTS {quote(each)}")

    def _read(self, sibling: str) -> tuple[str, Mark | None]:
        """Return the name of the database that a sibling belongs to, and its mark."""
        sql = f"SELECT content FROM {documents_of(sibling)} WHERE name = %s"
        try:
            rows = self._rows(sql, _MARK)
        except self._error as error:
            if error_code(error) not in DENIED | _NOT_THERE:
                raise
            return "", None
        name, _, text = rows[0][0].partition("\n") if rows else ("", "", "")
        return name, Mark.from_text(text)

    def _rows(self, sql: str, *parameters: Any) -> tuple[tuple[Any, ...], ...]:
        cursor = self._session.cursor()
        cursor.execute(sql, parameters or None)
        rows = tuple(cursor.fetchall()) if cursor.description else ()
        cursor.close()  # not after an interrupt: it would ask for what has not come yet
        return rows


def _key(name: Any) -> str:
    return f"sanerunner {key_of(str(name), 16).hex()}"
