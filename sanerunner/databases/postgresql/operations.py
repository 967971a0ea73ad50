"""Rewinds PostgreSQL databases: rows are told by their age, the schema comes from a template.

Not handled: large objects, foreign tables, tables of extensions, tables that the role may not
read or that hide rows from it (row-level security), prepared transactions. Nothing else may
write to the database while it is captured or rewound.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from ...exceptions import RewindError
from ..operations import LeakedSession, Rewound
from .catalog import Layout
from .copies import PostgreSQLCopies
from .leaks import busy
from .rebuilding import Rebuilding
from .renewal import PostgreSQLRenewal
from .repair import RepairFailed
from .schema import read_version
from .state import Content, State, load_contents
from .store import read_checksums
from .watch import remove


class PostgreSQLOperations(Rebuilding):
    """See the module."""

    vendor: ClassVar[str] = "postgresql"
    renewal_class = PostgreSQLRenewal
    images_hold_states = True  # those on the server

    # Capture

    def capture(self, state: str, *, complete: bool = True) -> None:
        try:
            self._capture(state, complete)
        except self._sessions.detecting.error:
            if not self._sessions.lost:
                raise
            self._reopen(self._current)
            self._capture(state, complete)

    def _capture(self, state: str, complete: bool) -> None:
        self._store.prepare()
        if not self._states:
            self._begin_anew()
        taken = self._take(state)
        replaced = self._states.get(state)
        self._states[state] = taken
        self._current = taken
        if self._engine is None or self._layout is not taken.layout:
            self._use(taken)
        if replaced is not None:
            self._let_go(replaced)
        self._store.save(taken)
        self._complete = complete
        if complete and self._origin(taken.layout) is None:
            self._make_origin(taken)

    def _begin_anew(self) -> None:
        """Take away what earlier runs have left, and what depends on it."""
        if self._store.on_server:
            remove(self._sessions.repairing)
        self._store.clear()
        self._engine = self._current = None
        self._origins.clear()

    def _take(self, name: str) -> State:
        """Copy what differs from the state that the database last contained."""
        sessions, before = self._sessions, self._current
        if before is not None and self._engine is not None:
            look = self._engine.look(before, before, leaks=False)
            layout, items = before.layout, look.items | look.marked
            if look.schema:
                before = None
        if before is None:
            layout = self._known_layout()
            items = set(range(len(layout.items)))
        # What a transaction that is still open has written is of no state, when it is committed.
        open_ones = busy(sessions.detecting)
        with sessions.repairing.transaction("ISOLATION LEVEL REPEATABLE READ"):
            ((xid, oldest),) = sessions.repairing.rows(
                "SELECT pg_current_xact_id()::text::bigint,"
                " pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
            )
            contents = self._store.copy(layout, items, xid)
            if self._engine is not None:
                self._engine.forget_marks()
        if self._engine is not None:
            self._engine.captured()
        known: tuple[Content, ...] = before.contents if before is not None else ()
        return State(
            name,
            layout,
            tuple(contents[i] if i in items else known[i] for i in range(len(layout.items))),
            oldest - 1 if open_ones else xid,
        )

    def forget(self, state: str) -> None:
        forgotten = self._states.pop(state, None)
        if forgotten is not None:
            self._store.remove(state)
            self._let_go(forgotten)

    def have_one_schema(self, state: str, other: str) -> bool:
        return self._states[state].layout is self._states[other].layout

    def schemas_differ(self, state: str, other: str) -> bool:
        return self._states[state].layout.digest != self._states[other].layout.digest

    # Rewind

    def rewind(self, state: str, *, counters: bool = True) -> Rewound:
        target = self._states[state]
        try:
            return self._rewind(target)
        except (self._sessions.detecting.error, TimeoutError) as error:
            if not self._sessions.lost:
                return self._rebuild_after(error, target)
        self._reopen(target)
        try:
            return self._rewind(target)
        except self._sessions.detecting.error as error:  # it is lost whenever it is repaired
            self._reopen(target)
            return self._rebuild_after(error, target)

    def _rebuild_after(
        self, error: Exception, target: State, leaked: tuple[LeakedSession, ...] = ()
    ) -> Rewound:
        """Make the database anew as it could not be repaired. Raises RewindError."""
        try:
            reason = f"the repair failed: {str(error).splitlines()[0]}"
            return self._rebuild(target, reason, leaked)
        except RewindError as failed:
            raise failed from error

    def _rewind(self, target: State) -> Rewound:
        engine = self._engine
        if engine is None or self._layout is not target.layout:
            leaked = engine.end_sessions() if engine is not None else ()
            return self._rebuild(target, "another schema was captured", leaked)
        look = engine.look(target, self._current)
        if look.schema and not self._complete:
            self._current = None
            self.capture(target.name)
            return Rewound(rebuilt=True, reason=f"{_changed(look.schema)}; kept")
        if look.schema:
            return self._rebuild(target, _changed(look.schema), look.leaked)
        try:
            repaired = engine.repair(target, look)
        except (RepairFailed, self._sessions.detecting.error) as error:
            if self._sessions.lost:
                raise
            return self._rebuild_after(error, target, look.leaked)
        self._finish(target)
        reason = _changed(look.dropped) if look.dropped else ""
        return Rewound(target.layout.labels(repaired), bool(look.dropped), reason, look.leaked)

    def end_sessions(self) -> tuple[LeakedSession, ...]:
        try:
            if self._engine is not None and busy(self._sessions.detecting):
                return self._engine.end_sessions()
        except self._sessions.detecting.error:
            if not self._sessions.lost:  # else they are opened anew by the next rewind
                raise
        return ()

    # Reading all of it

    def checksums(self, *, counters: bool = True) -> Mapping[str, str]:
        return read_checksums(self._sessions.detecting, self._read_layout())

    # What a kept database remembers

    def read_document(self) -> dict[str, Any] | None:
        body = self._document if not self._store.on_server else self._store.read_document()
        if body is None:
            return None
        document: dict[str, Any] = json.loads(body)
        return document

    def write_document(self, document: Mapping[str, Any]) -> None:
        """Store a document; where the role may make no schema, for this process only."""
        self._document = json.dumps(document)
        self._store.write_document(self._document)
        self._save_layout()

    def _save_layout(self) -> None:
        if self._layout is not None:
            self._store.save_layout(self._layout, self._sessions.reader)

    def resume(self, state: str) -> bool:
        body = self._store.load(state)
        if body is None or not self._store.counts_from(body):
            return False
        layout = self._stored_layout()
        if layout is None or layout.digest != body["schema"]:
            layout = self._known_layout()
            if layout.digest != body["schema"]:
                layout = self._restored_layout(body["schema"])
                if layout is None:
                    return False
            self._store.save_layout(layout, self._sessions.reader)
        contents = load_contents(layout, body["contents"])
        resumed = State(state, layout, contents, body["xid"], set(body["rewrite"]))
        if not self._store.has(resumed.shadows()):
            return False
        self._states[state] = resumed
        if self._layout is not layout:
            self._use(resumed)
        self._load_origin(layout)
        self._complete = self._origin(layout) is not None
        self._resumed = True
        return True

    def restore(self, state: str) -> bool:
        """The schema, which has been read, is not read again."""
        if not self.resume(state):
            return False
        assert self._engine is not None
        self._engine.trust_schema()
        self.rewind(state)
        return True

    def _stored_layout(self) -> Layout | None:
        """Return the layout as an earlier run has stored it, if that is still so."""
        if self._states:
            return None
        return self._store.load_layout(
            read_version(self._sessions.detecting), self._sessions.reader
        )

    def copies(self) -> PostgreSQLCopies:
        return PostgreSQLCopies(self.connection)

    @contextmanager
    def cloning(self) -> Iterator[Callable[[str], None]]:
        """A database can be a template only while there is no session to it."""
        self._save_layout()
        self._sessions.close()
        try:
            with super().cloning() as clone:
                yield clone
        finally:
            self.open()
            root = self._current or next(iter(self._states.values()), None)
            if root is not None:
                self._use(root)


def _changed(names: tuple[str, ...]) -> str:
    """Return "the schema was changed (public.a, public.b, …)"."""
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"the schema was changed ({shown})"
