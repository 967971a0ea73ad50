"""The rows of tables of MySQL and MariaDB: found changed, copied, and put back, by SQL.

All comparisons are exact to the byte: collations that take "a" for "A", or ignore trailing
spaces, and the short form in which FLOAT is shown, do not hide a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .control import Control, quote

_INSERT_TEXT = 500_000  # characters; servers may take no more than 1 MB at once
_NUMBERS = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year"}
_INDEXES = {"bit", "enum", "set"}  # compared by number
_FLOATS = {"float", "double"}
_TIMES = {"date", "time", "datetime", "timestamp"}
_STRINGS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext"}
_BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
_NAMED = {"uuid", "inet4", "inet6"}  # MariaDB; their text says all


class Column(NamedTuple):
    """A column that is stored as given: not generated."""

    name: str
    type: str

    def value(self, row: str) -> str:
        """Return an expression that is equal for two rows only if the bytes are."""
        name = f"{row}.{quote(self.name)}"
        if self.type in _NUMBERS | _TIMES | _BYTES:
            return name
        if self.type in _INDEXES:
            return f"{name}+0"
        if self.type in _FLOATS:  # as text, for -0 is not 0
            return f"CAST({name}*1e0 AS CHAR)"
        if self.type in _NAMED:
            return f"CAST({name} AS CHAR)"
        if self.type in _STRINGS:
            return f"CAST({name} AS BINARY)"
        if self.type == "json":
            return f"CAST(CAST({name} AS CHAR) AS BINARY)"
        return f"HEX({name})"

    def digest(self, row: str) -> str:
        """Return like ``value()`` an expression, but short enough to group by."""
        if self.type in _NUMBERS | _TIMES | _INDEXES | _FLOATS | _NAMED:
            return self.value(row)
        return f"SHA2({self.value(row)}, 256)"

    def ascii(self, row: str) -> str:
        """Return an expression whose text ``literal()`` takes."""
        if self.type in _STRINGS | _BYTES:
            return f"HEX({row}.{quote(self.name)})"
        if self.type == "json":
            return f"HEX(CAST({row}.{quote(self.name)} AS CHAR))"
        return f"CAST({self.value(row)} AS CHAR)"

    def literal(self, value: str | None) -> str:
        """Return the SQL of a value from what ``ascii()`` gave."""
        if value is None:
            return "NULL"
        if self.type in _NUMBERS | _INDEXES:
            return value
        if self.type in _FLOATS:
            return value if "e" in value else f"{value}e0"
        if self.type in _TIMES | _NAMED:
            return f"'{value}'"
        return f"_utf8mb4 x'{value}'" if self.type == "json" else f"x'{value}'"


class Table(NamedTuple):
    """What the SQL for a table's rows needs to know of it; ``key`` is empty without one."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    engine: str
    counted: bool  # has an AUTO_INCREMENT column

    def list_columns(self, row: str = "") -> str:
        prefix = f"{row}." if row else ""
        return ", ".join(prefix + quote(column.name) for column in self.columns)

    def same_key(self) -> str:
        return " AND ".join(f"t.{quote(name)} = b.{quote(name)}" for name in self.key)

    def same_row(self) -> str:
        return " AND ".join(f"{c.value('t')} <=> {c.value('b')}" for c in self.columns)


class Shadow(NamedTuple):
    """A copy of a table's rows: the SQL of a source of rows, and how many they are, ``size``.

    ``table``: the name in the sibling database, empty where the source is the rows themselves.
    """

    source: str
    size: int
    table: str = ""
    checksum: str = ""


def read_tables(control: Control) -> dict[str, Table]:
    """Return all base tables of the database by name."""
    columns, keys, tables = control.run(
        "SELECT table_name, column_name, LOWER(data_type), generation_expression, extra"
        " FROM information_schema.columns WHERE table_schema = DATABASE()"
        " ORDER BY table_name, ordinal_position",
        "SELECT table_name, column_name, sub_part FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND index_name = 'PRIMARY'"
        " ORDER BY table_name, seq_in_index",
        "SELECT table_name, engine FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_type NOT IN ('VIEW', 'SEQUENCE')",
    )
    columns_of: dict[str, list[Column]] = {}
    counted = set()
    for table, name, data_type, generated, extra in columns.rows:
        if "auto_increment" in extra.lower():
            counted.add(table)
        if not generated:
            columns_of.setdefault(table, []).append(Column(name, data_type))
    keys_of: dict[str, list[tuple[str, int | None]]] = {}
    for table, name, part in keys.rows:
        keys_of.setdefault(table, []).append((name, part))
    found = {}
    for name, engine in tables.rows:
        stored = tuple(columns_of.get(name, ()))
        key = _key(keys_of.get(name, ()), stored)
        found[name] = Table(name, stored, key, engine or "", name in counted)
    return found


