"""Copies of MySQL and MariaDB databases: to others on the server, and to files.

No program of the server's is needed. Objects are created by their own SQL; rows go from table to
table on the server, or through a file as SQL. Triggers come last, so that they do not fire.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ..copies import Copies, ImageError
from .control import Control, quote, text
from .repair import read_counters, read_sequences, restart_sequence
from .rows import Table, literal_inserts, read_tables
from .schema import Definition, Key, Schema, create, read_schema, table_names
from .state import schema_from_json, schema_to_json
from .store import Store, sibling_of

_FIRST = ("DATABASE", "SEQUENCE", "TABLE")
_CHUNK = 100  # statements of one round trip
_COMPOUND = re.compile(r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`]|``)*`\.?""", re.S)


@dataclass
class Content:
    """What a database consists of, beside its rows."""

    database: str
    schema: Schema
    filled: list[Table]  # those that have rows
    counters: Mapping[str, int]
    sequences: Mapping[str, tuple[int, int]]


class MySQLCopies(Copies):
    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self._content: Content | None = None

    @contextmanager
    def cloning(self) -> Iterator[Callable[[str], None]]:
        with self._control() as control:
            self._content = read_content(control)
        yield self.clone

    def clone(self, name: str) -> None:
        assert self._content is not None, "only inside cloning()"
        source = self._content
        with self._control() as control:
            _drop_sibling(control, name)
            control.run(
                f"DROP DATABASE IF EXISTS {quote(name)}",
                f"CREATE DATABASE {quote(name)}",
                f"USE {quote(name)}",
            )
            kept = Store(control)
            control.database = name
            fill(control, source, [_copy_rows(source.database, table) for table in source.filled])
            _copy_sibling(control, kept, source.database)

    def write_image(self, path: Path) -> None:
        with self._control() as control, path.open("w", encoding="ascii") as file:
            content = read_content(control)
            header = {
                "database": content.database,
                "schema": schema_to_json(content.schema),
                "counters": content.counters,
                "sequences": content.sequences,
            }
            file.write(json.dumps(header) + "\n")
            for table in content.filled:
                for statement in literal_inserts(control, table):
                    file.write(json.dumps(statement) + "\n")

    def load_image(self, path: Path) -> None:
        with self._control() as control, path.open(encoding="ascii") as file:
            try:
                fill(control, _parse(file.readline()), map(json.loads, file))
            except control.Error as error:
                raise ImageError(f"the server refuses it: {error.args[-1]}") from error
            except (ValueError, KeyError, TypeError) as error:
                raise ImageError(f"it is damaged: {error}") from error

    @contextmanager
    def _control(self) -> Iterator[Control]:
        control = Control(self.connection)
        control.open()
        with closing(control):
            yield control


def _parse(line: str) -> Content:
    header = json.loads(line)
    sequences = {name: (value, rounds) for name, (value, rounds) in header["sequences"].items()}
    schema = schema_from_json(header["schema"])
    return Content(header["database"], schema, [], header["counters"], sequences)


def read_content(control: Control) -> Content:
    schema = read_schema(control)
    tables = read_tables(control)
    checks = [f"SELECT EXISTS (SELECT 1 FROM {quote(name)})" for name in tables]
    found = _run(control, checks)
    return Content(
        control.database,
        schema,
        [table for table, row in zip(tables.values(), found, strict=True) if row.rows[0][0]],
        read_counters(control),
        read_sequences(control, table_names(schema, "SEQUENCE")),
    )


def fill(control: Control, content: Content, inserts: Any) -> None:
    """Create in the empty database of ``control`` what ``content`` says, with these rows."""
    schema = renamed(content.schema, content.database, control.database)
    first = {key: each for key, each in schema.items() if key.kind in _FIRST}
    create(control, first)
    control.run("START TRANSACTION")
    for statement in inserts:
        control.run(statement)
    control.run("COMMIT")
    for name, (value, rounds) in content.sequences.items():
        restart_sequence(control, name, value, rounds)
    present = read_counters(control)
    moved = {n: v for n, v in content.counters.items() if present.get(n, 1) != v}
    _run(control, [f"ALTER TABLE {quote(n)} AUTO_INCREMENT = {v}" for n, v in moved.items()])
    create(control, {key: each for key, each in schema.items() if key not in first})


def renamed(schema: Schema, old: str, new: str) -> dict[Key, Definition]:
    """Return the schema with the names in it that the server qualifies by the database."""
    return {
        key: definition._replace(sql=rename(definition.sql, old, new))
        for key, definition in schema.items()
    }


def rename(sql: str, old: str, new: str) -> str:
    """Replace the quoted name of a database where it qualifies another; not in strings."""
    qualifier, replacement = f"{quote(old)}.", f"{quote(new)}."
    if qualifier not in sql:
        return sql
    return _COMPOUND.sub(lambda m: replacement if m[0] == qualifier else m[0], sql)


def _copy_rows(database: str, table: Table) -> str:
    columns = table.list_columns()
    return (
        f"INSERT INTO {quote(table.name)} ({columns})"
        f" SELECT {columns} FROM {quote(database)}.{quote(table.name)}"
    )


def _copy_sibling(control: Control, source: Store, database: str) -> None:
    """Copy what is kept beside the source; nothing, if this user may keep nothing there."""
    documents = source.documents()
    target = Store(control)
    if not documents or not target.writable():
        return
    for (name,) in control.rows(f"SHOW TABLES FROM {quote(source.name)}"):
        if name != "documents":
            there, here = (
                f"{quote(source.name)}.{quote(name)}",
                f"{quote(target.name)}.{quote(name)}",
            )
            control.run(
                f"CREATE TABLE {here} LIKE {there}", f"INSERT INTO {here} SELECT * FROM {there}"
            )
    for name, content in documents.items():
        target.write(
            name,
            _renamed_document(content, (source.name, target.name), (database, control.database)),
        )


def _renamed_document(value: Any, *names: tuple[str, str]) -> Any:
    """Return a JSON value in which SQL names the clone's databases."""
    if isinstance(value, str):
        for old, new in names:
            value = rename(value, old, new)
        return value
    if isinstance(value, list):
        return [_renamed_document(each, *names) for each in value]
    if isinstance(value, dict):
        return {key: _renamed_document(each, *names) for key, each in value.items()}
    return value


def _drop_sibling(control: Control, name: str) -> None:
    """Drop what is beside a clone that had the name; a user who may not has none."""
    sibling = sibling_of(name)
    found = control.rows(
        f"SELECT 1 FROM information_schema.schemata WHERE schema_name = {text(sibling)}"
    )
    if found:
        control.run(f"DROP DATABASE {quote(sibling)}")


def _run(control: Control, statements: list[str]) -> list[Any]:
    results: list[Any] = []
    for start in range(0, len(statements), _CHUNK):
        results += control.run(*statements[start : start + _CHUNK])
    return results
