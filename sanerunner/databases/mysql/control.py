"""The control connection to a MySQL or MariaDB server, and what the server counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from django.db.backends.base.base import BaseDatabaseWrapper

MULTI_STATEMENTS = 1 << 16  # a flag of the protocol
LOCK_WAIT = 2  # seconds that a repair waits for the locks of other sessions

BLOCKED = {1205, 1213, 3572}  # lock wait timeout, deadlock, NOWAIT
LOST = {2002, 2003, 2006, 2013, 2055, 4031, 1927}  # the session is gone
DENIED = {1044, 1045, 1142, 1143, 1227, 1370, 1419}

WRITES = ("Handler_write",)
# Statements are counted beside rows: DELETE without WHERE counts no row in some engines.
CHANGES = (
    "Handler_update",
    "Handler_delete",
    "Com_delete",
    "Com_delete_multi",
    "Com_repair",
    "Com_flush",
)
TRUNCATES = ("Com_truncate",)
LOCKS = ("Com_lock_tables",)
SCHEMA = (
    "Com_rename_table",
    "Com_create_index",
    "Com_drop_index",
    *(
        f"Com_{verb}_{noun}"
        for verb in ("create", "alter", "drop")
        for noun in (
            *("db", "table", "view", "trigger", "procedure", "function", "event", "sequence"),
            *("package", "package_body"),
        )
    ),
)

COUNTED = (*WRITES, *CHANGES, *TRUNCATES, *SCHEMA, *LOCKS)


class Result(NamedTuple):
    """What one statement answered."""

    rows: tuple[tuple[Any, ...], ...]
    affected: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Activity:
    """How much was done on the server, since it started, by all sessions but the control's.

    ``writes``: rows inserted, also such as were rolled back; ``changes``: rows updated or
    deleted, and statements that may have done so; ``truncates``: TRUNCATE; ``schema``:
    statements that may have changed the schema; ``locks``: LOCK TABLES. No row and no counter
    can change without one of these growing.
    """

    writes: int
    changes: int
    truncates: int
    schema: int
    locks: int

    def __sub__(self, other: Activity) -> Activity:
        return Activity(
            self.writes - other.writes,
            self.changes - other.changes,
            self.truncates - other.truncates,
            self.schema - other.schema,
            self.locks - other.locks,
        )

    def __add__(self, other: Activity) -> Activity:
        return self - (NONE - other)

    def doubtful(self) -> Activity:
        """Return what makes a later comparison find a change, whatever happens until then."""
        return self - Activity(0, 0, 1, 0, 0)


NONE = Activity(0, 0, 0, 0, 0)


def quote(name: str) -> str:
    """Return ``name`` as an identifier of SQL."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """Return ``value`` as a string of SQL, by the rules of this session's sql_mode."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def error_code(error: BaseException) -> int:
    """Return the server's or client's number of a driver's error, 0 if it has none."""
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else 0


