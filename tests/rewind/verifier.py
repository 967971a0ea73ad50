"""Reads all that a database holds, for comparison; knows nothing of how a rewind works.

What a runner keeps for itself beside or in a database (names that begin with "sane") is left
out; everything else is in.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

Dump = dict[str, Any]


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return a line for each object that is not the same in both dumps."""
    lines = []
    for name in sorted(expected.keys() | found.keys()):
        before, after = expected.get(name), found.get(name)
        if before == after:
            continue
        if isinstance(before, list) and isinstance(after, list):
            lost = [row for row in before if row not in after]
            new = [row for row in after if row not in before]
            lines.append(f"{name}: {len(before)} -> {len(after)} rows; lost {lost}; new {new}")
        else:
            lines.append(f"{name}: {before!r} -> {after!r}")
    return lines


def sqlite(uri: str) -> Dump:
    """Dump the SQLite database at ``uri``."""
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.text_factory = bytes
        return _sqlite(connection)


def _sqlite(connection: sqlite3.Connection) -> Dump:
    def rows(sql: str) -> list[Any]:
        return connection.execute(sql).fetchall()

    dump: Dump = {
        "schema": sorted(rows("SELECT type, name, tbl_name, sql FROM sqlite_master"), key=repr),
        "user_version": rows("PRAGMA user_version"),
        "application_id": rows("PRAGMA application_id"),
    }
    for kind, name, sql in rows("SELECT type, name, sql FROM sqlite_master"):
        if kind != b"table" or (sql and re.match(rb"CREATE VIRTUAL", sql, re.I)):
            continue
        table = _quoted(name)
        columns = [_quoted(row[1]) for row in rows(f"PRAGMA table_xinfo({table})")]
        values = ", ".join(f"typeof({column}), {column}" for column in columns)
        found = rows(f"SELECT {values} FROM {table}")
        dump[f"table {name.decode()}"] = sorted(found, key=repr)
    return dump


def _quoted(name: bytes) -> str:
    return '"' + name.decode().replace('"', '""') + '"'


POSTGRESQL_SCHEMA = {
    "columns": """
        SELECT c.oid::regclass::text, c.relkind, c.relpersistence, c.relrowsecurity,
          a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
          a.attgenerated, a.attcollation, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE {0} AND NOT a.attisdropped AND c.relkind <> 'i'""",
    "relations": """
        SELECT c.oid::regclass::text, c.relkind, c.relispartition, c.reloptions,
          pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid), c.relowner,
          c.relacl::text, obj_description(c.oid, 'pg_class')
        FROM pg_class c WHERE {0}""",
    "constraints": """
        SELECT k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid), k.convalidated
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE {0}""",
    "indexes": """
        SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE {0}""",
    "triggers": """
        SELECT t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE {0} AND NOT t.tgisinternal AND t.tgname NOT LIKE 'sane%'""",
    "views": """
        SELECT c.oid::regclass::text, pg_get_viewdef(c.oid), c.relispopulated
        FROM pg_class c WHERE {0} AND c.relkind IN ('v', 'm')""",
    "functions": """
        SELECT c.oid::regprocedure::text, pg_get_functiondef(c.oid)
        FROM (SELECT oid, pronamespace AS relnamespace, prokind FROM pg_proc) c
        WHERE {0} AND c.prokind IN ('f', 'p')""",
    "types": """
        SELECT c.typname, c.typtype, (SELECT array_agg(enumlabel ORDER BY enumsortorder)
          FROM pg_enum WHERE enumtypid = c.oid)::text
        FROM (SELECT oid, typname, typtype, typnamespace AS relnamespace FROM pg_type) c
        WHERE {0}""",
    "sequences": """
        SELECT q.seqrelid::regclass::text, q.seqtypid, q.seqstart, q.seqincrement, q.seqmax,
          q.seqmin, q.seqcache, q.seqcycle
        FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid WHERE {0}""",
    "schemas": """
        SELECT c.nspname FROM (SELECT nspname, oid AS relnamespace FROM pg_namespace) c
        WHERE {0}""",
    "extensions": "SELECT extname, extversion FROM pg_extension",
}
POSTGRESQL_OURS = """c.relnamespace IN (
    SELECT oid FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
    AND nspname NOT LIKE 'sane\\_%' AND nspname <> 'information_schema')"""


def postgresql(parameters: Mapping[str, Any]) -> Dump:
    """Dump the PostgreSQL database that psycopg opens with ``parameters``."""
    import psycopg

    with psycopg.connect(**parameters, autocommit=True) as connection:
        return _postgresql(connection)


def _postgresql(connection: Any) -> Dump:
    def rows(sql: str) -> list[Any]:
        found: list[Any] = connection.execute(sql).fetchall()
        return found

    dump: Dump = {
        name: sorted(rows(sql.format(POSTGRESQL_OURS)), key=repr)
        for name, sql in POSTGRESQL_SCHEMA.items()
    }
    relations = rows(
        "SELECT format('%I.%I', n.nspname, c.relname), c.relkind, c.relispopulated FROM pg_class c"
        f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {POSTGRESQL_OURS}"
    )
    for name, kind, populated in relations:
        if kind == "r" or (kind == "m" and populated):
            dump[f"table {name}"] = sorted(rows(f"SELECT t::text FROM ONLY {name} t"))
        elif kind == "S":
            dump[f"sequence {name}"] = rows(f"SELECT last_value, is_called FROM {name}")
    return dump


def mysql(parameters: Mapping[str, Any]) -> Dump:
    """Dump the MySQL or MariaDB database that MySQLdb opens with ``parameters``."""
    import MySQLdb

    with closing(MySQLdb.connect(**parameters)) as connection:
        connection.autocommit(True)
        return _mysql(connection)


def _mysql(connection: Any) -> Dump:
    def rows(sql: str) -> list[Any]:
        with closing(connection.cursor()) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    if "MariaDB" not in rows("SELECT VERSION()")[0][0]:
        rows("SET SESSION information_schema_stats_expiry = 0")
    dump: Dump = {}
    for name, kind, counter in rows(
        "SELECT table_name, table_type, auto_increment FROM information_schema.tables "
        "WHERE table_schema = DATABASE()"
    ):
        definition = rows(f"SHOW CREATE TABLE `{name}`")[0][1]
        dump[f"schema {name}"] = re.sub(r" AUTO_INCREMENT=\d+", "", definition)
        if kind == "SEQUENCE":
            dump[f"sequence {name}"] = rows(f"SELECT * FROM `{name}`")
        elif kind == "BASE TABLE":
            dump[f"table {name}"] = sorted(rows(f"SELECT * FROM `{name}`"), key=repr)
            dump[f"counter {name}"] = counter
    dump["triggers"] = [
        row[:5] for row in rows("SHOW TRIGGERS") if not str(row[0]).startswith("sane")
    ]
    dump["routines"] = sorted(
        rows(
            "SELECT routine_name, routine_type, routine_definition FROM "
            "information_schema.routines WHERE routine_schema = DATABASE()"
        )
    )
    return dump
