"""Renews Django's session to a PostgreSQL database."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ..renewal import SessionRenewal
from .schema import SCHEMA
from .session import TUPLES_OK

# What DISCARD ALL does, but for the plans; the rows tell whether there may be notifications.
_RESET = """
CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ALL; DEALLOCATE ALL; UNLISTEN *;
SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; {settings}
SELECT pg_listening_channels() LIMIT 1"""

_SETTINGS = "SELECT name, setting FROM pg_settings WHERE source = 'session'"

# Of what a session has, that which cannot be put back: what receivers of ``connection_created``
# have made; and functions that may leave a setting of a name with a dot (see _DOUBTFUL).
_FIXED = rf"""
SELECT 1 WHERE EXISTS (SELECT FROM pg_listening_channels())
 OR EXISTS (SELECT FROM pg_prepared_statements) OR pg_my_temp_schema() <> 0
 OR EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
 OR EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', '{SCHEMA}')
            AND (p.prosrc ~* '\mset_config\M|\mset\s+((session|local)\s+)?["\w]+\s*\.'
                 OR array_to_string(p.proconfig, ',') ~ '(^|,)[^=,]*\.[^=,]*='))"""

#: RESET ALL leaves a setting like "app.tenant" empty, where a new session has none. Sessions to
#: come have what is altered for a role or database.
_DOUBTFUL = re.compile(
    r"\bset_config\s*\((?!\s*'\w+'\s*,)"
    r'|\bset\s+((session|local)\s+)?["\w]+\s*\.'
    r"|\balter\s+(role|user|database|system)\b|\bload\b",
    re.IGNORECASE,
)

_DRIVER = (
    *("autocommit", "isolation_level", "read_only", "readonly", "deferrable", "encoding"),
    *("row_factory", "server_cursor_factory", "prepare_threshold", "prepared_max"),
)
_DRIVER_LISTS = ("_notice_handlers", "_notify_handlers", "string_types", "binary_types")
_LONG = 5000  # characters of SQL that is searched each time
_IDLE = 0  # the driver's number for a session in no transaction


class PostgreSQLRenewal(SessionRenewal):
    """Puts settings and role back in one round trip, and drops what else a session can have.

    A setting of one's own ("app.tenant") cannot be unset: whether a test may have made one is
    told by its SQL, and by the functions that the database has.
    """

    def __init__(self) -> None:
        super().__init__()
        self._statement = ""
        self._driver: tuple[Any, ...] = ()
        self._cursor_factory: Any = None
        self._doubtful: list[str] = []  # SQL of the present test

    def supports(self, connection: BaseDatabaseWrapper) -> bool:
        options = connection.settings_dict["OPTIONS"]
        return not options.get("pool") and options.get("prepare_threshold") is None

    def learn(self, connection: BaseDatabaseWrapper) -> bool:
        session: Any = connection.connection
        with session.cursor() as cursor:
            cursor.execute(_FIXED)
            if cursor.fetchone() is not None:
                return False
            cursor.execute(_SETTINGS)
            settings = [row for row in cursor.fetchall() if not row[0].startswith("transaction_")]
            cursor.execute("SELECT current_setting('role')")
            settings += [("role", role) for (role,) in cursor.fetchall() if role != "none"]
        calls = [f"set_config({_quote(name)}, {_quote(value)}, false)" for name, value in settings]
        self._statement = _RESET.format(settings="".join(f"SELECT {call};" for call in calls))
        session.cursor_factory = self._cursor_factory = self._watching(session.cursor_factory)
        self._doubtful.clear()
        self._driver = _driver(session)
        return True

    def reset(self, connection: BaseDatabaseWrapper) -> bool:
        session: Any = connection.connection
        if (
            self._doubtful
            or session.closed
            or session.info.transaction_status != _IDLE
            or session.cursor_factory is not self._cursor_factory
            or _driver(session) != self._driver
        ):
            return False
        renewed = _finds_nothing(session, self._cursor_factory.__base__, self._statement)
        connection.ensure_timezone()  # which a test may have changed for good
        return renewed

    def _watching(self, factory: Any) -> Any:
        """Return the class of cursors that notes doubtful SQL."""
        doubtful = self._doubtful

        def watched(name: str) -> Any:
            original = getattr(factory, name)

            def execute(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
                text = query if isinstance(query, str) else repr(query)
                if (_is_doubtful if len(text) < _LONG else _DOUBTFUL.search)(text):
                    doubtful.append(str(query))
                return original(cursor, query, *args, **kwargs)

            return execute

        names = ("execute", "executemany")
        return type(factory.__name__, (factory,), {name: watched(name) for name in names})


@lru_cache(maxsize=500)
def _is_doubtful(query: str) -> bool:
    return _DOUBTFUL.search(query) is not None


def _finds_nothing(session: Any, factory: Any, statements: str) -> bool:
    """Execute ``statements``; return whether the last one gives no row."""
    if hasattr(session, "set_session"):  # psycopg2
        with session.cursor(cursor_factory=factory) as cursor:
            cursor.execute(statements)
            return cursor.fetchone() is None
    result = session.pgconn.exec_(statements.encode())  # gives the last of several results
    return bool(result.status == TUPLES_OK and result.ntuples == 0)


def _driver(session: Any) -> tuple[Any, ...]:
    """Return what the driver's object can be told, for comparison."""
    plain = [getattr(session, name, None) for name in _DRIVER]
    return (*plain, *(tuple(getattr(session, name, None) or ()) for name in _DRIVER_LISTS))


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
