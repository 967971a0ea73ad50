"""Expects that a test has written what the ones before it have: repaired in the same round trip
that looks for what differs.
"""

from __future__ import annotations

from collections.abc import Collection

from .catalog import Layout, SequenceItem, Table
from .session import Session
from .state import Content, Counter, State


class Habit:
    """What the last repairs have put back, if they were alike and all of it is simple: tables
    that are to be empty, and counters. ``session`` must run no triggers and check no keys.
    """

    def __init__(self, session: Session, layout: Layout) -> None:
        self._session = session
        self._layout = layout
        self._state: State | None = None
        self._items: frozenset[int] = frozenset()
        self._times = 0

    def learn(self, state: State, items: Collection[int]) -> None:
        """These items were put back to ``state``, all that differed."""
        found = frozenset(items)
        if self._state is state and found and found <= self._items:
            self._times += 1
        else:
            self._state, self._items, self._times = state, found, 1

    def steps(self, state: State) -> dict[int, str]:
        """Return the items that are likely to differ from ``state`` now, each with SQL that puts
        it back and counts what did differ; nothing if unsure.
        """
        if self._state is not state or self._times < 2:
            return {}
        items = sorted(self._items)
        if not all(_is_simple(self._layout.items[i], state.contents[i]) for i in items):
            return {}
        prepared = self._session.prepared_name
        return {item: f"EXECUTE {prepared(self._statement(state, item))}" for item in items}

    def _statement(self, state: State, index: int) -> str:
        item, content = self._layout.items[index], state.contents[index]
        if not isinstance(content, Counter):
            return f"DELETE FROM ONLY {item.name}"
        return (
            f"SELECT setval({item.oid}::regclass, {content.last_value}, {content.is_called})"
            f" FROM {item.name} WHERE last_value <> {content.last_value}"
            f" OR is_called <> {content.is_called}"
        )


def _is_simple(item: object, content: Content) -> bool:
    if isinstance(item, Table):
        return content is None and not item.silence
    return isinstance(item, SequenceItem)
