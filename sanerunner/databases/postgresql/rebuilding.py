"""How a PostgreSQL database is made anew from its template when its schema was changed."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

from ...exceptions import RewindError
from ..operations import DatabaseOperations, LeakedSession, Rewound
from ..vendors import name_of
from .catalog import Layout, read_layout
from .engine import Engine, Look, Sessions
from .state import Origin, Rows, State, load_contents
from .store import Store
from .template import Template, Templates


class Rebuilding(DatabaseOperations):
    """Sessions, layouts and templates of one database. What the fields mean: ``_current`` is the
    state that the database was last known to contain, ``_origins`` has a template for each
    schema that was captured.
    """

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

    def _let_go(self, state: State) -> None:
        held = [*self._states.values(), *([self._current] if self._current else [])]
        shadows = state.shadows().difference(*(each.shadows() for each in held))
        if self._engine is not None:
            self._engine.forget(state, shadows)

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

    def _load_origin(self, layout: Layout) -> None:
        body = self._store.load_origin()
        if body is None or body["schema"] != layout.digest or self._origin(layout):
            return
        template = Template(**body["template"])
        if self._templates.exists(template):
            contents = load_contents(layout, body["contents"])
            self._origins.append(Origin(template, layout, contents, frozenset(body["shadows"])))

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

    def _known_layout(self) -> Layout:
        """Return the layout of the database: that of a held state, if it has the same schema."""
        layout = self._read_layout()
        held = [state.layout for state in self._states.values()]
        return next((each for each in held if each.digest == layout.digest), layout)

    def _read_layout(self) -> Layout:
        sessions = self._sessions
        return read_layout(sessions.detecting, sessions.default_schema, replica=sessions.replica)
