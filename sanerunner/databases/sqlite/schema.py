"""The tables of a SQLite database, and the SQL that compares and repairs their rows.

The database is attached as ``tested`` to a control connection, copies of rows as ``kept``.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

_VIRTUAL = re.compile(r"CREATE\s+VIRTUAL\s", re.IGNORECASE)
_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_HIDDEN_OF_GENERATED = (2, 3)
_EXPRESSION_DEPTH = 100  # SQLite refuses expressions nested deeper than 1,000

Master = tuple[tuple[str, str, str, "str | None"], ...]


def quote(name: str) -> str:
    """Return ``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Column:
    """A column that is stored, as against a generated one."""

    name: str  # quoted
    type: str  # as declared

    @property
    def has_affinity(self) -> bool:
        """Whether values that SQLite takes as equal are of one storage class here.

        In a column without affinity 1 and 1.0 are equal, yet not the same.
        """
        declared = self.type.upper()
        if "INT" in declared:
            return True
        return bool(declared) and "BLOB" not in declared and declared != "ANY"

    @property
    def copied_type(self) -> str:
        """The type of the copy: the same affinity, so that no value is converted."""
        return self.type if self.has_affinity else "BLOB"


@dataclass(frozen=True)
class Table:
    """A table and how its rows are told apart: by rowid, or by primary key if it has none."""

    name: str
    columns: tuple[Column, ...]
    rowid: str | None  # the name by which SQL reaches it
    key: tuple[str, ...] = ()  # of a table WITHOUT ROWID; quoted
    virtual: bool = False  # it belongs to a virtual table, whose module alone may write it
    triggers: tuple[tuple[str, str], ...] = ()  # name and SQL
    alias: str | None = None  # the column that is the rowid, not among ``columns``; quoted

    @property
    def target(self) -> str:
        return f"tested.{quote(self.name)}"

    @property
    def comparable(self) -> bool:
        """False if its columns have taken all names of the rowid."""
        return self.rowid is not None or bool(self.key)

    def shadow_definition(self, shadow: str) -> str:
        """Return the SQL that makes the table of copies."""
        columns = [f"{column.name} {column.copied_type}" for column in self.columns]
        if self.rowid is not None:
            columns.insert(0, "sane_rowid INTEGER PRIMARY KEY")
            return f"CREATE TABLE kept.{shadow} ({', '.join(columns)})"
        return (
            f"CREATE TABLE kept.{shadow} ({', '.join(columns)}, "
            f"PRIMARY KEY ({', '.join(self.key)})) WITHOUT ROWID"
        )

    def shadow_content(self, shadow: str) -> str:
        """Return the SQL that copies the rows."""
        return f"INSERT INTO kept.{shadow} SELECT {self._values()} FROM {self.target}"

    def differs(self, shadow: str | None, count: int) -> str:
        """Return a condition: the rows are not those of ``shadow``; None stands for no rows."""
        if not self.comparable:
            return "1"
        if shadow is None:
            return f"EXISTS (SELECT 1 FROM {self.target})"
        changed = any_of([f"b.{self._found} IS NULL", *self._comparisons("IS NOT")])
        return (
            f"(SELECT count(*) FROM {self.target}) <> {count} OR EXISTS (SELECT 1 FROM "
            f"{self.target} a LEFT JOIN kept.{shadow} b ON {self._join()} WHERE {changed})"
        )

    def repair(self, shadow: str | None) -> Sequence[str]:
        """Return the SQL that makes the rows those of ``shadow``, and touches no other row."""
        if shadow is None:
            return (f"DELETE FROM {self.target}",)
        same = all_of([self._join(), *self._comparisons("IS")])
        columns = ([self.rowid] if self.rowid else []) + [c.name for c in self.columns]
        return (
            f"DELETE FROM {self.target} AS a "
            f"WHERE NOT EXISTS (SELECT 1 FROM kept.{shadow} b WHERE {same})",
            f"INSERT INTO {self.target} ({', '.join(columns)}) SELECT * FROM kept.{shadow} b "
            f"WHERE NOT EXISTS (SELECT 1 FROM {self.target} a WHERE {self._join()})",
        )

    @property
    def _found(self) -> str:
        return "sane_rowid" if self.rowid is not None else self.key[0]

    def _values(self) -> str:
        names = [column.name for column in self.columns]
        return ", ".join([self.rowid, *names] if self.rowid else names)

    def _join(self) -> str:
        if self.rowid is not None:
            return f"b.sane_rowid = a.{self.rowid}"
        return all_of([f"b.{name} = a.{name}" for name in self.key])

    def _comparisons(self, operator: str) -> list[str]:
        """Exact: a collation such as NOCASE does not count, nor does an affinity."""
        terms = []
        for column in self.columns:
            if not column.has_affinity:
                terms.append(f"typeof(a.{column.name}) {operator} typeof(b.{column.name})")
            terms.append(f"+a.{column.name} COLLATE BINARY {operator} +b.{column.name}")
        return terms


