"""Triggers that note which tables were written, and that the schema was changed."""

from __future__ import annotations

from collections.abc import Iterable

from .catalog import Layout, SequenceItem, Table
from .schema import SCHEMA
from .session import INSUFFICIENT_PRIVILEGE, Session, sqlstate
from .state import Content, Counter, Rows

#: Above this many tables all are watched by triggers; else each is looked at.
MANY_TABLES = 150
#: A table with more rows than this in a held state is watched in any case.
MANY_ROWS = 5000

#: A query for what was noted: (0, OID).
MARKS = f"SELECT 0, relid::int8 FROM {SCHEMA}.marks GROUP BY 2"
#: SQL that forgets all marks.
CLEAR = f"DELETE FROM {SCHEMA}.marks"
#: The mark that a change of the schema leaves, instead of the OID of a table.
SCHEMA_CHANGED = 0

_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.mark() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
$$ BEGIN INSERT INTO {SCHEMA}.marks VALUES (TG_RELID); RETURN NULL; END $$"""

# A command on temporary tables alone is none of our business. DROP is seen by sql_drop.
_EVENTS = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.changed() RETURNS event_trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog AS $$ BEGIN
 IF current_setting('sanerunner.own', true) IS NOT DISTINCT FROM 'on' THEN RETURN; END IF;
 IF TG_EVENT = 'sql_drop' THEN
  IF NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE NOT is_temporary)
  THEN RETURN; END IF;
 ELSIF TG_TAG LIKE 'DROP%' OR (EXISTS (SELECT FROM pg_event_trigger_ddl_commands())
  AND NOT EXISTS (SELECT FROM pg_event_trigger_ddl_commands()
                  WHERE schema_name IS DISTINCT FROM 'pg_temp'))
 THEN RETURN; END IF;
 INSERT INTO {SCHEMA}.marks VALUES ({SCHEMA_CHANGED});
END $$;
DROP EVENT TRIGGER IF EXISTS sane_changed; DROP EVENT TRIGGER IF EXISTS sane_dropped;
CREATE EVENT TRIGGER sane_changed ON ddl_command_end EXECUTE FUNCTION {SCHEMA}.changed();
CREATE EVENT TRIGGER sane_dropped ON sql_drop EXECUTE FUNCTION {SCHEMA}.changed();
ALTER EVENT TRIGGER sane_changed ENABLE ALWAYS; ALTER EVENT TRIGGER sane_dropped ENABLE ALWAYS"""

_INTACT = """
SELECT (SELECT count(*) FROM pg_trigger
        WHERE tgname = 'sane_mark' AND tgenabled = 'A' AND tgrelid = ANY (%s::oid[]))
 + (SELECT count(*) FROM pg_event_trigger
    WHERE evtname IN ('sane_changed', 'sane_dropped') AND evtenabled = 'A')"""


class Watch:
    """The triggers of one layout. Made when tests begin to commit: others are not slowed down.

    ``events`` tells whether changes of the schema are noted, ``tables`` which items are watched;
    neither is where privileges are missing.
    """

    def __init__(self, session: Session, layout: Layout) -> None:
        self._session = session
        self._layout = layout
        self._prepared = False
        self._attempted: frozenset[int] = frozenset()
        self.events = False
        self.tables: frozenset[int] = frozenset()
        self.counters: frozenset[int] = frozenset()

    def wanted(self, states: Iterable[tuple[Content, ...]]) -> frozenset[int]:
        """Return the items to be watched where these are the contents of the held states."""
        tables = self._layout.indices(Table)
        if len(tables) > MANY_TABLES:
            return frozenset(tables)
        return frozenset(
            index
            for contents in states
            for index in tables
            if isinstance(rows := contents[index], Rows) and rows.count > MANY_ROWS
        )

    def install(self, tables: frozenset[int], contents: tuple[Content, ...]) -> bool:
        """Watch these tables, and the schema, from now on; return whether that is new.

        To be called when nothing is unnoticed. Counters are watched with ``contents`` where
        all of many tables are.
        """
        if self._prepared and tables <= self._attempted:
            return False
        if not self._prepared:
            self._session.rows(_FUNCTION)
            self.events = self._try(_EVENTS)
            self._prepared = True
        self._attempted |= tables
        if tables and self._try(";".join(self._triggers(tables))):
            self.tables |= tables
        if len(self.tables) > MANY_TABLES and not self.counters:
            self._watch_counters(contents)
        self._session.rows(CLEAR)
        return True

    def heal(self) -> None:
        """Make the triggers anew if one was dropped or disabled."""
        if self._prepared and not self._intact():
            self.events = self._try(_EVENTS)
            if self.tables:
                self._try(";".join(self._triggers(self.tables)))

    def _watch_counters(self, contents: tuple[Content, ...]) -> None:
        """Compare those of tables by a function, which is faster than to read each."""
        counters, values = [], []
        for index, (item, content) in enumerate(zip(self._layout.items, contents, strict=True)):
            if isinstance(item, SequenceItem) and item.owned and isinstance(content, Counter):
                value = str(content.last_value) if content.is_called else "NULL"
                values.append(f"({index}, {item.oid}, {value})")
                counters.append(index)
        if not counters:
            return
        self._session.rows(
            f"DELETE FROM {SCHEMA}.counters;"
            f" INSERT INTO {SCHEMA}.counters VALUES {', '.join(values)};"
            f" ANALYZE {SCHEMA}.counters"
        )
        self.counters = frozenset(counters)

    def _triggers(self, tables: frozenset[int]) -> list[str]:
        return [
            f"CREATE OR REPLACE TRIGGER sane_mark AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE"
            f" ON {table.name} FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.mark();"
            f" ALTER TABLE {table.name} ENABLE ALWAYS TRIGGER sane_mark"
            for table in self._relations(tables)
        ]

    def _relations(self, tables: frozenset[int]) -> list[Table]:
        """Return the tables with all that they inherit from: statements name one of them."""
        ordinary = [item for item in self._layout.items if isinstance(item, Table)]
        return [
            table
            for table in (*ordinary, *self._layout.parents)
            if not tables.isdisjoint(self._layout.affects[table.oid])
        ]

    def _try(self, sql: str) -> bool:
        try:
            self._session.rows(sql)
        except self._session.error as error:
            if sqlstate(error) == INSUFFICIENT_PRIVILEGE:
                return False
            raise
        return True

    def _intact(self) -> bool:
        """Whether no trigger was dropped or disabled."""
        oids = [table.oid for table in self._relations(self.tables)]
        ((found,),) = self._session.rows(_INTACT, [oids])
        return bool(found == len(oids) + 2 * self.events)

    def parts(self) -> list[str]:
        """Return the query for the counters that have moved: (1, item)."""
        if not self.counters:
            return []
        return [
            f"SELECT 1, item::int8 FROM {SCHEMA}.counters"
            " WHERE pg_sequence_last_value(oid) IS DISTINCT FROM last_value"
        ]


def remove(session: Session) -> None:
    """Take away the triggers that an earlier run has left."""
    functions = session.rows(
        "SELECT format('%I.%I()', nspname, proname) FROM pg_proc p"
        f" JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = '{SCHEMA}'"
    )
    if functions:
        session.rows(";".join(f"DROP FUNCTION {name} CASCADE" for (name,) in functions))