def _key(parts: Iterable[tuple[str, int | None]], stored: Iterable[Column]) -> tuple[str, ...]:
    """Return the columns of a primary key; none if a part of it is generated or cut short."""
    parts = list(parts)
    names = {column.name for column in stored}
    if any(cut is not None or name not in names for name, cut in parts):
        return ()
    return tuple(name for name, _ in parts)


# Detection: each returns a SELECT of ``number`` if the table is not as it should be. ``lock``
# is what makes it fail when another session has written to the table and not committed.


def probe_rows(number: int, table: Table, count: int, lock: str = "") -> str:
    """Only how many rows there are, which suffices if none was updated or deleted."""
    name = quote(table.name)
    if lock:  # of the rows themselves: an index may be without the columns that were written
        name += " USE INDEX ()"
    wrong = f"HAVING COUNT(*) <> {count}" if count else "LIMIT 1"
    return f"(SELECT {number} FROM {name} {wrong} {lock})"


def count_rows(number: int, table: Table, lock: str = "") -> str:
    """Return a SELECT of ``number`` and how many rows there are."""
    hint = "USE INDEX ()" if lock else ""
    return f"(SELECT {number}, COUNT(*) FROM {quote(table.name)} {hint} {lock})"


def probe_content(number: int, table: Table, shadow: Shadow) -> str:
    """Whether the rows differ from those of ``shadow``, where their number does not."""
    name = quote(table.name)
    if table.key:
        return (
            f"(SELECT {number} FROM {name} t JOIN {shadow.source} b ON {table.same_key()}"
            f" WHERE {table.same_row()} HAVING COUNT(*) <> {shadow.size})"
        )
    names = [f"c{i}" for i in range(len(table.columns))]

    def select(row: str, source: str, sign: int) -> str:
        values = [f"{c.digest(row)} AS {n}" for c, n in zip(table.columns, names, strict=True)]
        return f"SELECT {', '.join(values)}, {sign} AS n FROM {source} {row}"

    union = f"{select('t', name, 1)} UNION ALL {select('b', shadow.source, -1)}"
    groups = f"GROUP BY {', '.join(names)} HAVING SUM(n) <> 0 LIMIT 1"
    return f"(SELECT {number} FROM (SELECT SUM(n) AS n FROM ({union}) u {groups}) q)"


# Repair


def delete_rows(table: Table, shadow: Shadow | None) -> str:
    """Delete the rows that are not those of ``shadow``; all, if the table has no key."""
    name = quote(table.name)
    if shadow is None or not table.key:
        return f"DELETE FROM {name}"
    return (
        f"DELETE t FROM {name} t LEFT JOIN {shadow.source} b ON {table.same_key()}"
        f" WHERE b.{quote(table.key[0])} IS NULL OR NOT ({table.same_row()})"
    )


def insert_rows(table: Table, shadow: Shadow) -> str:
    """Insert the rows of ``shadow`` that are missing."""
    name = quote(table.name)
    insert = (
        f"INSERT INTO {name} ({table.list_columns()})"
        f" SELECT {table.list_columns('b')} FROM {shadow.source} b"
    )
    if not table.key:
        return insert
    return (
        f"{insert} LEFT JOIN {name} t ON {table.same_key()} WHERE t.{quote(table.key[0])} IS NULL"
    )


# Copies


def copy_rows(table: Table, shadow: str) -> str:
    """Create ``shadow`` (quoted, with its database) with the rows of ``table``."""
    key = f" (PRIMARY KEY ({', '.join(map(quote, table.key))}))" if table.key else ""
    return (
        f"CREATE TABLE {shadow}{key} ENGINE=InnoDB"
        f" SELECT {table.list_columns()} FROM {quote(table.name)}"
    )


def literal_rows(control: Control, table: Table) -> str:
    """Return the rows of ``table``, which has some, as a source of rows that needs no table."""
    values = ", ".join(column.ascii("t") for column in table.columns)
    rows = control.rows(f"SELECT {values} FROM {quote(table.name)} t")
    constructor = "" if control.mariadb else "ROW"
    lines = [constructor + _literal_row(table.columns, row) for row in rows]
    return (
        f"(WITH v ({table.list_columns()}) AS (VALUES {', '.join(lines)})"
        f" SELECT {table.list_columns()} FROM v)"
    )


def literal_inserts(control: Control, table: Table) -> Iterator[str]:
    """Yield statements that insert the rows of ``table``, each of a size that servers take."""
    values = ", ".join(column.ascii("t") for column in table.columns) or "1"
    insert = f"INSERT INTO {quote(table.name)} ({table.list_columns()}) VALUES "
    lines: list[str] = []
    size = 0
    for row in control.rows(f"SELECT {values} FROM {quote(table.name)} t"):
        line = _literal_row(table.columns, row[: len(table.columns)])
        if lines and size + len(line) > _INSERT_TEXT:
            yield insert + ", ".join(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield insert + ", ".join(lines)


def _literal_row(columns: Sequence[Column], row: Sequence[str | None]) -> str:
    values = (column.literal(value) for column, value in zip(columns, row, strict=True))
    return f"({', '.join(values)})"
