"""A first look at all content: two statements that need not be prepared.

To plan a query for each of some hundred tables takes much longer than to execute it. Most tables
are empty: those are told by the size of their files. The counters are read one by one by the
server.
"""

from __future__ import annotations

from collections.abc import Iterable

from .catalog import Layout, SequenceItem, Table
from .session import Session
from .state import Content, Counter, State

_FILLED = """
SELECT item, size IS NULL FROM (
 SELECT item, pg_relation_size(oid) AS size
 FROM unnest(%s::int8[], %s::oid[]) AS t(item, oid) OFFSET 0) AS sizes
WHERE size IS DISTINCT FROM 0"""

# A block returns nothing, so what it finds is left in a setting.
_COUNTERS = """
DO $sane$ DECLARE found text := ''; value bigint; called boolean; counter record; BEGIN
 FOR counter IN SELECT * FROM unnest(ARRAY[{items}]::int8[], ARRAY[{names}]::text[],
  ARRAY[{values}]::int8[], ARRAY[{called}]::boolean[]) AS t(item, name, value, called) LOOP
  EXECUTE 'SELECT last_value, is_called FROM ' || counter.name INTO value, called;
  IF value <> counter.value OR called <> counter.called THEN
   found := found || ' ' || counter.item; END IF;
 END LOOP;
 PERFORM set_config('sanerunner.found', found, false); END $sane$;
SELECT current_setting('sanerunner.found')"""


def moved_counters(session: Session, layout: Layout, state: State) -> set[int]:
    """Return the sequences that are not as in ``state``."""
    counters = [
        (index, item.name, content.last_value, content.is_called)
        for index, (item, content) in enumerate(zip(layout.items, state.contents, strict=True))
        if isinstance(item, SequenceItem) and isinstance(content, Counter)
    ]
    if not counters:
        return set()
    items, names, values, called = zip(*counters, strict=True)
    sql = _COUNTERS.format(
        items=_list(items),
        names=_list("'" + name.replace("'", "''") + "'" for name in names),
        values=_list(values),
        called=_list(called),
    )
    ((found,),) = session.rows(sql)
    return {int(index) for index in found.split()}


def filled_tables(session: Session, layout: Layout, state: State) -> tuple[set[int], bool]:
    """Return which of the tables that are empty in ``state`` may have rows now, and whether one
    of them is gone.
    """
    empty = {
        index: item.oid
        for index, (item, content) in enumerate(zip(layout.items, state.contents, strict=True))
        if _is_empty(item, content)
    }
    rows = session.rows(_FILLED, [list(empty), list(empty.values())])
    return {index for index, gone in rows if not gone}, any(gone for _, gone in rows)


def remaining(layout: Layout, state: State, filled: set[int]) -> list[int]:
    """Return the items of which each must be asked for."""
    return [
        index
        for index, (item, content) in enumerate(zip(layout.items, state.contents, strict=True))
        if not isinstance(item, SequenceItem) and (index in filled or not _is_empty(item, content))
    ]


def _is_empty(item: object, content: Content) -> bool:
    return isinstance(item, Table) and content is None


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