class Control:
    """A session of its own, in autocommit, that sends several statements in one round trip."""

    mariadb = True
    sees_transactions = False  # needs the PROCESS privilege
    drops_triggers = False  # needs the TRIGGER privilege; without it they fire in a repair

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._wrapper: Any = cast(Any, connection)
        self.Error: type[Exception] = self._wrapper.Database.Error
        self.database = str(connection.settings_dict["NAME"])
        self._session: Any = None
        self._own = NONE
        self._names = ",".join(f"'{name}'" for name in COUNTED)

    def open(self) -> None:
        """Connect, and find out what this user may see."""
        params = dict(self._wrapper.get_connection_params())
        params["client_flag"] = params.get("client_flag", 0) | MULTI_STATEMENTS
        self._session = self._wrapper.Database.connect(**params)
        self._session.autocommit(True)
        self._own = NONE
        ((version,),) = self.run("SELECT VERSION()")[0].rows
        self.mariadb = "mariadb" in str(version).lower()
        self.run(*self._session_settings())
        self.sees_transactions = self._permits("SHOW ENGINE INNODB STATUS")
        self.drops_triggers = bool(self.run(TRIGGER_PRIVILEGE)[0].rows)

    def close(self) -> None:
        """Disconnect; a session that the server has ended is no error."""
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except self.Error as error:
                if error_code(error) not in LOST:
                    raise

    @property
    def thread_id(self) -> int:
        return int(self._session.thread_id())

    def run(self, *statements: str) -> list[Result]:
        """Send ``statements`` in one round trip; return a result for each.

        Raises the driver's error of the first that fails; those after it are not run.
        """
        cursor = self._session.cursor()
        try:
            cursor.execute(";\n".join(statements))
            results = [_result(cursor)]
            while cursor.nextset():
                results.append(_result(cursor))
        finally:
            cursor.close()
        return results

    def rows(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        return self.run(statement)[0].rows

    def activity(self) -> tuple[Activity, frozenset[int]]:
        """Return what other sessions have done, and which are in a transaction now."""
        statements = [f"SHOW GLOBAL STATUS WHERE Variable_name IN ({self._names})"]
        if self.sees_transactions:
            statements.append("SHOW ENGINE INNODB STATUS")
        results = self.run(*statements)
        active: frozenset[int] = frozenset()
        if self.sees_transactions:
            active = _in_transaction(results[1].rows[0][2]) - {self.thread_id}
        return _activity(results[0].rows) - self._own, active

    def count_own(self, writes: int = 0, changes: int = 0, schema: int = 0) -> None:
        """Add what this session has just done, where that is known for certain.

        Too little is found out as the work of others, which costs time; too much would hide it.
        """
        self._own += Activity(writes, changes, 0, schema, 0)

    def recount_own(self) -> None:
        """Ask the server what this session has done so far."""
        rows = self.rows(f"SHOW SESSION STATUS WHERE Variable_name IN ({self._names})")
        self._own = _activity(rows)

    @property
    def own(self) -> Activity:
        return self._own

    def _session_settings(self) -> Iterable[str]:
        wait = f"lock_wait_timeout={LOCK_WAIT}, innodb_lock_wait_timeout={LOCK_WAIT}"
        modes = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION"
        # Read committed: reading a table to copy it takes no locks and waits for none.
        yield "SET NAMES utf8mb4"
        yield "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
        yield f"SET SESSION {wait}, sql_mode='{modes}', time_zone='+00:00'"
        yield "SET SESSION foreign_key_checks=0, group_concat_max_len=1048576"
        if self.mariadb:
            yield "SET SESSION check_constraint_checks=0"
        else:
            yield "SET SESSION information_schema_stats_expiry=0"

    def _permits(self, statement: str) -> bool:
        try:
            self.run(statement)
        except self.Error as error:
            if error_code(error) not in DENIED:
                raise
            return False
        return True


# Rights that come with a role are not listed: then a repair is only checked once more.
TRIGGER_PRIVILEGE = """
SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'TRIGGER'
UNION ALL
SELECT 1 FROM information_schema.schema_privileges
WHERE privilege_type = 'TRIGGER' AND DATABASE() LIKE table_schema
"""

_TRANSACTION = re.compile(r"^---TRANSACTION ", re.MULTILINE)
_THREAD = re.compile(r"^(?:MySQL|MariaDB) thread id (\d+)", re.MULTILINE)


def _in_transaction(status: str) -> frozenset[int]:
    """Return the ids of the sessions that InnoDB's status shows in a transaction.

    information_schema.innodb_trx would be easier to read, but is a copy that is not renewed
    while it is asked for more often than every 0.1 seconds.
    """
    found = set()
    for block in _TRANSACTION.split(status)[1:]:
        thread = _THREAD.search(block)
        if thread and "not started" not in block.partition("\n")[0]:
            found.add(int(thread[1]))
    return frozenset(found)


def _activity(rows: Iterable[tuple[Any, ...]]) -> Activity:
    values: Mapping[str, int] = {str(name): int(value) for name, value in rows}

    def total(names: Iterable[str]) -> int:
        return sum(values.get(name, 0) for name in names)

    return Activity(*map(total, (WRITES, CHANGES, TRUNCATES, SCHEMA, LOCKS)))


def _result(cursor: Any) -> Result:
    if cursor.description is None:
        return Result((), cursor.rowcount, ())
    columns = tuple(column[0] for column in cursor.description)
    return Result(tuple(cursor.fetchall()), cursor.rowcount, columns)
