"""States of a PostgreSQL database: what it is to contain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .catalog import Layout
from .template import Template


@dataclass(frozen=True)
class Rows:
    """The rows of a table: in a shadow of that name on the server, or here, as COPY gave them."""

    count: int
    shadow: str = ""
    copied: bytes = b""


@dataclass(frozen=True)
class Counter:
    last_value: int
    is_called: bool


@dataclass(frozen=True)
class Digest:
    """The rows of a materialized view, which can be refreshed but not written."""

    count: int
    digest: str


Content = Rows | Counter | Digest | None  # None: a table without rows


@dataclass(eq=False)
class State:
    """What the database is to contain.

    A row that is there and was written by no transaction after ``xid`` is a row of this state,
    unchanged: so rows that a test wrote are told by their age alone. ``rewrite`` has the items
    for which that does not hold, as the database has been rebuilt from another state.
    """

    name: str
    layout: Layout
    contents: tuple[Content, ...]  # of each item of the layout
    xid: int
    rewrite: set[int] = field(default_factory=set)

    @property
    def age(self) -> str:
        """SQL for the age of the newest rows of this state."""
        return f"age('{self.xid32}'::xid)"

    @property
    def xid32(self) -> str:
        return str(self.xid % 2**32)

    def shadows(self) -> set[str]:
        return {each.shadow for each in self.contents if isinstance(each, Rows) and each.shadow}


@dataclass(eq=False)
class Origin:
    """What the database is made anew from, and what that contains."""

    template: Template
    layout: Layout
    contents: tuple[Content, ...]
    shadows: frozenset[str]


def dump_contents(layout: Layout, contents: tuple[Content, ...]) -> list[list[Any]]:
    """Return what can be stored as JSON, by the OIDs of the items."""
    dumped: list[list[Any]] = []
    for item, content in zip(layout.items, contents, strict=True):
        if isinstance(content, Rows):
            dumped.append([item.oid, "rows", content.count, content.shadow])
        elif isinstance(content, Counter):
            dumped.append([item.oid, "counter", content.last_value, content.is_called])
        elif isinstance(content, Digest):
            dumped.append([item.oid, "digest", content.count, content.digest])
    return dumped


def load_contents(layout: Layout, dumped: list[list[Any]]) -> tuple[Content, ...]:
    """Return the contents of all items, from what was stored by their OIDs."""
    kinds: dict[str, Any] = {"rows": Rows, "counter": Counter, "digest": Digest}
    contents = {oid: kinds[kind](*values) for oid, kind, *values in dumped}
    return tuple(contents.get(item.oid) for item in layout.items)
