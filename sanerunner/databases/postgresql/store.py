"""Where the content of states of a PostgreSQL database, and the document, are kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any

from .catalog import Layout, SequenceItem, Table, View
from .schema import SCHEMA
from .session import INSUFFICIENT_PRIVILEGE, UNDEFINED_TABLE, Session, sqlstate
from .state import Content, Counter, Digest, Origin, Rows, State, dump_contents
from .stored import dump_layout, load_layout

_CLUSTER = """
SELECT (SELECT system_identifier::text FROM pg_control_system()),
 pg_snapshot_xmax(pg_current_snapshot())::text::bigint"""

# A state that is so many transactions behind cannot be told from one that is ahead.
_MAX_AGE = 1 << 30

#: To be raised whenever states are stored in another way.
_FORMAT = 2

_NOT_OURS = (UNDEFINED_TABLE, INSUFFICIENT_PRIVILEGE)  # which is another role's

_CHUNK = 500  # parts of one statement; each locks a relation until its end


def rows_digest(name: str) -> str:
    """Return SQL for the digest of all rows of a relation, in any order."""
    return (
        "(SELECT count(*) || ':' || md5(coalesce(string_agg(digest, '' ORDER BY digest), '')) "
        f"FROM (SELECT md5(sane_row::text) AS digest FROM {name} sane_row) AS sane_rows)"
    )


def in_chunks(session: Session, parts: Iterable[str], size: int = _CHUNK) -> list[tuple[Any, ...]]:
    """Execute queries as few statements; return the rows of all."""
    pending = list(parts)
    found: list[tuple[Any, ...]] = []
    for start in range(0, len(pending), size):
        found += session.rows(" UNION ALL ".join(pending[start : start + size]))
    return found


class Store:
    """Keeps the content of states, and the document, in a schema of the database.

    Where the role may not create one (``on_server`` is False) all is kept in this process.
    """

    def __init__(self, session: Session, reading: Session) -> None:
        self._session = session
        self._reading = reading  # what is read so needs no session that writes
        self.on_server = self._exists() or self._may_create()

    def _exists(self) -> bool:
        return bool(
            self._reading.rows(
                f"SELECT 1 FROM pg_namespace WHERE nspname = '{SCHEMA}'"
                " AND has_schema_privilege(oid, 'CREATE')"
            )
        )

    def _may_create(self) -> bool:
        sql = "SELECT has_database_privilege(current_database(), 'CREATE')"
        return bool(self._reading.rows(sql)[0][0])

    def prepare(self) -> None:
        """Make the schema unless it is there."""
        if self.on_server and not self._exists():
            self._session.rows(
                f"CREATE SCHEMA {SCHEMA};"
                f" CREATE TABLE {SCHEMA}.document(name text PRIMARY KEY, body text NOT NULL);"
                f" CREATE TABLE {SCHEMA}.state(name text PRIMARY KEY, body text NOT NULL);"
                # No unique key: writers would wait for each other. Not logged: after a crash of
                # the server the first rewind looks at everything.
                f" CREATE UNLOGGED TABLE {SCHEMA}.marks(relid oid);"
                f" CREATE TABLE {SCHEMA}.counters(item int, oid oid, last_value bigint)"
            )

    def clear(self) -> None:
        """Drop all shadows and states of earlier runs."""
        if self.on_server:
            self._session.rows(f"DELETE FROM {SCHEMA}.state")
            self.drop(self._shadows())

    def _shadows(self) -> list[str]:
        sql = f"SELECT tablename::text FROM pg_tables WHERE schemaname = '{SCHEMA}'"
        return [name for (name,) in self._reading.rows(sql) if name.startswith("t_")]

    def drop(self, shadows: Collection[str]) -> None:
        if shadows:
            names = ", ".join(f"{SCHEMA}.{name}" for name in sorted(shadows))
            self._session.rows(f"DROP TABLE IF EXISTS {names}")

    # Content

    def copy(self, layout: Layout, indices: Collection[int], suffix: int) -> dict[int, Content]:
        """Return the present content of items; call it in one transaction that sees one state.

        ``suffix`` makes the names of shadows unlike those of other captures.
        """
        contents: dict[int, Content] = {}
        tables = [index for index in indices if isinstance(layout.items[index], Table)]
        filled = in_chunks(
            self._session,
            (
                f"SELECT {index} WHERE EXISTS (SELECT FROM ONLY {layout.items[index].name})"
                for index in tables
            ),
        )
        contents.update(dict.fromkeys(tables))
        contents.update(self._copy_tables(layout, sorted(row[0] for row in filled), suffix))
        for index in indices:
            item = layout.items[index]
            if isinstance(item, View):
                contents[index] = self.digest(item)
        counters = in_chunks(
            self._session,
            (
                f"SELECT {index}, last_value, is_called FROM {layout.items[index].name}"
                for index in indices
                if isinstance(layout.items[index], SequenceItem)
            ),
        )
        contents.update({row[0]: Counter(row[1], row[2]) for row in counters})
        return contents

    def digest(self, view: View) -> Digest:
        ((digest,),) = self._session.rows(f"SELECT {rows_digest(view.name)}")
        return Digest(int(digest.partition(":")[0]), digest)

    def _copy_tables(self, layout: Layout, indices: list[int], suffix: int) -> dict[int, Content]:
        if not self.on_server:
            return {index: self._copy_out(layout.items[index]) for index in indices}
        shadows = {index: f"t_{layout.items[index].oid}_{suffix}" for index in indices}
        if not shadows:
            return {}
        self._session.rows(
            ";".join(
                f"CREATE TABLE {SCHEMA}.{shadow} WITH (autovacuum_enabled = off) AS "
                f"SELECT {_columns(layout.items[index])} FROM ONLY {layout.items[index].name}"
                for index, shadow in shadows.items()
            )
        )
        counts = in_chunks(
            self._session,
            (f"SELECT {index}, count(*) FROM {SCHEMA}.{name}" for index, name in shadows.items()),
        )
        return {index: Rows(count, shadows[index]) for index, count in counts}

    def _copy_out(self, table: Any) -> Rows:
        copied = self._session.copy_out(f"(SELECT {table.columns} FROM ONLY {table.name})")
        ((count,),) = self._session.rows(f"SELECT count(*) FROM ONLY {table.name}")
        return Rows(count, copied=copied)

    def fetch(self, rows: Rows) -> Rows:
        """Return rows that are kept in this process, of such as are in a shadow."""
        return Rows(rows.count, copied=self._session.copy_out(f"{SCHEMA}.{rows.shadow}"))

    # What outlives the process

    def save(self, state: State) -> None:
        """Store what ``load()`` needs; a state with content in this process cannot be stored."""
        if not self.on_server:
            return
        if any(isinstance(each, Rows) and not each.shadow for each in state.contents):
            self.remove(state.name)
            return
        body = {
            "format": _FORMAT,
            "cluster": self.cluster[0],
            "xid": state.xid,
            "schema": state.layout.digest,
            "contents": dump_contents(state.layout, state.contents),
            "rewrite": sorted(state.rewrite),
        }
        self._write("state", state.name, json.dumps(body))

    def save_origin(self, origin: Origin) -> None:
        """Store what the database can be made anew from."""
        if self.on_server:
            body = {
                "template": origin.template.as_dict(),
                "schema": origin.layout.digest,
                "contents": dump_contents(origin.layout, origin.contents),
                "shadows": sorted(origin.shadows),
            }
            self._write("document", "origin", json.dumps(body))

    def load_origin(self) -> dict[str, Any] | None:
        """Return what ``save_origin()`` stored, None if nothing."""
        body = self._read("document", "origin")
        return None if body is None else json.loads(body)

    def save_layout(self, layout: Layout, reader: list[Any]) -> None:
        """Store a layout; ``reader`` is what it depends on beside the schema."""
        if self.on_server and layout.version:
            body = {"reader": reader, "version": layout.version, "layout": dump_layout(layout)}
            self._write("document", "layout", json.dumps(body))

    def load_layout(self, version: str, reader: list[Any]) -> Layout | None:
        """Return what ``save_layout()`` stored, if the schema has not been changed since."""
        body = json.loads(self._read("document", "layout") or "{}")
        if body.get("version") != version or body["reader"] != reader:
            return None
        return load_layout(body["layout"], version)

    def load(self, name: str) -> dict[str, Any] | None:
        """Return what ``save()`` stored, None if nothing."""
        body = json.loads(self._read("state", name) or "{}")
        return body if body.get("format") == _FORMAT else None

    def counts_from(self, body: dict[str, Any]) -> bool:
        """Whether transactions are counted as they were when a state was stored."""
        identifier, xid = self.cluster
        return bool(body["cluster"] == identifier and 0 <= xid - body["xid"] < _MAX_AGE)

    def has(self, shadows: set[str]) -> bool:
        return shadows <= set(self._shadows())

    def remove(self, name: str) -> None:
        if self.on_server:
            self._session.rows(f"DELETE FROM {SCHEMA}.state WHERE name = %s", [name])

    def read_document(self) -> str | None:
        return self._read("document", "") if self.on_server else None

    def write_document(self, body: str) -> None:
        if self.on_server:
            self.prepare()
            self._write("document", "", body)

    @cached_property
    def cluster(self) -> tuple[str, int]:
        """The identity of the server, and the number of its next transaction."""
        ((identifier, xid),) = self._reading.rows(_CLUSTER)
        return str(identifier), int(xid)

    def _write(self, table: str, name: str, body: str) -> None:
        self._session.rows(
            f"INSERT INTO {SCHEMA}.{table} VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            [name, body],
        )

    def _read(self, table: str, name: str) -> str | None:
        try:
            found = self._reading.rows(
                f"SELECT body FROM {SCHEMA}.{table} WHERE name = %s", [name]
            )
        except self._reading.error as error:
            if sqlstate(error) in _NOT_OURS:
                return None
            raise
        return str(found[0][0]) if found else None


def _columns(table: Any) -> str:
    return str(table.columns)


def read_checksums(session: Session, layout: Layout) -> dict[str, str]:
    """Return a digest of the rows of each relation, of each counter and of the schema."""
    relations, counters = [], []
    for item in layout.items:
        if isinstance(item, SequenceItem):
            counters.append(
                f"SELECT {_literal(item.title)}, last_value || ' ' || is_called FROM {item.name}"
            )
        else:
            source = item.name if isinstance(item, View) else f"ONLY {item.name}"
            relations.append(f"SELECT {_literal(item.label)}, {rows_digest(source)}")
    return {
        "(schema)": layout.digest,
        **dict(in_chunks(session, relations, 50)),
        **dict(in_chunks(session, counters)),
    }


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
