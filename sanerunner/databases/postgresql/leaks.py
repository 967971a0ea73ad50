"""Other sessions of a PostgreSQL database that hold a transaction or a lock: ended."""

from __future__ import annotations

import time

from django.db.backends.base.base import BaseDatabaseWrapper

from ..operations import LeakedSession
from .session import Session, close_django

#: How long sessions may take to finish what they do, and to end when they are told to.
GRACE_SECONDS = 0.1
END_MILLISECONDS = 2000

# The functions behind the views pg_stat_activity and pg_locks: without joins for names.
_BUSY = """
SELECT 2, pid::int8 FROM pg_stat_get_activity(NULL)
WHERE datid = {database} AND backend_type = 'client backend'
 AND state IN ('active', 'idle in transaction', 'idle in transaction (aborted)',
               'fastpath function call') AND pid <> pg_backend_pid()
UNION ALL SELECT 2, pid::int8 FROM pg_lock_status()
WHERE locktype = 'advisory' AND database = {database}"""

_LOCKED = """
SELECT n.nspname || '.' || c.relname, n.nspname = %s, c.relname,
 bool_or(l.mode <> 'AccessShareLock') FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.pid = %s AND l.granted AND c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%%'
 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY 1, 2, 3 ORDER BY 1"""


def busy_query(session: Session) -> str:
    """Return a query for (2, process id) of the sessions that are in a transaction."""
    return _BUSY.format(database=session.database)


def busy(session: Session) -> list[int]:
    """Return the process ids of sessions that are in a transaction."""
    return sorted({pid for _, pid in session.numbers(busy_query(session))})


def end_sessions(
    session: Session, wrapper: BaseDatabaseWrapper, schema: str
) -> list[LeakedSession]:
    """End all sessions that stay in a transaction or hold an advisory lock; tell which, with
    the tables of the schema.

    Raises TimeoutError if one does not end.
    """
    ours = close_django_busy(session, wrapper, schema)
    deadline = time.monotonic() + GRACE_SECONDS
    pids = busy(session)
    while pids and time.monotonic() < deadline:
        time.sleep(GRACE_SECONDS / 10)
        pids = [pid for pid in busy(session) if pid in pids]
    leaked = [LeakedSession(str(pid), _tables_of(session, pid, schema)) for pid in pids]
    for pid in pids:
        session.rows("SELECT pg_terminate_backend(%s, %s)", [pid, END_MILLISECONDS])
    remaining = set(busy(session)) & set(pids)
    if remaining:
        numbers = ", ".join(map(str, sorted(remaining)))
        raise TimeoutError(f"PostgreSQL did not end the session {numbers}, left by a test.")
    return [*ours, *leaked]


def close_django_busy(
    session: Session, wrapper: BaseDatabaseWrapper, schema: str
) -> list[LeakedSession]:
    """Close those of Django's own sessions that are in a transaction."""
    tables = {pid: _tables_of(session, pid, schema) for pid in busy(session)}
    closed = close_django(wrapper, list(tables))
    return [LeakedSession(str(pid), tables[pid]) for pid in closed]


def _tables_of(session: Session, pid: int, schema: str) -> tuple[str, ...]:
    """Return the tables that a session has written or locked; if none, those it has read."""
    found = session.rows(_LOCKED, [schema, pid])
    written = [row for row in found if row[3]]
    return tuple(row[2] if row[1] else row[0] for row in written or found)
