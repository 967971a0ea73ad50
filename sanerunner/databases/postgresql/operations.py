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

from django.db.backends.base.base import BaseDatabaseWrapper

from ...exceptions import RewindError
from ..operations import DatabaseOperations, LeakedSession, Rewound
from ..vendors import name_of
from .catalog import Layout, read_layout
from .copies import PostgreSQLCopies
from .detection import busy
from .engine import Engine, Look, Sessions
from .renewal import PostgreSQLRenewal
from .repair import RepairFailed
from .schema import read_version
from .state import Content, Origin, Rows, State, load_contents
from .store import Store, read_checksums
from .template import Template, Templates
from .watch import remove


class PostgreSQLOperations(DatabaseOperations):
    """See the module. What the fields mean: ``_current`` is the state that the database was
    last known to contain, ``_origins`` has a template for each schema that was captured.
    """

    vendor: ClassVar[str] = "postgresql"
    renewal_class = PostgreSQLRenewal

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._templates = Templates(connection)
        self._states: dict[str, State] = {}
        self._origins: list[Origin] = []
        self._current: State | None = None
        self._engine: Engine | None = None
        self._layout: Layout | None = None
        self._document: str | None = None
        self._may_copy = True
        self._complete = True  # whether there is a template, or nobody may make one
        self._resumed = False  # a state of an earlier process, to which nothing was rewound yet

    def open(self) -> None:
        self._sessions = Sessions(self.connection)
        self._store = Store(self._sessions.repairing, self._sessions.detecting)

    def close(self) -> None:
        self._sessions.close()

    def discard(self) -> None:
        """Drop what was made beside the database."""
        self._templates.drop()

    def _reopen(self, root: State | None) -> None:
        """Open new sessions; all must be looked at."""
        self._sessions.close()
        self.open()
        self._engine = None
        if root is not None:
            self._use(root)

    def _use(self, root: State) -> Engine:
        self._layout = root.layout
        self._engine = Engine(self._sessions, self._store, root.layout, root)
        return self._engine

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

    def _let_go(self, state: State) -> None:
        held = [*self._states.values(), *([self._current] if self._current else [])]
        shadows = state.shadows().difference(*(each.shadows() for each in held))
        if self._engine is not None:
            self._engine.forget(state, shadows)

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

    def _finish(self, target: State) -> None:
        assert self._engine is not None
        before, self._current = self._current, target
        if before is not None and before not in self._states.values():
            self._let_go(before)
        if self._resumed:  # perhaps no test commits: what these need is made by the next rewind
            self._resumed = False
            return
        self._engine.finish(self._states.values())
        if self._origin(target.layout) is None:  # the first rewind
            self._make_origin(target)
        self._complete = True

    def end_sessions(self) -> tuple[LeakedSession, ...]:
        try:
            if self._engine is not None and busy(self._sessions.detecting):
                return self._engine.end_sessions()
        except self._sessions.detecting.error:
            if not self._sessions.lost:  # else they are opened anew by the next rewind
                raise
        return ()

    # The schema

    def _origin(self, layout: Layout) -> Origin | None:
        return next((each for each in self._origins if each.layout is layout), None)

    def _make_origin(self, state: State) -> None:
        """Make the template, which then has the content of ``state``."""
        if not self._may_copy:
            return
        held = [each.shadows() for each in self._states.values()]
        template = self._templates.plan()
        origin = Origin(template, state.layout, state.contents, frozenset().union(*held))
        self._store.save_origin(origin)
        self._sessions.close()
        try:
            self._may_copy = self._templates.make(template)
        finally:
            self.open()
            self._use(state)
        if self._may_copy:
            self._origins.append(origin)

    def _rebuild(self, target: State, reason: str, leaked: tuple[LeakedSession, ...]) -> Rewound:
        """Make the database anew from the template, and rewind that to the state."""
        origin = self._origin(target.layout)
        name = name_of(self.connection)
        if origin is None:
            raise RewindError(
                f"Database {name!r} cannot be put back, {reason}. To make it anew there would "
                "have to be a template, which its role may not create."
            )
        self._save_shadows()
        self._sessions.close()
        self._templates.restore(origin.template)
        self.open()
        engine = self._use(target)
        for state in self._states.values():
            if state.layout is origin.layout:
                pairs = zip(state.contents, origin.contents, strict=True)
                state.rewrite = {index for index, (a, b) in enumerate(pairs) if a != b}
        rewritten = engine.repair(target, Look(set(target.rewrite), noted=True))
        for state in self._states.values():
            self._store.save(state)
        self._finish(target)
        return Rewound(target.layout.labels(rewritten), True, reason, leaked)

    def _save_shadows(self) -> None:
        """Bring into this process what the template does not have of the states' rows."""
        fetched: dict[str, Rows] = {}
        for state in self._states.values():
            origin = self._origin(state.layout)
            kept = origin.shadows if origin is not None else frozenset()
            for rows in state.contents:
                if isinstance(rows, Rows) and rows.shadow not in {"", *kept, *fetched}:
                    fetched[rows.shadow] = self._store.fetch(rows)
        for state in self._states.values():
            state.contents = tuple(
                fetched.get(each.shadow, each) if isinstance(each, Rows) else each
                for each in state.contents
            )

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
        self._sessions.close()
        try:
            with super().cloning() as clone:
                yield clone
        finally:
            self.open()
            root = self._current or next(iter(self._states.values()), None)
            if root is not None:
                self._use(root)

    def _restored_layout(self, schema: str) -> Layout | None:
        """A killed run has left another schema: make the database anew, if there is a template."""
        origin = self._store.load_origin()
        if origin is None or origin["schema"] != schema:
            return None
        template = Template(**origin["template"])
        if not self._templates.exists(template):
            return None
        self._sessions.close()
        self._templates.restore(template)
        self.open()
        restored = self._read_layout()
        return restored if restored.digest == schema else None

    def _load_origin(self, layout: Layout) -> None:
        body = self._store.load_origin()
        if body is None or body["schema"] != layout.digest or self._origin(layout):
            return
        template = Template(**body["template"])
        if self._templates.exists(template):
            contents = load_contents(layout, body["contents"])
            self._origins.append(Origin(template, layout, contents, frozenset(body["shadows"])))

    def _known_layout(self) -> Layout:
        """Return the layout of the database: that of a held state, if it has the same schema."""
        layout = self._read_layout()
        held = [state.layout for state in self._states.values()]
        return next((each for each in held if each.digest == layout.digest), layout)

    def _read_layout(self) -> Layout:
        sessions = self._sessions
        return read_layout(sessions.detecting, sessions.default_schema, replica=sessions.replica)


def _changed(names: tuple[str, ...]) -> str:
    """Return "the schema was changed (public.a, public.b, …)"."""
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"the schema was changed ({shown})"
