"""What a PostgreSQL database consists of: the tables, sequences and views that hold content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .schema import SCHEMA, read_digests, read_version
from .session import Session

_USERS = f"""n.nspname NOT IN ('pg_catalog', 'information_schema', '{SCHEMA}')
 AND n.nspname NOT LIKE 'pg\\_%' AND c.relpersistence <> 't'
 AND has_table_privilege(c.oid, 'SELECT')
 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                 AND d.objid = c.oid AND d.deptype = 'e')"""

# The condition by which two rows (b, x) have the same primary key names its operators: those
# of an extension's types need not be in the search path.
_TABLES = f"""
SELECT c.oid::int8, n.nspname, c.relname, format('%I.%I', n.nspname, c.relname), c.relkind::text,
 coalesce((SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
           WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''), ''),
 coalesce((SELECT string_agg(format('b.%1$I OPERATOR(%2$I.%3$s) x.%1$I',
                                    a.attname, s.nspname, o.oprname), ' AND ')
           FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey, i.indclass) k(attnum, opclass)
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                               AND a.attgenerated = ''
           JOIN pg_opclass q ON q.oid = k.opclass
           JOIN pg_amop p ON p.amopfamily = q.opcfamily AND p.amopstrategy = 3
                          AND p.amoplefttype = q.opcintype AND p.amoprighttype = q.opcintype
           JOIN pg_operator o ON o.oid = p.amopopr JOIN pg_namespace s ON s.oid = o.oprnamespace
           WHERE i.indrelid = c.oid AND i.indisprimary
           GROUP BY i.indnkeyatts HAVING count(*) = i.indnkeyatts), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND (c.relkind <> 'm' OR c.relispopulated) AND {_USERS}
