"""Captures and restores SQLite databases: in files, and in memory with a shared cache.

A control connection, apart from Django's, has the database attached as ``tested`` and copies of
the rows of each state as ``kept``. A rewind takes the write lock, so that nobody else can write
meanwhile; asks SQLite whether anybody has committed since (``data_version``); looks through all
tables for rows that are not those of the state; and puts these rows back. Where the schema has
changed, and for virtual tables, an image of the pages is copied over the database first.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ..operations import DatabaseOperations, LeakedSession, Rewound
from ..vendors import in_memory
from .control import Control, is_lock
from .copies import SQLiteCopies, database_path, sidecar_of
from .schema import Schema, Table, read_master, read_schema
from .sessions import Sessions, fresh_name, replace_file
from .store import State, Store, remove

_SEQUENCES = "sqlite_sequence"


class SQLiteOperations(DatabaseOperations):
    """See the module. ``<path>.sane`` beside a file keeps what outlives the process.

    A session that cannot be ended keeps the old file, or the old database in memory, and a new
    one takes its place: at the same path, or in memory under another NAME in the settings.
    """

    vendor = "sqlite"

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._sessions = Sessions(connection)
        self._control = Control(connection)
        self._sidecar: Path | None = None
        self._clean: tuple[str, int] | None = None  # the state, and data_version when it was
        self._schema: tuple[Schema, int] | None = None  # the schema, and schema_version

    def open(self) -> None:
        try:
            self._control.open(self._sessions.name)
            path = self._control.path
            self._sidecar = sidecar_of(path) if path else None
            self._store = Store(self._control, self._sidecar)
            self._store.open()
        except BaseException:
            self._control.close()
            raise
        self._sessions.open()

    def close(self) -> None:
        self._sessions.close()
        self._control.close()

    def discard(self) -> None:
        """Remove the file beside the database."""
        if not in_memory(self.connection):
            remove(self._sidecar or sidecar_of(database_path(self.connection)))

    def capture(self, state: str, *, complete: bool = True) -> None:
        with self._control.locks_told():
            self._store.mark()
            schema = self._present_schema()
            image = self._store.keep_image(schema)  # not in a transaction: it would wait for it
        with self._control.reading():
            version = self._control.pragma("data_version")
            shadows = self._store.copy_changed(schema, self._nearest(schema), self._changed)
            self._store.save(state, State(schema, shadows, self._store.header(), image))
            self._store.remove_unused()
        self._clean = (state, version)

    def rewind(self, state: str, *, counters: bool = True) -> Rewound:
        held = self._store.states[state]
        leaked = self._sessions.roll_back()
        if self._control.file_is_gone():
            return self._rebuild(state, held, leaked, "the file was removed or replaced")
        for end in (self._close_sessions, self._move_away):
            try:
                return self._rewind(state, held, leaked)
            except sqlite3.DatabaseError as error:
                self._control.raw.rollback()
                if not is_lock(error):
                    return self._rebuild(state, held, leaked, f"the repair failed: {error}")
            leaked = leaked or (LeakedSession(self._sessions.name),)
            end(held)
        return self._rewind(state, held, leaked)

    def end_sessions(self) -> tuple[LeakedSession, ...]:
        """Only Django's: others are found when they are in the way of a rewind."""
        return self._sessions.roll_back()

    def forget(self, state: str) -> None:
        if state not in self._store.states:
            raise KeyError(state)
        with self._control.transaction("BEGIN"):
            self._store.delete(state)
            self._store.remove_unused()

    def schemas_differ(self, state: str, other: str) -> bool:
        held = self._store.states
        return set(held[state].schema.master) != set(held[other].schema.master)

    def checksums(self, *, counters: bool = True) -> Mapping[str, str]:
        control = self._control
        with control.reading():
            master = read_master(control.raw, "tested")
            schema = read_schema(control.raw, "tested", master)
            sums = {"(schema)": _digest(master), "(header)": _digest(self._store.header())}
            for table in schema.tables.values():
                if table.name != _SEQUENCES:
                    sums[table.name] = _digest(control.rows(table))
            if _SEQUENCES in schema.tables:
                for name, value in control.all(
                    f"SELECT name, quote(seq) FROM tested.{_SEQUENCES}"
                ):
                    sums[f"{name} (counter)"] = value
        return sums

    def read_document(self) -> dict[str, Any] | None:
        return self._store.read_document()

    def write_document(self, document: Mapping[str, Any]) -> None:
        self._store.mark()
        self._store.write_document(document)

    def resume(self, state: str) -> bool:
        if self._control.path is None:
            return False
        return state in self._store.states or self._store.load(state)

    def copies(self) -> SQLiteCopies:
        return SQLiteCopies(self.connection)

    def _rewind(self, state: str, held: State, leaked: tuple[LeakedSession, ...]) -> Rewound:
        control = self._control
        control.begin()
        if self._clean == (state, control.pragma("data_version")):
            control.raw.rollback()
            return Rewound(leaked=leaked)
        self._clean = None
        reason = self._schema_drift(held)
        if reason:
            self._restore_image(held)
        names: list[str] = []
        dirty = self._detect(held)
        if any(table.virtual for table in dirty):
            names += self._names(held, dirty)
            self._restore_image(held)
            dirty = [table for table in self._detect(held) if table.comparable]
        names += self._names(held, dirty)
        self._repair(held, dirty)
        names += self._repair_header(held)
        version = control.pragma("data_version")  # own commits do not change it
        control.raw.commit()
        self._clean = (state, version)
        tables = tuple(dict.fromkeys(names))
        return Rewound(tables, rebuilt=bool(reason), reason=reason, leaked=leaked)

    def _rebuild(
        self, state: str, held: State, leaked: tuple[LeakedSession, ...], reason: str
    ) -> Rewound:
        """Put a copy in the place of a database that cannot be repaired."""
        self._move_away(held)
        return replace(self._rewind(state, held, leaked), rebuilt=True, reason=reason)

    def _schema_drift(self, held: State) -> str:
        """Return what differs in the schema from that of the state; nothing if nothing does."""
        differing = set(self._present_schema().master) ^ set(held.schema.master)
        if not differing:
            return ""
        return f"the schema had changed: {', '.join(sorted({row[1] for row in differing}))}"

    def _present_schema(self) -> Schema:
        cookie = self._control.pragma("schema_version")
        if self._schema is None or self._schema[1] != cookie:
            self._schema = (self._store.present_schema(), cookie)
        return self._schema[0]

    def _nearest(self, schema: Schema) -> str | None:
        """Return a held state with this schema, the last one that the database was in if any."""
        names = [name for name, each in self._store.states.items() if each.schema is schema]
        if self._clean is not None and self._clean[0] in names:
            return self._clean[0]
        return names[-1] if names else None

    def _changed(self, state: str) -> list[Table]:
        """Return the tables that are not as in ``state``; there are none if nobody has written."""
        if self._clean == (state, self._control.pragma("data_version")):
            return []
        return self._detect(self._store.states[state])

    def _detect(self, held: State) -> list[Table]:
        """Return the tables whose rows are not those of the state."""
        return [held.tables[row[0]] for sql in held.detection for row in self._control.all(sql)]

    def _names(self, held: State, dirty: Iterable[Table]) -> list[str]:
        """Return the names to report: of tables, also where only the counter had moved."""
        names = [table.name for table in dirty if table.name != _SEQUENCES]
        for table in dirty:
            if table.name == _SEQUENCES:
                here = f"SELECT name, seq FROM {table.target}"
                shadow = held.shadow_of(table)
                kept = f"SELECT name, seq FROM kept.{shadow}" if shadow else "SELECT 0, 0 WHERE 0"
                for first, second in ((here, kept), (kept, here)):
                    rows = self._control.all(f"SELECT name FROM ({first} EXCEPT {second})")
                    names += [row[0] for row in rows]
        return names

    def _repair(self, held: State, dirty: list[Table]) -> None:
        tables = [table for table in dirty if table.name != _SEQUENCES]
        with self._control.without_triggers(tables):
            for table in tables:
                self._repair_table(held, table)
        if dirty and _SEQUENCES in held.schema.tables:  # which the repairs may have written
            self._repair_table(held, held.schema.tables[_SEQUENCES])

    def _repair_table(self, held: State, table: Table) -> None:
        for statement in table.repair(held.shadow_of(table)):
            self._control.all(statement)

    def _repair_header(self, held: State) -> list[str]:
        """Put the numbers of the header back; return the names of those that had changed."""
        present = self._store.header()
        changed = [name for name, value in held.header.items() if present[name] != value]
        for name in changed:
            self._control.all(f"PRAGMA tested.{name} = {held.header[name]}")
        return changed

    def _restore_image(self, held: State) -> None:
        """Copy the image of the state over the database, and take the lock again."""
        self._control.raw.rollback()
        with closing(self._store.image(held.image)) as image:
            self._control.restore(image)
        self._control.begin()

    def _close_sessions(self, held: State) -> None:
        """Close what Django has open, with the cursors that were not read to their end."""
        was_open = self.connection.connection is not None
        self._sessions.close_all()
        if was_open and self._control.path is None and not self.connection.in_atomic_block:
            self.connection.connect()  # else the database would end with the control connection

    def _move_away(self, held: State) -> None:
        """Leave the database to a session that cannot be ended; put a copy in its place."""
        mode = self._control.journal_mode()
        self._sessions.close_all()
        self._clean = self._schema = None
        self._control.detach()
        with closing(self._store.image(held.image)) as image:
            if self._control.path is not None:
                replace_file(self._control.path, image)
                self._control.attach(self._sessions.name)
                self._control.pragma(f"journal_mode = {mode}")
                return
            self._sessions.rename(fresh_name(self._sessions.name))
            self._control.attach(self._sessions.name)
            self._control.restore(image)
        if not self.connection.in_atomic_block:
            self.connection.connect()


def _digest(content: Any) -> str:
    return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()
