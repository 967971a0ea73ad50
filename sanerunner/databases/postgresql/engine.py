"""Detection and repair of one layout, over one pair of sessions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ..operations import LeakedSession
from .catalog import Layout
from .detection import Detector, Findings, locked, unreadable
from .habit import Habit
from .leaks import end_sessions
from .repair import Repairer
from .schema import SCHEMA
from .session import INSUFFICIENT_PRIVILEGE, Session, sqlstate
from .state import State
from .store import Store
from .watch import CLEAR, MANY_TABLES, Watch

_DETECTING = (
    "SET search_path = pg_catalog; SET jit = off; SET plan_cache_mode = force_generic_plan;"
    " SET lock_timeout = '1s'"
)
_REPAIRING = "SET lock_timeout = '3s'"
_REPLICA = "SET session_replication_role = replica"

_NEW_TABLES = """
SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE relkind IN ('r', 'p') AND format('%%I.%%I', nspname, relname) = ANY (%s)"""

#: Every so many rewinds all is looked at, whatever the triggers say (they do not notice a
#: ``setval(sequence, value, false)`` for a table that is not written).
_AUDIT_EVERY = 50
#: Triggers for all of many tables take longer to make than this many rewinds without them.
_REWINDS_BEFORE_TRIGGERS = 10


class Sessions:
    """The two sessions: one looks, with settings that suit its prepared queries; the other
    repairs, where the project's own functions may run, and is opened when it is needed.
    """

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self.wrapper = wrapper
        self.detecting = Session(wrapper, "")
        self.replica = self._may_be_replica()
        ((schema, self.role),) = self.detecting.rows(
            "SELECT coalesce(current_schema(), 'public')::text, current_user::text"
        )
        self.default_schema = str(schema)
        self.detecting.rows(_DETECTING)
        repairing = f"{_REPAIRING}; {_REPLICA}" if self.replica else _REPAIRING
        self.repairing = Session(wrapper, repairing, lazy=True)

    def _may_be_replica(self) -> bool:
        """Whether sessions may be told to run no triggers and check no keys."""
        try:
            self.detecting.rows(_REPLICA)  # it also puts back what is simple
        except self.detecting.error as error:
            if sqlstate(error) != INSUFFICIENT_PRIVILEGE:
                raise
            return False
        return True

    @property
    def reader(self) -> list[Any]:
        """What a layout depends on, beside the schema."""
        return [self.role, self.replica, self.default_schema]

    @property
    def lost(self) -> bool:
        return self.detecting.closed or self.repairing.closed

    def close(self) -> None:
        self.detecting.close()
        self.repairing.close()


@dataclass
class Look:
    """What was found: items that may differ from a state, and a change of the schema."""

    items: set[int]  # that do differ
    repeated: set[int] = field(default_factory=set)  # that did, and were put back by habit
    marked: set[int] = field(default_factory=set)  # that may, as triggers have noted
    noted: bool = False
    schema: tuple[str, ...] = ()  # the objects that were made, changed or dropped
    dropped: tuple[str, ...] = ()  # the objects that were made, where they are gone again
    leaked: tuple[LeakedSession, ...] = ()


class Engine:
    """``root``: the state that the database contains when this object is made, or should."""

    def __init__(self, sessions: Sessions, store: Store, layout: Layout, root: State) -> None:
        self._sessions = sessions
        self._store = store
        self._layout = layout
        self._root = root
        self._watch = Watch(sessions.repairing, layout)
        self._detector = Detector(
            sessions.detecting, layout, root, self._watch, notes=store.on_server
        )
        self._repairer = Repairer(sessions.repairing, store, layout, replica=sessions.replica)
        self._checked = False  # whether all was looked at, and changes are noted since
        self._trusted = False
        self._stamped = False
        self._rewinds = 0
        self._garbage: set[str] = set()
        self._repeated: set[int] = set()  # what the present look has put back by habit
        may_repeat = sessions.replica and sessions.detecting.counting
        self._habit = Habit(sessions.detecting, layout) if may_repeat else None

    def trust_schema(self) -> None:
        """The schema has just been read: the next look, which comes at once, need not."""
        self._trusted = True

    def look(self, state: State, current: State | None, *, leaks: bool = True) -> Look:
        """Return what may differ from ``state`` where the content was once that of ``current``.

        Sessions that stay in a transaction are ended first, unless ``leaks`` is False.
        """
        moved = bool(self._watch.tables) and current is not state
        full = not self._checked or moved or self._rewinds % _AUDIT_EVERY == _AUDIT_EVERY - 1
        self._repeated = set()
        found, leaked = self._attempt(state, full=full, leaks=leaks)
        noted = bool(found.marks)
        dropped: tuple[str, ...] = ()
        unread = not self._checked and (bool(leaked) or not self._trusted)
        self._trusted = False
        if unread or found.schema:
            changes = tuple(self._detector.schema_differences())
            if changes and leaks and self._drop_new(changes):
                dropped, changes = changes, tuple(self._detector.schema_differences())
                full = False  # look again
            if changes:
                return Look(set(), schema=changes, leaked=leaked)
            if not full:
                found.items |= self._detector.look(state, full=True).items
                full = True
            self._watch.heal()
        marked = set() if full else self._detector.marked(found.marks)
        items = found.items | state.rewrite
        return Look(items, self._repeated, marked - found.items, noted, (), dropped, leaked)

    def _drop_new(self, changes: Collection[str]) -> bool:
        """Drop tables that tests have made, with what belongs to them, if nothing else has
        changed: faster than to make the database anew. Return whether there was such a table.
        """
        if not self._layout.digests.keys().isdisjoint(changes):
            return False
        session = self._sessions.repairing
        try:
            ((names,),) = session.rows(_NEW_TABLES, [list(changes)])
            if names:
                session.rows(f"DROP TABLE {names} CASCADE")
        except session.error:
            if self._sessions.lost:
                raise
            return False  # another role's, or locked
        return bool(names)

    def _attempt(
        self, state: State, *, full: bool, leaks: bool
    ) -> tuple[Findings, tuple[LeakedSession, ...]]:
        """Look; where sessions are in the way, end them and look again."""
        try:
            found = self._look_by_habit(state) if leaks and self._has_habit else None
            if found is None:
                found = self._detector.look(state, full=full)
            if not (leaks and found.busy):
                return found, ()
        except self._sessions.detecting.error as error:
            if unreadable(error):
                changed = Findings(schema=True)
                if self._detector.schema_differences():
                    return changed, self.end_sessions()
            if not (leaks and locked(error)):
                raise
        leaked = self.end_sessions()
        return self._detector.look(state, full=full), leaked

    @property
    def _has_habit(self) -> bool:
        return self._habit is not None and not self._watch.tables and not self._garbage

    def _look_by_habit(self, state: State) -> Findings | None:
        """Put back what tests have written so far, and look in the same round trip; None if
        nothing is expected, or that does not work.
        """
        assert self._habit is not None
        session = self._sessions.detecting
        try:
            steps = self._habit.steps(state)
            if not steps:
                return None
            found = self._detector.look(state, full=True, before=list(steps.values()))
        except session.error:
            if session.closed:
                raise
            return None
        counts = self._detector.counts
        self._repeated = {index for index, count in zip(steps, counts, strict=True) if count}
        self._repairer.bloat.note(
            [(self._layout.items[index], state.contents[index]) for index in steps], counts
        )
        return found

    def end_sessions(self) -> tuple[LeakedSession, ...]:
        """End all sessions that stay in a transaction."""
        sessions = self._sessions
        return tuple(end_sessions(sessions.detecting, sessions.wrapper, sessions.default_schema))

    def repair(self, state: State, look: Look) -> set[int]:
        """Make what was found that of ``state``, and forget what triggers have noted.

        Return the items that did differ.
        """
        extra = []
        if self._garbage:
            names = ", ".join(f"{SCHEMA}.{name}" for name in sorted(self._garbage))
            extra.append(f"DROP TABLE IF EXISTS {names}")
        items = look.items | look.marked
        if look.noted or (items and self._watch.tables):  # the repair is noted as well
            extra.append(CLEAR)
        if self._habit is not None:
            self._habit.learn(state, items | look.repeated)
        if not items and not extra:
            return look.repeated
        repaired = self._repairer.repair(state, items, extra)
        if self._stamped and (repaired.altered or self._garbage):
            self._detector.use_stamp()
        self._garbage.clear()
        return look.items | look.repeated | repaired.tables

    def finish(self, states: Iterable[State]) -> None:
        """End a rewind: watch what the next ones need watched."""
        self._rewinds += 1
        tables = self._watch.wanted(
            [state.contents for state in states if state.layout is self._layout]
        )
        if len(tables) > MANY_TABLES and self._rewinds < _REWINDS_BEFORE_TRIGGERS:
            tables = frozenset()
        if self._store.on_server and self._watch.install(tables, self._root.contents):
            self._detector.watched_anew()
            self._stamped = False
        if not self._watch.events and not self._stamped:
            self._detector.use_stamp()
            self._stamped = True
        self._checked = True

    def forget_marks(self) -> None:
        """Forget what triggers have noted: a state is being captured."""
        if self._store.on_server:
            self._sessions.repairing.rows(CLEAR)

    def captured(self) -> None:
        """Go on from here: the shadows that were made are no change of the schema."""
        if self._stamped:
            self._detector.use_stamp()

    def forget(self, state: State, garbage: Collection[str]) -> None:
        """Let go of a state, and of shadows when the next repair is done."""
        self._detector.forget(state)
        self._garbage.update(garbage)