ORDER BY c.oid"""

_SEQUENCES = f"""
SELECT c.oid::int8, n.nspname, c.relname, format('%I.%I', n.nspname, c.relname),
 (SELECT d.refobjid::int8 FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
  AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND {_USERS} ORDER BY c.oid"""

_DESCENDANTS = """
WITH RECURSIVE tree(top, oid) AS (
 SELECT inhparent, inhrelid FROM pg_inherits
 UNION SELECT t.top, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid)
SELECT top::int8, oid::int8 FROM tree"""

# Triggers and rules that fire when rows are put back; {firing} are the values of tgenabled.
_FIRING = """
SELECT tgrelid::int8, format('TRIGGER %I', tgname), tgenabled::text FROM pg_trigger
WHERE NOT tgisinternal AND tgenabled IN ({firing})
 AND tgfoid NOT IN (SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                    WHERE n.nspname = '{schema}')
UNION ALL SELECT ev_class::int8, format('RULE %I', rulename), ev_enabled::text FROM pg_rewrite
WHERE ev_type <> '1' AND ev_enabled IN ({firing})"""

_FOREIGN_KEYS = """
SELECT oid::int8, conparentid::int8, conrelid::int8, confrelid::int8, conrelid::regclass::text,
 quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND NOT (condeferrable AND confdeltype = 'a' AND confupdtype = 'a')"""

_ENABLE = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA"}


@dataclass(frozen=True)
class Table:
    """A table with rows of its own: an ordinary one, or a leaf of a partitioned one."""

    oid: int
    label: str
    name: str  # qualified and quoted
    columns: str = ""  # all but generated ones, quoted
    same_key: str = ""  # the condition for rows b and x to have the same primary key
    silence: tuple[str, ...] = ()  # SQL that keeps its triggers and rules from firing
    unsilence: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        return f"{self.name}({self.columns})" if self.columns else self.name


@dataclass(frozen=True)
class View:
    """A materialized view that holds data."""

    oid: int
    label: str
    name: str


@dataclass(frozen=True)
class SequenceItem:
    """A sequence; its label is that of the table that owns it."""

    oid: int
    label: str
    name: str
    title: str
    owned: bool


Item = Table | View | SequenceItem


@dataclass(frozen=True)
class ForeignKey:
    """A key that stands in the way of rows in any order: not deferrable, or with an action."""

    table: str
    name: str
    definition: str
    tables: frozenset[int]

    @property
    def drop(self) -> str:
        return f"ALTER TABLE {self.table} DROP CONSTRAINT {self.name}"

    @property
    def add(self) -> str:
        return f"ALTER TABLE {self.table} ADD CONSTRAINT {self.name} {self.definition}"


@dataclass(eq=False)
class Layout:
    """All items of one schema of the database; elsewhere they go by their place in ``items``."""

    digests: dict[str, str]  # of each object of the schema
    items: tuple[Item, ...]
    parents: tuple[Table, ...] = ()  # partitioned tables, which have no rows
    affects: dict[int, tuple[int, ...]] = field(default_factory=dict)  # OID marked -> items
    foreign_keys: tuple[ForeignKey, ...] = ()
    version: str = ""  # of the schema, when it was as the digests say (see ``read_version()``)

    @cached_property
    def digest(self) -> str:
        """One digest for the whole schema."""
        return hashlib.md5(repr(sorted(self.digests.items())).encode()).hexdigest()

    def indices(self, kind: type[Any]) -> list[int]:
        """Return the places of all items of ``kind``."""
        return [index for index, item in enumerate(self.items) if isinstance(item, kind)]

    def labels(self, indices: Iterable[int]) -> tuple[str, ...]:
        return tuple(sorted({self.items[index].label for index in indices}))


def read_layout(session: Session, default_schema: str, *, replica: bool) -> Layout:
    """Read the catalogs. ``replica``: session_replication_role may be set when repairing."""

    def label(schema: str, name: str) -> str:
        return name if schema == default_schema else f"{schema}.{name}"

    version = read_version(session)  # before all else
    found = session.rows(_TABLES)
    labels = {row[0]: label(row[1], row[2]) for row in found}
    firing = _read_firing(session, replica=replica)
    tables: list[Table] = []
    parents: list[Table] = []
    views: list[View] = []
    for oid, _, _, name, kind, columns, same_key in found:
        if kind == "m":
            views.append(View(oid, labels[oid], name))
            continue
        each = firing.get(oid, ())
        table = Table(
            oid,
            labels[oid],
            name,
            columns,
            same_key,
            tuple(f"ALTER TABLE {name} DISABLE {what}" for what, _ in each),
            tuple(f"ALTER TABLE {name} {_ENABLE[mode]} {what}" for what, mode in each),
        )
        (parents if kind == "p" else tables).append(table)
    sequences: list[SequenceItem] = []
    owned: dict[int, list[int]] = {}
    for oid, schema, relation, name, owner in session.rows(_SEQUENCES):
        title = label(schema, relation)
        sequences.append(
            SequenceItem(oid, labels.get(owner, title), name, title, owner is not None)
        )
        owned.setdefault(owner, []).append(oid)
    items: tuple[Item, ...] = (*tables, *views, *sequences)
    return Layout(
        read_digests(session),
        items,
        tuple(parents),
        _read_affects(session, items, [*tables, *parents], owned),
        () if replica else _read_foreign_keys(session),
        version,
    )


def _read_firing(session: Session, *, replica: bool) -> dict[int, list[tuple[str, str]]]:
    firing: dict[int, list[tuple[str, str]]] = {}
    values = "'A', 'R'" if replica else "'O', 'A'"
    for oid, what, mode in session.rows(_FIRING.format(firing=values, schema=SCHEMA)):
        firing.setdefault(oid, []).append((what, mode))
    return firing


def _read_affects(
    session: Session,
    items: Sequence[Item],
    markable: Sequence[Table],
    owned: dict[int, list[int]],
) -> dict[int, tuple[int, ...]]:
    """Return the items that a statement upon a table may have changed: it and those below it."""
    places = {item.oid: index for index, item in enumerate(items)}
    below: dict[int, list[int]] = {}
    for top, oid in session.rows(_DESCENDANTS):
        below.setdefault(top, []).append(oid)
    affects = {}
    for table in markable:
        family = [table.oid, *below.get(table.oid, ())]
        family += [sequence for oid in family for sequence in owned.get(oid, ())]
        affects[table.oid] = tuple(places[oid] for oid in family if oid in places)
    return affects


def _read_foreign_keys(session: Session) -> tuple[ForeignKey, ...]:
    rows = {row[0]: row for row in session.rows(_FOREIGN_KEYS)}
    tables: dict[int, set[int]] = {}
    for oid, _, referring, referred, *_ in rows.values():
        top = oid
        while rows[top][1] in rows:  # inherited by a partition
            top = rows[top][1]
        tables.setdefault(top, set()).update((referring, referred))
    return tuple(
        ForeignKey(rows[oid][4], rows[oid][5], rows[oid][6], frozenset(concerned))
        for oid, concerned in sorted(tables.items())
    )
