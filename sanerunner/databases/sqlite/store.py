"""Where the states of a SQLite database are kept: copies of rows, images, a document.

All of it is one SQLite database, attached to the control connection as ``kept``: in memory for
a database in memory, ``<path>.sane`` beside a file. So what is captured outlives a process that
is killed, and what belongs to another file is recognised by a random mark that both carry.
"""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .control import Control
from .image import load_image, read_image
from .schema import Master, Schema, Table, dump_schema, load_schema, read_master, read_schema

_FORMAT = 2
_MARKS = ("application_id", "user_version")  # numbers in the header of a file, mostly unused
_CHUNK = 50  # tables of one SELECT: more is slower, as SQLite looks for its cursors one by one
_TABLES = (
    "CREATE TABLE kept.about (key TEXT PRIMARY KEY, value)",
    "CREATE TABLE kept.image (id INTEGER PRIMARY KEY, schema TEXT, pages BLOB)",
    "CREATE TABLE kept.state (name TEXT PRIMARY KEY, image INTEGER, header TEXT)",
    "CREATE TABLE kept.part (state TEXT, name TEXT, shadow TEXT, count INTEGER)",
)

Header = dict[str, int]


@dataclass(frozen=True)
class Shadow:
    """A copy of the rows of one table, which several states may share."""

    name: str
    count: int


@dataclass
class State:
    """What a state consists of. Tables that have no shadow are empty in it."""

    schema: Schema
    shadows: dict[str, Shadow]
    header: Header
    image: int

    def __post_init__(self) -> None:
        self.tables = list(self.schema.tables.values())
        terms = [
            f"SELECT {number} WHERE {table.differs(*self._shadow_and_count(table))}"
            for number, table in enumerate(self.tables)
        ]
        chunks = [terms[start : start + _CHUNK] for start in range(0, len(terms), _CHUNK)]
        #: Statements that select the numbers of the ``tables`` whose rows are not the state's.
        self.detection = [" UNION ALL ".join(chunk) for chunk in chunks]

    def shadow_of(self, table: Table) -> str | None:
        return self._shadow_and_count(table)[0]

    def _shadow_and_count(self, table: Table) -> tuple[str | None, int]:
        shadow = self.shadows.get(table.name)
        return (shadow.name, shadow.count) if shadow else (None, 0)


