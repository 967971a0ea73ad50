"""A state of a MySQL or MariaDB database: what was captured, in this process or as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .rows import Column, Shadow, Table
from .schema import Definition, Key, Schema


@dataclass(eq=False)
class State:
    """``shadows``: of the tables that have rows; ``counters``: the next AUTO_INCREMENT values;
    ``sequences``: the next value that is not cached, and the round, of MariaDB's sequences;
    ``document``: the name by which the schema is kept.
    """

    schema: Schema
    document: str
    tables: dict[str, Table]
    shadows: dict[str, Shadow]
    counters: dict[str, int]
    sequences: dict[str, tuple[int, int]]
    number: int = 0  # part of the names of what is prepared for it, by extent
    prepared: dict[str, list[str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": self.document,
            "shadows": self.shadows,
            "counters": self.counters,
            "sequences": self.sequences,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any], schema: Schema, tables: dict[str, Table]) -> State:
        """Return the state as stored, with the schema that it names."""
        shadows = {name: Shadow(*values) for name, values in content["shadows"].items()}
        sequences = {name: (n, rounds) for name, (n, rounds) in content["sequences"].items()}
        return cls(schema, content["schema"], tables, shadows, content["counters"], sequences)


def schema_to_json(schema: Schema) -> list[Any]:
    return sorted([list(key), list(definition)] for key, definition in schema.items())


def schema_from_json(content: Iterable[Any]) -> Schema:
    return {Key(*key): Definition(*definition) for key, definition in content}


def tables_from_json(content: dict[str, Any]) -> dict[str, Table]:
    """Return the tables as JSON has them: with lists for tuples."""
    return {
        name: Table(table, tuple(Column(*each) for each in columns), tuple(key), engine, counted)
        for name, (table, columns, key, engine, counted) in content.items()
    }


def schema_name(schema: Schema) -> str:
    """Return the name of the document that holds ``schema``."""
    content = json.dumps(schema_to_json(schema))
    return f"schema:{hashlib.sha256(content.encode()).hexdigest()}"
