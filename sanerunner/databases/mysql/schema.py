"""The schema of a MySQL or MariaDB database: read as SQL, compared, and put back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .control import Control, Result, quote, text


class Key(NamedTuple):
    """What names an object of a schema: ("TABLE", "shop_order")."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()} {self.name}"


class Definition(NamedTuple):
    """How an object is created: the statement, and the session's settings that it depends on.

    ``table`` and ``position`` are those of a trigger: several of one table fire in order.
    """

    sql: str
    sql_mode: str = ""
    charset: str = ""
    collation: str = ""
    time_zone: str = ""
    table: str = ""
    position: int = 0


Schema = Mapping[Key, Definition]

# In the order of creation: a later kind may use an earlier one.
KINDS = (
    *("DATABASE", "SEQUENCE", "TABLE", "PACKAGE", "PACKAGE BODY", "FUNCTION", "PROCEDURE"),
    *("VIEW", "TRIGGER", "EVENT"),
)
_TABLE_TYPES = {"VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}  # all others are tables

_LIST = (
    "SHOW FULL TABLES",
    "SELECT trigger_name, event_object_table FROM information_schema.triggers"
    " WHERE trigger_schema = DATABASE() ORDER BY event_object_table, action_timing,"
    " event_manipulation, action_order",
    "SELECT routine_type, routine_name FROM information_schema.routines"
    " WHERE routine_schema = DATABASE()",
    "SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = DATABASE()",
    "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
    " WHERE schema_name = DATABASE()",
)
_COUNTER = re.compile(r"\A(\S+) AUTO_INCREMENT=\d+")


def read_schema(control: Control) -> dict[Key, Definition]:
    """Return every object of the database with the SQL that creates it.

    Raises the driver's error if the database itself is gone.
    """
    listed, triggers, routines, events, defaults = control.run(*_LIST)
    keys = [Key(_TABLE_TYPES.get(kind, "TABLE"), name) for name, kind in listed.rows]
    schema = _read_tables(control, [key for key in keys if key.kind == "TABLE"])
    others = [key for key in keys if key.kind != "TABLE"]
    others += [Key(kind, name) for kind, name in (*routines.rows, *events.rows)]
    for key in others:
        schema[key] = _read(control, key)
    for position, (name, table) in enumerate(triggers.rows):
        key = Key("TRIGGER", name)
        schema[key] = _read(control, key)._replace(table=table, position=position)
    charset, collation = defaults.rows[0]
    schema[Key("DATABASE", "")] = Definition(f"CHARACTER SET {charset} COLLATE {collation}")
    return schema


def _read_tables(control: Control, keys: list[Key]) -> dict[Key, Definition]:
    if not keys:
        return {}
    results = control.run(*(f"SHOW CREATE TABLE {quote(key.name)}" for key in keys))
    return {
        key: Definition(_without_counter(result.rows[0][1]))
        for key, result in zip(keys, results, strict=True)
    }


def _without_counter(sql: str) -> str:
    head, separator, options = sql.rpartition("\n) ENGINE=")
    return head + separator + _COUNTER.sub(r"\1", options)


def _read(control: Control, key: Key) -> Definition:
    try:
        result = control.run(f"SHOW CREATE {key.kind} {quote(key.name)}")[0]
    except control.Error as error:  # a view of a table that is gone, a missing privilege
        return Definition(f"-- {error.args[1:]}")
    value = _by_column(result)
    sql = next((v for name, v in value.items() if name.startswith("create ")), None)
    return Definition(
        sql=sql or value.get("sql original statement") or "",
        sql_mode=value.get("sql_mode") or "",
        charset=value.get("character_set_client") or "",
        collation=value.get("collation_connection") or "",
        time_zone=value.get("time_zone") or "",
    )


def _by_column(result: Result) -> dict[str, Any]:
    names = [name.lower() for name in result.columns]
    return dict(zip(names, result.rows[0], strict=True))


def changed(present: Schema, wanted: Schema) -> list[Key]:
    """Return the objects that are missing, too many, or not as wanted, in order of creation."""
    keys = {key for key in {*present, *wanted} if present.get(key) != wanted.get(key)}
    return sorted(keys, key=lambda key: (KINDS.index(key.kind), key.name))


def put_back(control: Control, present: Schema, wanted: Schema) -> list[Key]:
    """Drop and create what differs; return it. Tables that are created are empty."""
    keys = changed(present, wanted)
    tables = {key.name for key in keys if key.kind == "TABLE"}
    # A table's triggers go with it; they come back in their order, so all of them.
    keys += [
        key
        for key, definition in wanted.items()
        if key.kind == "TRIGGER" and definition.table in tables and key not in keys
    ]
    for key in reversed(keys):
        if key in present and key.kind != "DATABASE":
            control.run(f"DROP {key.kind} IF EXISTS {quote(key.name)}")
    create(control, {key: wanted[key] for key in keys if key in wanted})
    return keys


def create(control: Control, definitions: Schema) -> None:
    """Create objects; views that use each other are tried again until all are there."""
    waiting = sorted(
        definitions.items(), key=lambda item: (KINDS.index(item[0].kind), item[1].position)
    )
    while waiting:
        left = []
        failed: Exception | None = None
        for key, definition in waiting:
            try:
                _create(control, key, definition)
            except control.Error as error:
                if key.kind != "VIEW":
                    raise
                failed = error
                left.append((key, definition))
        if failed and len(left) == len(waiting):
            raise failed
        waiting = left


def _create(control: Control, key: Key, definition: Definition) -> None:
    if key.kind == "DATABASE":
        control.run(f"ALTER DATABASE {quote(control.database)} {definition.sql}")
        return
    if key.kind == "VIEW" and definition.sql.startswith("-- "):
        return  # it was as broken in the state
    settings = list(_settings(definition))
    if not settings:
        control.run(definition.sql)
        return
    names = [name for name, _ in settings]
    control.run(*(f"SET @sane_{name} = @@{name}" for name in names))
    try:
        control.run("SET " + ", ".join(f"{name} = {value}" for name, value in settings))
        control.run(definition.sql)
    finally:
        control.run(*(f"SET {name} = @sane_{name}" for name in names))


def _settings(definition: Definition) -> Iterable[tuple[str, str]]:
    if definition.sql_mode or definition.charset:
        yield "sql_mode", text(definition.sql_mode)
    # The statement is sent in UTF-8; what says otherwise can be obeyed only in plain ASCII.
    if definition.charset and (definition.sql.isascii() or definition.charset.startswith("utf8")):
        yield "character_set_client", definition.charset
        yield "collation_connection", definition.collation
    if definition.time_zone:
        yield "time_zone", text(definition.time_zone)


def triggers_of(schema: Schema, tables: Iterable[str]) -> dict[Key, Definition]:
    """Return the triggers of ``tables``."""
    names = set(tables)
    return {
        key: definition
        for key, definition in schema.items()
        if key.kind == "TRIGGER" and definition.table in names
    }


def table_names(schema: Schema, kind: str = "TABLE") -> list[str]:
    return [key.name for key in schema if key.kind == kind]
