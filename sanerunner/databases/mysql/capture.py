"""Takes the present content of a MySQL or MariaDB database as a state."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .control import BLOCKED, Activity, Control, error_code, quote
from .detection import Detector
from .repair import read_counters, read_sequences, restart_sequence
from .rows import read_tables
from .schema import Key, Schema, read_schema, table_names
from .state import State, schema_name
from .store import Store


class Capture:
    """Copies only what differs from a state that is held."""

    def __init__(self, control: Control, store: Store, detector: Detector) -> None:
        self._control = control
        self._store = store
        self._detector = detector

    def take(
        self, base: State | None, moved: Activity | None, drifted: Collection[str] | None
    ) -> State:
        """Return the present content.

        ``base`` is the state that the content was last equal to, None if there is none;
        ``moved`` what was done since then, and ``drifted`` the tables whose counters may
        differ from it nevertheless, None for any.
        """
        if base is None or moved is None or moved.schema:
            schema: Schema = read_schema(self._control)
            tables, document = read_tables(self._control), schema_name(schema)
        else:
            schema, tables, document = base.schema, base.tables, base.document
        differing, written = self._differing(base, moved, schema, tables)
        shadows = {
            name: shadow
            for name, shadow in (base.shadows.items() if base else ())
            if name in tables and name not in differing
        }
        for name, count in self._counts(differing & tables.keys()).items():
            shadows[name] = self._store.copy(tables[name], count)
        if base is None or written is None or drifted is None:
            counters = {name: 1 for name, table in tables.items() if table.counted}
            counters |= read_counters(self._control)
        else:
            near = [name for name in (*written, *drifted) if name in tables]
            counters = {**base.counters, **read_counters(self._control, near)}
        sequences = self._still_sequences(schema, base.sequences if base else {})
        return State(schema, document, tables, shadows, counters, sequences)

    def _differing(
        self, base: State | None, moved: Activity | None, schema: Schema, tables: Collection[str]
    ) -> tuple[set[str], set[str] | None]:
        """Return the tables that are not as in ``base``, and those that were written to."""
        if base is None:
            return set(tables), None
        if moved is not None and not moved.schema:
            try:
                return self._detector.find(base, moved)
            except self._control.Error as error:  # another session is in the middle of its work
                if error_code(error) not in BLOCKED:
                    raise
        keys = [Key("TABLE", name) for name in tables]
        same = {key.name for key in keys if schema[key] == base.schema.get(key)}
        return set(tables) - same | self._detector.changed_among(base, same), None

    def _counts(self, tables: Collection[str]) -> dict[str, int]:
        """Return how many rows those of ``tables`` have that are not empty."""
        if not tables:
            return {}
        results = self._control.run(*(f"SELECT COUNT(*) FROM {quote(name)}" for name in tables))
        counts = zip(tables, (result.rows[0][0] for result in results), strict=True)
        return {name: count for name, count in counts if count}

    def _still_sequences(
        self, schema: Schema, before: Mapping[str, tuple[int, int]]
    ) -> dict[str, tuple[int, int]]:
        """Return where sequences are, after making those that moved forget what they cached:

        the next value is then known, and taking it can be seen. So the server does when it is
        started again.
        """
        sequences = read_sequences(self._control, table_names(schema, "SEQUENCE"))
        for name, values in sequences.items():
            if values != before.get(name):
                restart_sequence(self._control, name, *values)
        return sequences