def all_of(terms: Sequence[str]) -> str:
    return _nested(terms, " AND ")


def any_of(terms: Sequence[str]) -> str:
    return _nested(terms, " OR ")


def _nested(terms: Sequence[str], operator: str) -> str:
    """Join with parentheses, so that the expression of a wide table is not too deep."""
    groups = [terms[i : i + _EXPRESSION_DEPTH] for i in range(0, len(terms), _EXPRESSION_DEPTH)]
    if len(groups) == 1:
        return operator.join(groups[0])
    return operator.join(f"({operator.join(group)})" for group in groups)


@dataclass(frozen=True)
class Schema:
    """All that ``sqlite_master`` says, and the tables in it whose rows are stored."""

    master: Master
    tables: dict[str, Table]

    @property
    def has_virtual(self) -> bool:
        return any(table.virtual for table in self.tables.values())


def dump_schema(schema: Schema) -> list[Any]:
    """Return what can be stored as JSON."""
    return [schema.master, [astuple(table) for table in schema.tables.values()]]


def load_schema(stored: Sequence[Any]) -> Schema:
    """Return the schema of what ``dump_schema()`` gave."""
    master, tables = stored
    loaded = (
        Table(
            name,
            tuple(Column(*column) for column in columns),
            rowid,
            tuple(key),
            virtual,
            tuple((trigger, sql) for trigger, sql in triggers),
            alias,
        )
        for name, columns, rowid, key, virtual, triggers, alias in tables
    )
    return Schema(tuple(map(tuple, master)), {table.name: table for table in loaded})


def read_master(connection: sqlite3.Connection, database: str) -> Master:
    """Return the definitions in an order that does not depend on their history."""
    rows = connection.execute(f"SELECT type, name, tbl_name, sql FROM {database}.sqlite_master")
    return tuple(sorted(rows.fetchall(), key=lambda row: (row[0], row[1])))


def read_schema(connection: sqlite3.Connection, database: str, master: Master) -> Schema:
    """Describe the tables of ``database``, whose definitions are ``master``."""
    virtual = tuple(name for kind, name, _, sql in master if sql and _VIRTUAL.match(sql))
    triggers: dict[str, list[tuple[str, str]]] = {}
    for kind, trigger, table, sql in master:
        if kind == "trigger":
            triggers.setdefault(table.lower(), []).append((trigger, sql or ""))
    tables = {
        name: _read_table(connection, database, name, triggers, virtual)
        for kind, name, _, _ in master
        if kind == "table" and name not in virtual
    }
    return Schema(master, tables)


def _read_table(
    connection: sqlite3.Connection,
    database: str,
    name: str,
    triggers_of: Mapping[str, Sequence[tuple[str, str]]],
    virtual: Iterable[str],
) -> Table:
    rows = connection.execute(f"PRAGMA {database}.table_xinfo({quote(name)})").fetchall()
    columns = tuple(
        Column(quote(column), declared)
        for _, column, declared, _, _, _, hidden in rows
        if hidden not in _HIDDEN_OF_GENERATED
    )
    key = [(row[5], row[1]) for row in rows if row[5]]
    triggers = tuple(triggers_of.get(name.lower(), ()))
    of_virtual = any(name.lower().startswith(f"{each.lower()}_") for each in virtual)
    names = {row[1].lower() for row in rows}
    free = next((rowid for rowid in _ROWID_NAMES if rowid not in names), None)
    if free is None:
        return Table(name, columns, None, virtual=True, triggers=triggers)
    if not _has_rowid(connection, f"{database}.{quote(name)}", free):
        quoted = tuple(quote(column) for _, column in sorted(key))
        return Table(name, columns, None, quoted, of_virtual, triggers)
    alias = None
    if len(key) == 1 and _is_rowid(connection, database, name):
        alias = quote(key[0][1])
        columns = tuple(column for column in columns if column.name != alias)
    return Table(name, columns, free, (), of_virtual, triggers, alias)


def _has_rowid(connection: sqlite3.Connection, target: str, rowid: str) -> bool:
    try:
        connection.execute(f"SELECT {rowid} FROM {target} LIMIT 0").fetchall()
    except sqlite3.OperationalError as error:
        if "no such column" not in str(error):
            raise
        return False
    return True


def _is_rowid(connection: sqlite3.Connection, database: str, name: str) -> bool:
    """Whether the only column of the primary key is the rowid: then it has no index."""
    indexes = connection.execute(f"PRAGMA {database}.index_list({quote(name)})").fetchall()
    return all(index[3] != "pk" for index in indexes)
