"""Capturing and rewinding databases of MariaDB and MySQL.

The server counts all rows that are written, and all statements of a kind. What the counters
cannot rule out is looked for in the tables themselves: those that are empty in a state are
asked for a row, the others are compared with a copy, byte by byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ..operations import DatabaseOperations, LeakedSession, Rewound
from .capture import Capture
from .control import BLOCKED, LOST, NONE, Activity, Control, error_code, quote
from .copies import MySQLCopies
from .detection import Detector, Extent
from .leaks import Leaks
from .renewal import MySQLRenewal
from .repair import Repair, read_counters, read_sequences
from .rows import Shadow, read_tables
from .schema import Key, Schema, changed, put_back, read_schema, table_names
from .state import State, schema_from_json, schema_to_json, tables_from_json
from .store import Store

ATTEMPTS = 4
_NO_DATABASE = {1046, 1049}
_DOCUMENT = "document"


class MySQLOperations(DatabaseOperations):
    """States of one database. Without the PROCESS privilege, a session that is in a
    transaction but has written nothing yet cannot be seen, and is not ended.
    """

    vendor = "mysql"
    renewal_class = MySQLRenewal

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._control = Control(connection)
        self._store = Store(self._control)
        self._leaks = Leaks(self._control, connection)
        self._detector = Detector(self._control)
        self._repair = Repair(self._control)
        self._capture = Capture(self._control, self._store, self._detector)
        self._states: dict[str, State] = {}
        self._written: set[str] = set()  # schemas that are kept
        self._base: State | None = None  # what the database was last equal to
        self._seen: Activity | None = None  # what others had done by then
        self._drifted: set[str] | None = None  # tables whose counters may differ; None: any

    def open(self) -> None:
        self._control.open()

    def close(self) -> None:
        self._control.close()
        for state in self._states.values():
            state.prepared.clear()
        self._be_unsure()

    def _reopen(self) -> None:
        self.close()
        self._control.open()

    def discard(self) -> None:
        """Remove what is kept beside the database; to be called when it is dropped for good."""
        self._control.open()
        try:
            self._store.drop()
        finally:
            self._control.close()
        self._states.clear()
        self._be_unsure()

    # States

    def capture(self, state: str, *, complete: bool = True) -> None:
        try:
            self._take(state)
        except self._control.Error as error:
            if error_code(error) not in LOST:
                raise
            self._reopen()
            self._take(state)

    def _take(self, state: str) -> None:
        activity, active = self._control.activity()
        moved = activity - self._seen if self._seen else None
        captured = self._capture.take(self._base, moved, self._drifted)
        replaced = self._states.get(state)
        if replaced:
            self._detector.release(replaced)
        self._keep(state, captured)
        # What is written but not committed yet may be, with nothing to be counted then.
        doubt = any(self._leaks.using(active)) or self._detector.lock
        self._seen = activity.doubtful() if doubt else activity
        self._base, self._drifted = captured, set()
        if replaced:
            self._store.drop_all_but(self._shadows_in_use())
        self._control.recount_own()

    def rewind(self, state: str, *, counters: bool = True) -> Rewound:
        target = self._states[state]
        leaked: list[LeakedSession] = []
        for attempt in range(ATTEMPTS):
            try:
                found = self._rewind(target, counters, leaked)
            except self._control.Error as error:
                code = error_code(error)
                if attempt == ATTEMPTS - 1 or code not in BLOCKED | LOST:
                    raise
                self._be_unsure()  # a part may have been done
                if code in LOST:
                    self._reopen()
                else:
                    self._control.run("ROLLBACK")
                    leaked += self._leaks.end_blockers(target.tables, patient=not attempt)
            else:
                return Rewound(found.tables, found.rebuilt, found.reason, tuple(leaked))
        raise AssertionError("the last attempt returns or raises")

    def end_sessions(self) -> tuple[LeakedSession, ...]:
        leaked: list[LeakedSession] = []
        try:
            if self._base is not None:
                self._quiet(self._base, leaked)
        except self._control.Error as error:
            if error_code(error) not in LOST:  # else it is opened anew by the next rewind
                raise
        return tuple(leaked)

    def forget(self, state: str) -> None:
        forgotten = self._states.pop(state, None)
        if forgotten is None:
            return
        self._detector.release(forgotten)
        self._store.remove([f"state:{state}"])
        self._store.drop_all_but(self._shadows_in_use())
        self._control.recount_own()

    def schemas_differ(self, state: str, other: str) -> bool:
        return self._states[state].schema != self._states[other].schema

    def checksums(self, *, counters: bool = True) -> Mapping[str, str]:
        schema = read_schema(self._control)
        found = {"schema": _digest(sorted(map(repr, schema.items())))}
        for name, table in read_tables(self._control).items():
            columns = ", ".join(column.ascii("t") for column in table.columns) or "1"
            rows = self._control.rows(f"SELECT {columns} FROM {quote(name)} t")
            found[name] = _digest(sorted(map(repr, rows)))
        if counters:
            for name, value in read_counters(self._control).items():
                found[f"{name} AUTO_INCREMENT"] = str(value)
        sequences = read_sequences(self._control, table_names(schema, "SEQUENCE"))
        found.update((name, str(values)) for name, values in sequences.items())
        return found

    # What a kept database remembers

    def read_document(self) -> dict[str, Any] | None:
        if self._store.older_than_database(_DOCUMENT):
            return None
        document: dict[str, Any] | None = self._store.read(_DOCUMENT)
        return document

    def write_document(self, document: Mapping[str, Any]) -> None:
        self._store.write(_DOCUMENT, dict(document))
        self._remove_strangers()
        self._control.recount_own()

    def resume(self, state: str) -> bool:
        content = self._store.read(f"state:{state}")
        schema = self._store.read(content["schema"]) if content else None
        if schema is None:
            return False
        objects, tables = schema_from_json(schema["objects"]), tables_from_json(schema["tables"])
        resumed = State.from_json(content, objects, tables)
        if not self._store.intact(resumed.shadows.values()):
            return False
        self._states[state] = resumed
        return True

    def copies(self) -> MySQLCopies:
        return MySQLCopies(self.connection)

    # Inside

    def _keep(self, name: str, state: State) -> None:
        self._states[name] = state
        if self._store.writable():
            if state.document not in self._written:
                schema = {"objects": schema_to_json(state.schema), "tables": state.tables}
                self._store.write(state.document, schema)
                self._written.add(state.document)
            self._store.write(f"state:{name}", state.to_json())

    def _remove_strangers(self) -> None:
        """Remove the states of earlier processes that this one has not resumed."""
        kept = {f"state:{name}" for name in self._states} | {_DOCUMENT}
        self._written = {state.document for state in self._states.values()}
        kept |= self._written
        self._store.remove([name for name in self._store.names() if name not in kept])
        self._store.drop_all_but(self._shadows_in_use())

    def _shadows_in_use(self) -> list[Shadow]:
        states = [*self._states.values(), *([self._base] if self._base else [])]
        return [shadow for state in states for shadow in state.shadows.values()]

    def _be_unsure(self) -> None:
        """Take nothing of what was last seen for granted."""
        self._base = self._seen = self._drifted = None

    def _rewind(self, target: State, counters: bool, leaked: list[LeakedSession]) -> Rewound:
        activity = self._quiet(target, leaked)
        moved = activity - self._seen if self._seen and target is self._base else None
        if moved == NONE and not target.sequences and not (counters and self._drifted != set()):
            return Rewound()
        rebuilt = self._restore_schema(target, activity)
        dirty, written = self._detector.find(target, None if rebuilt else moved)
        tables = dirty - target.sequences.keys()
        redone = bool(tables) and self._repair.rows(target, tables)
        if tables and not self._control.drops_triggers:
            self._repair_again(target)
        self._repair.sequences(target, sorted(dirty & target.sequences.keys()))
        if written is None or self._drifted is None or redone:
            self._drifted = None
        else:
            self._drifted = self._drifted | written
        if counters or rebuilt or redone:
            dirty = dirty | self._repair.counters(target, self._drifted)
            self._drifted = set()
        self._base, self._seen = target, activity
        return _report(dirty, rebuilt, redone)

    def _quiet(self, target: State, leaked: list[LeakedSession]) -> Activity:
        """End transactions and table locks of others; return what they had done by then."""
        activity, active = self._control.activity()
        if self._seen is None or activity.locks != self._seen.locks:
            leaked += self._leaks.end_table_locks()
        ours, more = self._leaks.using(active)
        if ours:
            leaked += self._leaks.end_transactions(ours, target.tables)
            activity, active = self._control.activity()
            ours, more = self._leaks.using(active)
        return activity.doubtful() if ours or more else activity

    def _restore_schema(self, target: State, activity: Activity) -> list[Key]:
        """Drop and create what differs in the schema; return it."""
        if self._base and self._seen and activity.schema == self._seen.schema:
            present = self._base.schema
        else:
            present = self._read_schema()
        keys = changed(present, target.schema)
        if keys:
            put_back(self._control, present, target.schema)
            self._control.recount_own()
        return keys

    def _read_schema(self) -> Schema:
        """Return the present schema; a database that was dropped is made again, empty."""
        try:
            return read_schema(self._control)
        except self._control.Error as error:
            if error_code(error) not in _NO_DATABASE:
                raise
        name = quote(self._control.database)
        self._control.run(f"CREATE DATABASE {name}", f"USE {name}")
        self.connection.close()
        return read_schema(self._control)

    def _repair_again(self, target: State) -> None:
        """Undo what triggers, which this user may not drop, have written during the repair."""
        for _ in range(ATTEMPTS):
            tables = self._detector.changed(target, Extent.ALL) - target.sequences.keys()
            if not tables:
                return
            self._repair.rows(target, tables)


def _report(dirty: set[str], rebuilt: list[Key], redone: bool) -> Rewound:
    reasons = []
    if rebuilt:
        more = f" and {len(rebuilt) - 3} more" if len(rebuilt) > 3 else ""
        names = ", ".join(str(key) for key in rebuilt[:3])
        reasons.append(f"the schema had changed: {names}{more}")
    if redone:
        reasons.append("rows could not be deleted from a table")
    dirty = dirty | {key.name for key in rebuilt if key.kind == "TABLE"}
    return Rewound(tuple(sorted(dirty)), bool(rebuilt or redone), "; ".join(reasons))


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
