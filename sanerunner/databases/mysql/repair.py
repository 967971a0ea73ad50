"""Puts the rows, counters and sequences of a MySQL or MariaDB database back to a state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from .control import BLOCKED, LOST, Control, error_code, quote, text
from .rows import delete_rows, insert_rows
from .schema import Definition, Key, create, put_back, triggers_of
from .state import State

_ROW_COUNTED = "InnoDB"  # the engine whose deleted rows the server counts one by one


class Repair:
    """Changes what differs from a state, and nothing else."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def rows(self, state: State, tables: Collection[str]) -> bool:
        """Make the rows of ``tables`` those of ``state``; return whether these were rebuilt.

        Triggers of the tables are away in the meantime, if this user may drop them. A table
        whose rows cannot be deleted (some engines do not let them) is dropped and created.
        """
        try:
            self._write(state, tables)
        except self._control.Error as error:
            if error_code(error) in BLOCKED | LOST:
                raise
            self._control.run("ROLLBACK")
            present = dict(state.schema)
            present.update({Key("TABLE", name): Definition("") for name in tables})
            put_back(self._control, present, state.schema)
            self._write(state, tables, delete=False)
            return True
        return False

    def counters(self, state: State, tables: Collection[str] | None) -> set[str]:
        """Put AUTO_INCREMENT back, of ``tables`` or of all; return where it had moved."""
        present = read_counters(self._control, tables)
        moved = {
            name
            for name, value in state.counters.items()
            if (tables is None or name in tables) and present.get(name, 1) != value
        }
        if moved:
            self._control.run(
                *(
                    f"ALTER TABLE {quote(name)} AUTO_INCREMENT = {state.counters[name]}"
                    for name in sorted(moved)
                )
            )
            self._control.count_own(schema=len(moved))
        return moved

    def sequences(self, state: State, names: Iterable[str]) -> None:
        """Make MariaDB's sequences go on from where they were, with nothing cached."""
        for name in names:
            restart_sequence(self._control, name, *state.sequences[name])
            self._control.recount_own()

    def _write(self, state: State, tables: Collection[str], *, delete: bool = True) -> None:
        triggers = triggers_of(state.schema, tables) if self._control.drops_triggers else {}
        if triggers:
            self._control.run(*(f"DROP TRIGGER IF EXISTS {quote(key.name)}" for key in triggers))
        try:
            self._write_rows(state, tables, delete)
        finally:
            create(self._control, triggers)
        counted = all(state.tables[name].engine == _ROW_COUNTED for name in tables)
        if triggers or not counted or not delete:
            self._control.recount_own()

    def _write_rows(self, state: State, tables: Collection[str], delete: bool) -> None:
        deletes, inserts = [], []
        for name in sorted(tables):
            table, shadow = state.tables[name], state.shadows.get(name)
            if delete:
                deletes.append(delete_rows(table, shadow))
            if shadow:
                inserts.append(insert_rows(table, shadow))
        results = self._control.run("START TRANSACTION", *deletes, *inserts, "COMMIT")
        deleted = sum(result.affected for result in results[1 : 1 + len(deletes)])
        inserted = sum(result.affected for result in results[1 + len(deletes) : -1])
        self._control.count_own(writes=inserted, changes=deleted + len(deletes))


def read_counters(control: Control, tables: Collection[str] | None = None) -> Mapping[str, int]:
    """Return the next AUTO_INCREMENT value of ``tables``, or of all that have one.

    MySQL gives none for a table that was never inserted into: there it is 1.
    """
    columns = "SELECT table_name, auto_increment FROM information_schema.tables"
    where = " WHERE table_schema = DATABASE()"
    if tables is None:
        statements = [f"{columns}{where} AND table_type NOT IN ('VIEW', 'SEQUENCE')"]
    else:  # the server opens only a table that is given by its name
        statements = [f"{columns}{where} AND table_name = {text(name)}" for name in tables]
    if not statements:
        return {}
    rows = control.rows(" UNION ALL ".join(statements))
    return {name: int(value) for name, value in rows if value is not None}


def read_sequences(control: Control, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return where MariaDB's sequences are."""
    found = {}
    for name in names:
        columns = "next_not_cached_value, cycle_count"
        ((value, rounds),) = control.rows(f"SELECT {columns} FROM {quote(name)}")
        found[name] = (int(value), int(rounds))
    return found


def restart_sequence(control: Control, name: str, value: int, rounds: int) -> None:
    """Make ``value`` the next one of a sequence, which forgets what it has cached in memory."""
    statements = [f"ALTER SEQUENCE {quote(name)} RESTART {value}"]
    if rounds:
        statements.append(f"SELECT SETVAL({quote(name)}, {value}, 0, {rounds})")
    control.run(*statements)
