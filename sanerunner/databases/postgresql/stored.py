"""Layouts as JSON: those of a kept database need not be read from the catalogs again."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from .catalog import ForeignKey, Item, Layout, SequenceItem, Table, View

_KINDS: dict[str, type[Item]] = {each.__name__: each for each in (Table, View, SequenceItem)}


def dump_layout(layout: Layout) -> dict[str, Any]:
    """Return what can be stored as JSON."""
    return {
        "digests": layout.digests,
        "items": [[type(item).__name__, *astuple(item)] for item in layout.items],
        "parents": [astuple(table) for table in layout.parents],
        "affects": list(layout.affects.items()),
        "foreign keys": [
            [key.table, key.name, key.definition, sorted(key.tables)]
            for key in layout.foreign_keys
        ],
    }


def load_layout(stored: dict[str, Any], version: str) -> Layout:
    """Return the layout of what ``dump_layout()`` gave."""
    return Layout(
        stored["digests"],
        tuple(_KINDS[kind](*map(_frozen, values)) for kind, *values in stored["items"]),
        tuple(Table(*map(_frozen, values)) for values in stored["parents"]),
        {oid: tuple(places) for oid, places in stored["affects"]},
        tuple(
            ForeignKey(table, name, definition, frozenset(tables))
            for table, name, definition, tables in stored["foreign keys"]
        ),
        version,
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
