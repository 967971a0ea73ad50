"""Puts the items that differ back to a state, in one transaction and one round trip."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from .bloat import Bloat
from .catalog import Layout, SequenceItem, Table, View
from .schema import SCHEMA
from .session import Row, Session
from .state import Content, Counter, Rows, State
from .store import Store

#: So many statements are kept prepared.
_PREPARED = 500


class RepairFailed(Exception):
    """The content could not be made that of the state; the message says what differs."""


@dataclass(frozen=True)
class CopyIn:
    """The step that adds rows which are kept in this process."""

    target: str
    rows: bytes


@dataclass(frozen=True)
class Prepared:
    """A statement that is likely to come again, so that it is prepared."""

    statement: str
    argument: str = ""  # of its parameter, a text, as SQL


Step = str | CopyIn | Prepared

_END = Prepared("SELECT pg_current_xact_id()::text")


@dataclass(frozen=True)
class Repaired:
    """What a repair did: tables of which rows were written; whether catalogs were changed."""

    tables: set[int]
    altered: bool


class Repairer:
    """Writes rows and counters. ``replica``: the session runs no triggers and checks no keys."""

    def __init__(self, session: Session, store: Store, layout: Layout, *, replica: bool) -> None:
        self._session = session
        self._store = store
        self._layout = layout
        self._replica = replica
        self.bloat = Bloat(session)

    def repair(self, state: State, items: Collection[int], extra: Iterable[str] = ()) -> Repaired:
        """Make the items those of ``state``, whose ``xid`` becomes that of the repair.

        ``extra`` are further statements for the same transaction. Raises the driver's error,
        or RepairFailed.
        """
        chosen = [(self._layout.items[i], state.contents[i], i) for i in sorted(items)]
        tables = [(item, content, i) for item, content, i in chosen if isinstance(item, Table)]
        views = [(item, content) for item, content, _ in chosen if isinstance(item, View)]
        before, after = self._around([table for table, *_ in tables])
        rows: list[tuple[int, Step]] = []
        for table, content, index in tables:
            rows.append((index, _delete(table, content, state, anew=index in state.rewrite)))
        for table, content, index in tables:
            if isinstance(content, Rows):
                rows.append((index, _insert(table, content, anew=index in state.rewrite)))
        steps = [*before, *(step for _, step in rows)]
        steps += [f"REFRESH MATERIALIZED VIEW {view.name}" for view, _ in views]
        steps += after
        steps += _counters((item, content) for item, content, _ in chosen)
        steps += extra
        (xid,), counts = self._execute([*steps, _END])
        state.xid = int(xid)
        state.rewrite.difference_update(items)
        self.bloat.note(((item, content) for item, content, _ in chosen), counts)
        for view, content in views:
            if self._store.digest(view) != content:
                raise RepairFailed(f"{view.label} was not what its query gives")
        touched = {index for index, _ in rows}
        if counts:
            counted = zip(rows, counts[len(before) :], strict=False)
            touched = {index for (index, _), count in counted if count}
        return Repaired(touched, bool(after or views))

    def _around(self, tables: Collection[Table]) -> tuple[list[Step], list[Step]]:
        """Return what lets rows be written in any order, with no effect but their own."""
        before: list[Step] = [sql for table in tables for sql in table.silence]
        after: list[Step] = [sql for table in tables for sql in table.unsilence]
        if not self._replica:
            written = {table.oid for table in tables}
            keys = [key for key in self._layout.foreign_keys if key.tables & written]
            before = [*before, *(key.drop for key in keys), "SET CONSTRAINTS ALL DEFERRED"]
            if keys or after:  # no table may be altered with checks pending
                after = ["SET CONSTRAINTS ALL IMMEDIATE", *(key.add for key in keys), *after]
        return before, after

    def _execute(self, steps: Sequence[Step]) -> tuple[Row, list[int]]:
        """Execute the steps as one transaction; return the row that the last one gives, and
        how many rows each has touched, if that is known.
        """
        if self._session.prepared > _PREPARED:
            self._session.forget_prepared()
        try:
            if any(isinstance(step, CopyIn) for step in steps):
                return self._execute_in_turn(steps), []
            preparing: list[str] = []
            script = [self._sql(step, preparing) for step in steps]
            (row,) = self._session.rows(";".join([*preparing, *script]))
        except self._session.error:
            self._session.forget_prepared()  # some may not have been
            raise
        return row, self._session.counts[len(preparing) :]

    def _execute_in_turn(self, steps: Sequence[Step]) -> Row:
        with self._session.transaction():
            for step in steps:
                if isinstance(step, CopyIn):
                    self._session.copy_in(step.target, step.rows)
                else:
                    preparing: list[str] = []
                    sql = self._sql(step, preparing)
                    rows = self._session.rows(";".join([*preparing, sql]))
        return rows[0]

    def _sql(self, step: Step, preparing: list[str]) -> str:
        """Return the SQL of a step; what has to be prepared first is added to ``preparing``."""
        if not isinstance(step, Prepared):
            return str(step)
        name, sql = self._session.prepare(step.statement, "(text)" if step.argument else "")
        preparing += sql
        return f"EXECUTE {name}({step.argument})" if step.argument else f"EXECUTE {name}"


def _delete(table: Table, content: Content, state: State, *, anew: bool) -> Step:
    """Return SQL that leaves only such rows as are to be there."""
    sql = f"DELETE FROM ONLY {table.name}"
    if anew or not _by_key(table, content):
        return Prepared(sql)
    return Prepared(f"{sql} WHERE age(xmin) < age($1::xid)", f"'{state.xid32}'")


def _insert(table: Table, rows: Rows, *, anew: bool) -> Step:
    """Return the step that adds the rows which are missing."""
    if not rows.shadow:
        return CopyIn(table.target, rows.copied)
    sql = (
        f"INSERT INTO {table.target} OVERRIDING SYSTEM VALUE"
        f" SELECT {table.columns} FROM {SCHEMA}.{rows.shadow} AS b"
    )
    if anew or not _by_key(table, rows):
        return sql
    missing = f"NOT EXISTS (SELECT FROM ONLY {table.name} AS x WHERE {table.same_key})"
    return Prepared(f"{sql} WHERE {missing}")


def _by_key(table: Table, content: Content) -> bool:
    """Whether single rows can be put back; else all are."""
    return isinstance(content, Rows) and bool(content.shadow) and bool(table.same_key)


def _counters(chosen: Iterable[tuple[object, Content]]) -> list[Step]:
    calls = [
        f"setval({item.oid}::regclass, {content.last_value}, {content.is_called})"
        for item, content in chosen
        if isinstance(item, SequenceItem) and isinstance(content, Counter)
    ]
    return [Prepared(f"SELECT {', '.join(calls)}")] if calls else []
