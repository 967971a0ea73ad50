"""Finds what differs from a state of a MySQL or MariaDB database."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Iterator

from .control import Activity, Control, quote, text
from .rows import count_rows, probe_content, probe_rows
from .state import State

CHUNK = 400  # tables asked for by one statement
CHUNK_TEXT = 1_000_000  # characters of it, as copies of rows may be part of it
HOT = 16  # tables that were changed last and are looked at first


class Extent(enum.Enum):
    """How much is compared."""

    NUMBERS = 0  # of rows, of all tables: enough after nothing but inserts
    CONTENT = 1  # of the tables that have rows: enough if it is known where rows were inserted
    ALL = 2


class Detector:
    """Finds the tables and sequences that are not as in a state."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._number = 0
        self._hot: list[str] = []

    def find(self, state: State, moved: Activity | None) -> tuple[set[str], set[str] | None]:
        """Return what differs from ``state``, and the tables that were written to at all.

        ``moved`` is what was done since the content was that of ``state``; None if it was not.
        The tables written to are None if it may be any.
        """
        changed, written = self._find(state, moved)
        self._hot = [*sorted(changed), *(name for name in self._hot if name not in changed)][:HOT]
        return changed, written

    def _find(self, state: State, moved: Activity | None) -> tuple[set[str], set[str] | None]:
        if moved is None or moved.truncates or moved.schema:
            return self.changed(state, Extent.ALL), None
        found = self._accounted(state, moved.writes)
        if found is None:
            return self.changed(state, Extent.ALL if moved.changes else Extent.NUMBERS), None
        if moved.changes or state.sequences:
            found |= self.changed(state, Extent.CONTENT)
        return found, found | state.shadows.keys() if moved.changes else found

    def changed(self, state: State, extent: Extent) -> set[str]:
        """Return what differs, by statements that are prepared once for a state.

        Fails at once if another session has uncommitted work that this user cannot see.
        """
        if extent.name not in state.prepared:
            state.prepared[extent.name] = list(self._prepare(state, extent))
        names = self._names(state)
        prepared = state.prepared[extent.name]
        results = self._control.run(*(f"EXECUTE {name}" for name in prepared)) if prepared else []
        return {names[number] for result in results for (number,) in result.rows}

    def changed_among(self, state: State, tables: Collection[str]) -> set[str]:
        """Return those of ``tables`` that differ; waits for no other session."""
        names = self._names(state)
        numbered = [(n, name) for n, name in enumerate(names) if name in tables]
        found = set()
        for statement in _unions(self._probes(state, numbered, Extent.ALL, lock="")):
            found |= {names[number] for (number,) in self._control.rows(statement)}
        return found

    def _accounted(self, state: State, writes: int) -> set[str] | None:
        """Return which of the hot tables have new rows, if these are all ``writes``.

        Then no other table has a new row. None if there is a difference: rows of other tables
        or databases, inserts that were undone, rows that were deleted again.
        """
        tables = [name for name in self._hot if name in state.tables] if writes else []
        if not tables:
            return None if writes else set()
        selects = [count_rows(n, state.tables[name], self.lock) for n, name in enumerate(tables)]
        more = {}
        for number, count in self._control.rows(" UNION ALL ".join(selects)):
            shadow = state.shadows.get(tables[number])
            size = shadow.size if shadow else 0
            if count > size:
                more[tables[number]] = count - size
        return set(more) if sum(more.values()) == writes else None

    @property
    def lock(self) -> str:
        """What finds uncommitted rows of sessions whose transactions this user may not list."""
        if self._control.sees_transactions:
            return ""
        return "LOCK IN SHARE MODE NOWAIT" if self._control.mariadb else "FOR SHARE NOWAIT"

    def release(self, state: State) -> None:
        """Let go of what was prepared for ``state``."""
        for names in state.prepared.values():
            self._control.run(*(f"DEALLOCATE PREPARE {name}" for name in names))
        state.prepared.clear()

    def _prepare(self, state: State, extent: Extent) -> Iterator[str]:
        if not state.number:
            self._number += 1
            state.number = self._number
        numbered = list(enumerate(self._names(state)))
        probes = self._probes(state, numbered, extent, self.lock)
        for chunk, statement in enumerate(_unions(probes)):
            name = f"sane_{state.number}_{extent.name}_{chunk}"
            self._control.run(
                f"SET @sane_statement = {text(statement)}", f"PREPARE {name} FROM @sane_statement"
            )
            yield name

    def _names(self, state: State) -> list[str]:
        return [*state.tables, *state.sequences]

    def _probes(
        self, state: State, numbered: Iterable[tuple[int, str]], extent: Extent, lock: str
    ) -> Iterator[str]:
        for number, name in numbered:
            if name in state.sequences:
                yield _probe_sequence(number, name, state.sequences[name])
                continue
            table, shadow = state.tables[name], state.shadows.get(name)
            if shadow or extent is not Extent.CONTENT:
                yield probe_rows(number, table, shadow.size if shadow else 0, lock)
            if shadow and extent is not Extent.NUMBERS:
                yield probe_content(number, table, shadow)


def _probe_sequence(number: int, name: str, values: tuple[int, int]) -> str:
    columns = "next_not_cached_value, cycle_count"
    return f"(SELECT {number} FROM {quote(name)} WHERE ({columns}) <> ({values[0]}, {values[1]}))"


def _unions(selects: Iterable[str]) -> Iterator[str]:
    chunk: list[str] = []
    size = 0
    for select in selects:
        if chunk and (len(chunk) == CHUNK or size + len(select) > CHUNK_TEXT):
            yield " UNION ALL ".join(chunk)
            chunk, size = [], 0
        chunk.append(select)
        size += len(select)
    if chunk:
        yield " UNION ALL ".join(chunk)