class Store:
    """Keeps states in the database ``kept`` of ``control``."""

    def __init__(self, control: Control, path: Path | None) -> None:
        self._control = control
        self._path = path
        self.states: dict[str, State] = {}
        self._shadow_numbers = itertools.count(1)

    def open(self) -> None:
        """Attach what has been kept; if it cannot be read or is of another file, begin anew."""
        if self._path is None:
            self._attach(":memory:")
        elif not self._attach_trusted(self._path):
            if self._is_attached():
                self._control.all("DETACH kept")
            remove(self._path)
            self._attach(str(self._path))
        if not self._control.all("SELECT 1 FROM kept.sqlite_master"):
            for statement in _TABLES:
                self._control.all(statement)
            self._set("format", _FORMAT)
        numbers = [int(name[1:]) for name in self._shadow_names()]
        self._shadow_numbers = itertools.count(max(numbers, default=0) + 1)

    def _attach(self, where: str) -> None:
        self._control.all("ATTACH ? AS kept", where)
        self._control.all("PRAGMA kept.synchronous = OFF")

    def _is_attached(self) -> bool:
        return any(row[1] == "kept" for row in self._control.all("PRAGMA database_list"))

    def _attach_trusted(self, path: Path) -> bool:
        """Attach the file; False if it is damaged, or was kept for another database."""
        try:
            self._attach(str(path))
            tables = {row[0] for row in self._control.all("SELECT name FROM kept.sqlite_master")}
            if not tables:
                return True
            if "about" not in tables or self._get("format") != _FORMAT:
                return False
            mark, value = self._get("mark"), self._get("mark value")
        except sqlite3.OperationalError:  # locked, or no permission
            raise
        except sqlite3.DatabaseError:
            return False
        return mark in _MARKS and self._control.all(f"PRAGMA tested.{mark}") == [(value,)]

    def mark(self) -> None:
        """Write the same random number into the database and the store, once."""
        if self._path is None or self._get("mark") is not None:
            return
        for mark in _MARKS:
            if self._control.all(f"PRAGMA tested.{mark}") == [(0,)]:
                value = random.SystemRandom().randrange(1, 2**31)
                self._control.all(f"PRAGMA tested.{mark} = {value}")
                self._set("mark", mark)
                self._set("mark value", value)
                return

    def header(self) -> Header:
        """Return the numbers that the database carries in its header."""
        return {name: self._control.all(f"PRAGMA tested.{name}")[0][0] for name in _MARKS}

    def read_document(self) -> dict[str, Any] | None:
        text = self._get("document")
        document: dict[str, Any] | None = None if text is None else json.loads(text)
        return document

    def write_document(self, document: Mapping[str, Any]) -> None:
        self._set("document", json.dumps(dict(document)))

    def present_schema(self) -> Schema:
        """Return the schema that the database has now, the same object for the same schema."""
        master = read_master(self._control.raw, "tested")
        return self._known(master) or read_schema(self._control.raw, "tested", master)

    def _known(self, master: Master) -> Schema | None:
        schemas = (state.schema for state in self.states.values())
        return next((schema for schema in schemas if schema.master == master), None)

    def copy_changed(
        self, schema: Schema, nearest: str | None, changed: Callable[[str], Iterable[Table]]
    ) -> dict[str, Shadow]:
        """Copy the rows of all tables, but share with the state ``nearest`` what is the same.

        ``changed`` returns the tables that are not as in the state of that name.
        """
        if nearest is None:
            shadows = {}
            tables: Iterable[Table] = schema.tables.values()
        else:
            shadows = dict(self.states[nearest].shadows)
            tables = changed(nearest)
        for table in tables:
            shadows.pop(table.name, None)
            shadow = self._copy(table)
            if shadow is not None:
                shadows[table.name] = shadow
        return shadows

    def _copy(self, table: Table) -> Shadow | None:
        """Copy the present rows of a table; None if it has none."""
        if not table.comparable or not self._control.all(f"SELECT 1 FROM {table.target} LIMIT 1"):
            return None
        name = f"s{next(self._shadow_numbers)}"
        self._control.all(table.shadow_definition(name))
        self._control.all(table.shadow_content(name))
        return Shadow(name, self._control.all(f"SELECT count(*) FROM kept.{name}")[0][0])

    def keep_image(self, schema: Schema) -> int:
        """Return the number of an image of the database, whose schema is ``schema``.

        An older one will do, if rows can be repaired: only their module writes virtual tables.
        """
        if not schema.has_virtual:
            for state in self.states.values():
                if state.schema is schema:
                    return state.image
        pages = read_image(self._control.raw, "tested")
        stored = None if self._path is None else json.dumps(dump_schema(schema))
        self._control.all("INSERT INTO kept.image (schema, pages) VALUES (?, ?)", stored, pages)
        number: int = self._control.all("SELECT max(id) FROM kept.image")[0][0]
        return number

    def image(self, number: int) -> sqlite3.Connection:
        """Return a connection to a copy of the image, to be closed by the caller."""
        pages = self._control.all("SELECT pages FROM kept.image WHERE id = ?", number)[0][0]
        return load_image(pages)

    def save(self, name: str, state: State) -> None:
        """Hold ``state`` under ``name``; let go of one that had the name."""
        self.delete(name)
        self.states[name] = state
        header = json.dumps(state.header)
        self._control.all("INSERT INTO kept.state VALUES (?, ?, ?)", name, state.image, header)
        for table, shadow in state.shadows.items():
            self._control.all(
                "INSERT INTO kept.part VALUES (?, ?, ?, ?)",
                name,
                table,
                shadow.name,
                shadow.count,
            )

    def delete(self, name: str) -> None:
        self.states.pop(name, None)
        self._control.all("DELETE FROM kept.state WHERE name = ?", name)
        self._control.all("DELETE FROM kept.part WHERE state = ?", name)

    def remove_unused(self) -> None:
        """Drop the copies and images that no state needs any more."""
        used = {row[0] for row in self._control.all("SELECT shadow FROM kept.part")}
        for name in self._shadow_names() - used:
            self._control.all(f"DROP TABLE kept.{name}")
        self._control.all("DELETE FROM kept.image WHERE id NOT IN (SELECT image FROM kept.state)")

    def load(self, name: str) -> bool:
        """Hold a state that an earlier process has saved; False if there is none."""
        found = self._control.all(
            "SELECT image, header, schema FROM kept.state JOIN kept.image ON id = image "
            "WHERE name = ?",
            name,
        )
        if not found:
            return False
        image, header, stored = found[0]
        schema = load_schema(json.loads(stored))
        schema = self._known(schema.master) or schema
        parts = self._control.all(
            "SELECT name, shadow, count FROM kept.part WHERE state = ?", name
        )
        shadows = {table: Shadow(shadow, count) for table, shadow, count in parts}
        self.states[name] = State(schema, shadows, json.loads(header), image)
        return True

    def _shadow_names(self) -> set[str]:
        rows = self._control.all(
            "SELECT name FROM kept.sqlite_master WHERE type = 'table' AND name GLOB 's[0-9]*'"
        )
        return {row[0] for row in rows}

    def _get(self, key: str) -> Any:
        rows = self._control.all("SELECT value FROM kept.about WHERE key = ?", key)
        return rows[0][0] if rows else None

    def _set(self, key: str, value: Any) -> None:
        self._control.all("INSERT OR REPLACE INTO kept.about VALUES (?, ?)", key, value)


def belongs_to(sidecar: Path, path: Path) -> bool:
    """Whether the file at ``path``, if there is one, is not another than the one that the
    ``sidecar``, if there is one, was kept for.
    """
    if not sidecar.exists() or not path.exists():
        return True
    try:
        with closing(sqlite3.connect(sidecar)) as kept, closing(sqlite3.connect(path)) as tested:
            about = dict(kept.execute("SELECT key, value FROM about").fetchall())
            mark = about.get("mark")
            if mark not in _MARKS:
                return True
            return bool(tested.execute(f"PRAGMA {mark}").fetchall() == [(about["mark value"],)])
    except sqlite3.DatabaseError:
        return False


def remove(path: Path) -> None:
    """Remove a SQLite database and the files that SQLite may have left beside it."""
    for suffix in ("-journal", "-wal", "-shm", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
