"""Vacuums tables that repairs have emptied: rows that are gone are looked at, too."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .catalog import Item, Table
from .schema import SCHEMA
from .session import Session
from .state import Content, Rows

#: A table that takes so much more than its rows do is vacuumed.
_BLOATED_BYTES = 1 << 20
_PAGE_BYTES = 8192
#: Sizes are asked for when so many rows were written.
_ROWS = 500

_BLOATED = """
SELECT oid::regclass::text FROM (VALUES {limits}) AS v(oid, size)
WHERE pg_relation_size(oid) > size"""


class Bloat:
    """The tables that were repaired, and how much was written since their sizes were asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._limits: dict[int, int] = {}  # OID -> bytes, of tables that were repaired
        self._rows = 0

    def note(self, items: Iterable[tuple[Item, Content]], counts: Collection[int]) -> None:
        """Items were put back by statements of so many rows; nothing if that is not known."""
        for item, content in items:
            if isinstance(item, Table):
                rows = content.count if isinstance(content, Rows) else 0
                self._limits[item.oid] = _BLOATED_BYTES + rows * _PAGE_BYTES
        self._rows += sum(count for count in counts if count > 0)
        if self._rows >= _ROWS or not counts:
            self._vacuum()

    def _vacuum(self) -> None:
        limits = [f"(to_regclass('{SCHEMA}.marks')::oid, {_BLOATED_BYTES})"]
        limits += [f"({oid}, {size})" for oid, size in self._limits.items()]
        for (name,) in self._session.rows(_BLOATED.format(limits=", ".join(limits))):
            self._session.rows(f"VACUUM {name}")
        self._limits.clear()
        self._rows = 0
