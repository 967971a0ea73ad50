"""Finds what differs from a state, and the sessions that are in the way."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from .catalog import Layout, SequenceItem, Table
from .glance import filled_tables, moved_counters, remaining
from .leaks import busy_query
from .schema import Stamp, differences, read_digests, read_version
from .session import LOCK_NOT_AVAILABLE, Session, sqlstate
from .state import Content, Counter, Digest, Rows, State
from .store import in_chunks
from .watch import MARKS, SCHEMA_CHANGED, Watch

_CHUNK = 800  # parts of a prepared statement
_NO_RELATION = ("42P01", "42703", "XX000")


class Scan:
    """Prepared queries that return (kind, value) rows: what differs from some contents."""

    _numbers = itertools.count()

    def __init__(self, session: Session, parts: Collection[str]) -> None:
        self._session = session
        self.counts: list[int] = []  # the rows that each of the statements before has touched
        self._names = []
        pending = list(parts)
        for start in range(0, len(pending), _CHUNK):
            name = f"sane_scan_{next(self._numbers)}"
            body = " UNION ALL ".join(pending[start : start + _CHUNK])
            session.rows(f"PREPARE {name}(text) AS {body}")
            self._names.append(name)

    def run(self, xid32: str, before: Sequence[str] = ()) -> list[tuple[int, ...]]:
        """Return what is found; the statements ``before`` are executed first, as one
        transaction with (the first part of) the query.
        """
        queries = [f"EXECUTE {name}('{xid32}')" for name in self._names]
        found: list[tuple[int, ...]] = []
        if before:
            found += self._session.rows(";".join([*before, queries.pop(0)]))
            self.counts = self._session.counts[: len(before)]
        for query in queries:
            found += self._session.numbers(query)
        return found

    def close(self) -> None:
        if not self._session.closed:
            for name in self._names:
                self._session.rows(f"DEALLOCATE {name}")


def part(layout: Layout, index: int, content: Content, xid: str = "$1") -> str:
    """Return a query for (1, index) if the item does not have this content.

    ``xid`` stands for that of the state, in SQL.
    """
    item = layout.items[index]
    row = f"SELECT 1, {index}::int8"
    if isinstance(item, SequenceItem):
        assert isinstance(content, Counter)
        return (
            f"{row} FROM {item.name} WHERE last_value <> {content.last_value}"
            f" OR is_called <> {content.is_called}"
        )
    if content is None:
        return f"({row} FROM ONLY {item.name} LIMIT 1)"
    assert isinstance(content, Rows | Digest)
    only = "ONLY " if isinstance(item, Table) else ""
    return (
        f"{row} FROM {only}{item.name}"
        f" HAVING count(*) <> {content.count} OR min(age(xmin)) < age({xid}::xid)"
    )


@dataclass
class Findings:
    """What a look at the database has found."""

    items: set[int] = field(default_factory=set)
    marks: set[int] = field(default_factory=set)  # what triggers have noted: OIDs of tables
    schema: bool = False  # whether the schema may have changed
    busy: list[int] = field(default_factory=list)  # process ids of sessions

    @classmethod
    def of(cls, rows: Iterable[tuple[int, ...]]) -> Findings:
        found = cls()
        for kind, value in rows:
            if kind == 0:
                found.marks.add(value)
                found.schema |= value == SCHEMA_CHANGED
            elif kind == 1:
                found.items.add(value)
            else:
                found.busy.append(value)
        return found


class Detector:
    """Compares the database with states of one layout.

    ``root`` has the contents that the prepared queries are made for; a state that differs from
    it in a few items needs queries of its own for these only. ``notes``: there is a table for
    what triggers note.
    """

    def __init__(
        self, session: Session, layout: Layout, root: State, watch: Watch, *, notes: bool
    ) -> None:
        self._session = session
        self._layout = layout
        self._root = root.contents
        self._watch = watch
        self._notes = notes
        self._glanced = False
        self._full: Scan | None = None
        self._quick: Scan | None = None
        self._own: dict[tuple[State, bool], tuple[Scan, frozenset[int]]] = {}
        self._stamp: Stamp | None = None
        self.counts: list[int] = []

    def use_stamp(self) -> None:
        """Notice changes of the schema without event triggers; it is the known one now."""
        if self._stamp is None:
            self._stamp = Stamp(self._session)
        else:
            self._stamp.renew()

    def look(self, state: State, *, full: bool, before: Sequence[str] = ()) -> Findings:
        """Return what differs from ``state``; unless ``full``, of watched tables the marks only.

        The statements ``before`` are executed first; ``counts`` then says how many rows each
        has touched.

        Raises the driver's error where a table is locked or gone.
        """
        if full and not self._glanced and not before:
            self._glanced = True
            return self._glance(state)
        scan = self._scan(full=full)
        own, different = self._own_scan(state, full=full)
        found = Findings.of(scan.run(state.xid32, before))
        self.counts = scan.counts
        if different:
            found.items -= different
            found.items.update(value for _, value in own.run(state.xid32))
        if self._stamp is not None and self._stamp.changed():
            found.schema = True
        return found

    def _glance(self, state: State) -> Findings:
        """Return what differs, without preparing for looks to come: there may be none."""
        filled, gone = filled_tables(self._session, self._layout, state)
        parts = [
            part(self._layout, index, state.contents[index], f"'{state.xid32}'")
            for index in remaining(self._layout, state, filled)
        ]
        found = Findings.of(in_chunks(self._session, [*self._first_parts(), *parts], _CHUNK))
        found.items |= moved_counters(self._session, self._layout, state)
        found.schema |= gone
        return found

    def _first_parts(self) -> list[str]:
        return [busy_query(self._session), *([MARKS] if self._notes else [])]

    def marked(self, oids: Iterable[int]) -> set[int]:
        """Return the items that statements upon tables may have changed."""
        return {index for oid in oids for index in self._layout.affects.get(oid, ())}

    def schema_differences(self) -> list[str]:
        version = read_version(self._session)
        if version == self._layout.version:
            return []
        found = differences(self._layout.digests, read_digests(self._session))
        if not found:
            self._layout.version = version
        return found

    def forget(self, state: State) -> None:
        for key in [key for key in self._own if key[0] is state]:
            self._own.pop(key)[0].close()

    def watched_anew(self) -> None:
        """Make the quick look anew: other tables are watched than before."""
        if self._quick is not None:
            self._quick.close()
            self._quick = None
        for state in {state for state, _ in self._own}:
            self.forget(state)

    def _scan(self, *, full: bool) -> Scan:
        """Return the prepared queries for all items, or without those that are watched."""
        skipped = self._watch.tables | self._watch.counters
        if full or not skipped:
            if self._full is None:
                self._full = self._prepare(frozenset(), [])
            return self._full
        if self._quick is None:
            self._quick = self._prepare(skipped, self._watch.parts())
        return self._quick

    def _prepare(self, skipped: frozenset[int], parts: list[str]) -> Scan:
        seen = [index for index in range(len(self._layout.items)) if index not in skipped]
        parts += [part(self._layout, index, self._root[index]) for index in seen]
        return Scan(self._session, [*self._first_parts(), *parts])

    def _own_scan(self, state: State, *, full: bool) -> tuple[Scan, frozenset[int]]:
        known = self._own.get((state, full))
        if known is None:
            different = frozenset(
                index
                for index, content in enumerate(state.contents)
                if content != self._root[index] and (full or index not in self._watch.tables)
            )
            parts = [part(self._layout, index, state.contents[index]) for index in different]
            known = self._own[state, full] = (Scan(self._session, parts), different)
        return known


def unreadable(error: BaseException) -> bool:
    """Whether a query failed as a table or column that it names is gone."""
    return sqlstate(error) in _NO_RELATION


def locked(error: BaseException) -> bool:
    """Whether a query failed as it could not get a lock in time."""
    return sqlstate(error) == LOCK_NOT_AVAILABLE
