"""What is kept beside a MySQL or MariaDB database: copies of rows, states, the document.

They live in a sibling database, "<name>_sane", which is made when first needed. Where this
user may not create it, copies are kept as SQL in this process, and nothing outlives it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from .control import DENIED, Control, error_code, quote, text
from .rows import Shadow, Table, copy_rows, literal_rows

SMALL = 100  # rows: up to here, a copy as SQL is faster to make than a table and as fast to use
SMALL_TEXT = 50_000  # characters of such a copy
_MISSING = {1049, 1146, 1044, 1142}


def sibling_of(database: str) -> str:
    """Return the name of the sibling of ``database``."""
    name = f"{database}_sane"
    if len(name) > 64:  # the longest that the server takes
        name = f"{name[:47]}_{hashlib.sha1(name.encode()).hexdigest()[:16]}"
    return name


def documents_of(sibling: str) -> str:
    """Return the table of documents, as SQL."""
    return f"{quote(sibling)}.`documents`"


def definition_of(sibling: str) -> tuple[str, str]:
    """Return the statements that make a sibling, unless it is there."""
    return (
        f"CREATE DATABASE IF NOT EXISTS {quote(sibling)} CHARACTER SET utf8mb4",
        f"CREATE TABLE IF NOT EXISTS {documents_of(sibling)} (name VARCHAR(255)"
        " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY,"
        " content LONGTEXT CHARACTER SET utf8mb4 NOT NULL,"
        " written DATETIME NOT NULL) ENGINE=InnoDB",
    )


class Store:
    """The sibling database of the one that ``control`` works in."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.name = sibling_of(control.database)
        self._documents = documents_of(self.name)
        self._writable: bool | None = None  # not tried yet
        self._next = 0

    def writable(self) -> bool:
        """Whether the sibling is there, after trying to make it."""
        if self._writable is None:
            self._writable = self._make()
        return self._writable

    def drop(self) -> None:
        """Remove the sibling with all that it holds."""
        self._control.run(f"DROP DATABASE IF EXISTS {quote(self.name)}")
        self._writable = None

    # Documents

    def names(self) -> list[str]:
        return [name for (name,) in self._rows(f"SELECT name FROM {self._documents}")]

    def documents(self) -> dict[str, Any]:
        """Return all that ``write()`` has kept; not the mark, which is the database's own."""
        rows = self._rows(f"SELECT name, content FROM {self._documents} WHERE name <> 'mark'")
        return {name: json.loads(content) for name, content in rows}

    def read(self, name: str) -> Any:
        """Return the document ``name``; None if it is not there."""
        rows = self._rows(f"SELECT content FROM {self._documents} WHERE name = {text(name)}")
        return json.loads(rows[0][0]) if rows else None

    def write(self, name: str, content: Any) -> None:
        """Keep a JSON document, if there is a sibling."""
        if self.writable():
            value = text(json.dumps(content))
            self._control.run(
                f"REPLACE INTO {self._documents} (name, content, written)"
                f" VALUES ({text(name)}, {value}, NOW())"
            )

    def remove(self, names: Iterable[str]) -> None:
        listed = ", ".join(map(text, names))
        if listed and self.writable():
            self._control.run(f"DELETE FROM {self._documents} WHERE name IN ({listed})")

    def older_than_database(self, name: str) -> bool:
        """Whether every table of the database was created after document ``name`` was written:
        then it is another database, which has got the old one's name.
        """
        rows = self._rows(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()"
            f" AND create_time <= (SELECT written FROM {self._documents}"
            f" WHERE name = {text(name)})"
        )
        return not rows or rows[0][0] == 0

    # Copies of rows

    def copy(self, table: Table, count: int) -> Shadow:
        """Copy the rows of ``table``, of which there are ``count``, one at least."""
        if count <= SMALL or not self.writable():
            source = literal_rows(self._control, table)
            if len(source) <= SMALL_TEXT or not self.writable():
                return Shadow(source, count)
        name = f"t{self._next}"
        self._next += 1
        full_name = f"{quote(self.name)}.{quote(name)}"
        results = self._control.run(
            f"DROP TABLE IF EXISTS {full_name}",
            copy_rows(table, full_name),
            f"SELECT COUNT(*) FROM {full_name}",
            f"CHECKSUM TABLE {full_name}",
        )
        return Shadow(full_name, results[2].rows[0][0], name, str(results[3].rows[0][1]))

    def intact(self, shadows: Iterable[Shadow]) -> bool:
        """Whether the copies of an earlier process are still as they were made."""
        for shadow in shadows:
            if shadow.table:
                rows = self._rows(f"CHECKSUM TABLE {shadow.source}")
                if not rows or str(rows[0][1]) != shadow.checksum:
                    return False
        return True

    def drop_all_but(self, used: Iterable[Shadow]) -> None:
        """Remove the copies that no state uses."""
        if not self.writable():
            return
        kept = {shadow.table for shadow in used} | {"documents"}
        rows = self._rows(f"SHOW TABLES FROM {quote(self.name)}")
        unused = [f"{quote(self.name)}.{quote(name)}" for (name,) in rows if name not in kept]
        if unused:
            self._control.run(f"DROP TABLE {', '.join(unused)}")

    def _make(self) -> bool:
        try:
            self._control.run(*definition_of(self.name))
        except self._control.Error as error:
            if error_code(error) not in DENIED:
                raise
            return False
        numbers = [
            int(name[1:])
            for (name,) in self._rows(f"SHOW TABLES FROM {quote(self.name)}")
            if name[1:].isdecimal()
        ]
        self._next = max(numbers, default=-1) + 1
        return True

    def _rows(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        """Return the rows of ``statement``, none if there is no sibling."""
        try:
            return self._control.rows(statement)
        except self._control.Error as error:
            if error_code(error) not in _MISSING:
                raise
            return ()
