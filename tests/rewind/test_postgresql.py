"""What is PostgreSQL's alone: triggers, templates, roles with few privileges, large tables."""

from __future__ import annotations

import secrets
import threading
import unittest
from collections.abc import Sequence
from typing import Any, ClassVar
from unittest import mock

from django.db import connections, transaction

from sanerunner.databases.operations import DatabaseOperations, Rewound, operations_for
from sanerunner.databases.postgresql import engine as _postgresql_engine
from sanerunner.databases.postgresql import rebuilding as _postgresql_rebuilding
from sanerunner.databases.postgresql import watch as _postgresql_watch
from sanerunner.databases.postgresql.copies import PostgreSQLImages
from sanerunner.databases.postgresql.repair import Repairer
from sanerunner.databases.postgresql.schema import read_digests, read_version
from sanerunner.databases.postgresql.session import INSUFFICIENT_PRIVILEGE, sqlstate
from sanerunner.exceptions import RewindError

from . import test_contract_postgresql as contract
from .restricted import Restricted
from .test_contract_postgresql import PostgreSQL
from .throwaway import execute_all, require_vendor
from .verifier import Dump, differences

SHADOWS = "SELECT count(*) FROM pg_tables WHERE schemaname = 'sane_baseline' AND tablename ~ '^t_'"

SCHEMA = (
    "CREATE TABLE parent (id serial PRIMARY KEY, name text UNIQUE)",
    "CREATE TABLE child (id serial PRIMARY KEY, parent_id int REFERENCES parent DEFERRABLE)",
    "CREATE TABLE plain (id serial PRIMARY KEY, v text)",
    "INSERT INTO parent (name) VALUES ('a'), ('b'), ('c')",
    "INSERT INTO child (parent_id) VALUES (1), (2), (2)",
)

SCHEMA_CHANGES = (
    "CREATE TABLE more (id int)",
    "ALTER TABLE plain ADD w int",
    "ALTER TABLE plain ALTER w SET DEFAULT 5",
    "ALTER TABLE plain ALTER w SET DEFAULT 6",
    "ALTER TABLE plain RENAME w TO u",
    "ALTER TABLE plain ADD CONSTRAINT positive CHECK (u > 0) NOT VALID",
    "ALTER TABLE plain VALIDATE CONSTRAINT positive",
    "ALTER TABLE plain RENAME CONSTRAINT positive TO above",
    "ALTER TABLE plain CLUSTER ON plain_pkey",
    "CREATE INDEX by_v ON plain (v)",
    "ALTER INDEX by_v SET (fillfactor = 50)",
    "ALTER INDEX by_v RENAME TO by_value",
    "DROP INDEX by_value",
    "ALTER TABLE child DISABLE TRIGGER ALL",
    "CREATE RULE nothing AS ON DELETE TO plain DO INSTEAD NOTHING",
    "ALTER TABLE plain DISABLE RULE nothing",
    "CREATE POLICY own ON plain USING (id > 0)",
    "ALTER TABLE plain ENABLE ROW LEVEL SECURITY",
    "CREATE OR REPLACE VIEW seen AS SELECT 2 AS one",
    "ALTER SEQUENCE free INCREMENT 2",
    "ALTER SEQUENCE free OWNED BY plain.id",
    "ALTER TABLE more INHERIT parent_of_more",
    "ALTER TABLE more NO INHERIT parent_of_more",
    "CREATE STATISTICS both_of (dependencies) ON id, v FROM plain",
    "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int)",
    "CREATE TYPE mood AS ENUM ('good')",
    "ALTER TYPE mood ADD VALUE 'bad'",
    "CREATE DOMAIN small AS int CHECK (VALUE < 10)",
    "ALTER DOMAIN small SET DEFAULT 1",
    "CREATE SCHEMA other",
    "GRANT USAGE ON SCHEMA other TO PUBLIC",
    "GRANT SELECT ON plain TO PUBLIC",
    "COMMENT ON TABLE plain IS 'plain'",
    "COMMENT ON TABLE plain IS 'other'",
    "CREATE COLLATION german (LOCALE = 'C')",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "DROP TABLE more",
)


def setUpModule() -> None:
    require_vendor("postgresql")


class Database(PostgreSQL):
    """A database with an owner of its own, if ``role`` is given."""

    role = ""

    def create(self, schema: Sequence[str], role: str = "") -> None:
        owner = f" OWNER {role}" if role else ""
        self._administrate(f'CREATE DATABASE "{self.name}" TEMPLATE template0{owner}')
        self.settings["USER"] = role or self.settings["USER"]
        with self.connect() as connection:
            execute_all(connection.cursor(), schema)

    def administrate(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Execute statements as the server's administrator; return the last one's rows."""
        import psycopg

        superuser = PostgreSQL().parameters(database)
        with psycopg.connect(**superuser, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def drop(self) -> None:
        self.settings["USER"] = PostgreSQL().settings["USER"]
        super().drop()


class PostgreSQLCase(unittest.TestCase):
    """A test with a database of its own, captured as "base"."""

    schema: ClassVar[Sequence[str]] = ()
    role = ""

    database: Database
    operations: DatabaseOperations
    base: Dump

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        contract.PostgreSQLContract.setUpClass()

    def setUp(self) -> None:
        self.database = Database()
        self.addCleanup(self.database.drop)
        self.addCleanup(self.database.close_wrappers)
        self.database.create((*SCHEMA, *self.schema), self.role)
        self.wrapper = self.database.wrapper()
        self.prepare()
        self.operations = self.open_operations(self.wrapper)
        self.operations.capture("base")
        self.base = self.database.dump()

    def prepare(self) -> None:
        """Do what must be done before the database is captured."""

    def open_operations(self, wrapper: Any) -> DatabaseOperations:
        operations = operations_for(wrapper)
        assert operations is not None
        operations.open()
        self.addCleanup(operations.close)
        return operations

    def run_sql(self, *statements: str) -> list[Any]:
        """Execute and commit statements; return the last one's rows."""
        with self.wrapper.cursor() as cursor:
            execute_all(cursor, statements)
            rows: list[Any] = cursor.fetchall() if cursor.description else []
        return rows

    def rewind(self, state: str = "base") -> Rewound:
        return self.operations.rewind(state)

    def assert_base(self) -> None:
        self.assertEqual(differences(self.base, self.database.dump()), [])

    def assert_undone(self, *statements: str) -> Rewound:
        """Execute statements; a rewind must undo them."""
        self.run_sql(*statements)
        rewound = self.rewind()
        self.assert_base()
        self.assertFalse(self.rewind())
        return rewound


def without_single_changes(
    case: type[contract.PostgreSQLContract],
) -> type[contract.PostgreSQLContract]:
    """Leave to ``test_one_after_another`` what the contract also tests change by change."""
    for name in dir(case):
        if name.startswith("test_change_"):
            setattr(case, name, None)
    return case


@without_single_changes
class TriggersContract(contract.PostgreSQLContract):
    """All tables are watched by triggers, from the first rewind on."""

    def setUp(self) -> None:
        for module in (_postgresql_watch, _postgresql_engine):
            self.enterContext(mock.patch.object(module, "MANY_TABLES", 0))
        self.enterContext(mock.patch.object(_postgresql_engine, "_REWINDS_BEFORE_TRIGGERS", 0))
        super().setUp()
        self.operations.rewind("base")


def new_role(test_class: type[unittest.TestCase], purpose: str, privileges: str) -> str:
    """Make a role for one class, which no class beside it has; return its name."""
    role = f"sane_{purpose}_{secrets.token_hex(4)}"
    Database().administrate(f"CREATE ROLE {role} {privileges}")
    test_class.addClassCleanup(Database().administrate, f"DROP ROLE {role}")
    return role


@without_single_changes
class OwnerContract(contract.PostgreSQLContract):
    """The role owns the database and may create others, but is no superuser."""

    def change_as_replica(self) -> None:
        raise unittest.SkipTest("only a superuser may")

    role: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.role = new_role(cls, "owner", "LOGIN CREATEDB")

    @classmethod
    def make(cls) -> Database:
        database = Database()
        database.create(contract.SCHEMA, cls.role)
        return database


class NonOwnerContract(Restricted, contract.PostgreSQLContract):
    """The role may write rows, and nothing else: no schema, no trigger, no table is its own."""

    role: ClassVar[str]
    # What touches tables with triggers, or with keys that cascade: only the owner may silence
    # these. And a view that only its owner may refresh.
    doubtful = frozenset(
        f"change_{name}"
        for name in (
            *("by_trigger", "cascade", "case_only", "deletes", "deletes_of_parents"),
            *("in_another_process", "in_second_schema", "in_threads", "materialized_view"),
            *("null_to_empty", "orm", "primary_key_moved", "row_replaced", "trailing_blanks"),
            *("truncated", "unique_swap", "updates"),
        )
    )

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.role = new_role(cls, "writer", "LOGIN")

    @classmethod
    def make(cls) -> Database:
        database = Database()
        database.create(contract.SCHEMA)
        database.settings["USER"] = cls.role
        database.administrate(
            *(
                statement
                for schema in ("public", "tenant")
                for statement in (
                    f"GRANT USAGE ON SCHEMA {schema} TO {cls.role}",
                    f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE"
                    f" ON ALL TABLES IN SCHEMA {schema} TO {cls.role}",
                    f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {cls.role}",
                )
            ),
            database=database.name,
        )
        return database

    def refused(self, error: Exception) -> bool:
        return sqlstate(error) == INSUFFICIENT_PRIVILEGE


class SchemaTests(PostgreSQLCase):
    def test_column_dropped_and_added_again(self) -> None:
        """Rows keep their age, but not their values."""
        rewound = self.assert_undone(
            "ALTER TABLE parent DROP COLUMN name", "ALTER TABLE parent ADD COLUMN name text UNIQUE"
        )
        self.assertTrue(rewound.rebuilt)
        self.assertIn("public.parent", rewound.reason)

    def test_no_net_change(self) -> None:
        """What was made and dropped again does not need a new database."""
        rewound = self.assert_undone(
            "CREATE TABLE passing (id int)",
            "INSERT INTO plain (v) VALUES ('x')",
            "DROP TABLE passing",
        )
        self.assertFalse(rewound.rebuilt)
        self.assertEqual(rewound.tables, ("plain",))

    def test_versions(self) -> None:
        """Whatever changes the digests of a schema changes its version."""
        session = self.operations._sessions.detecting  # type: ignore[attr-defined]
        self.run_sql("CREATE SEQUENCE free", "CREATE VIEW seen AS SELECT 1 AS one")
        self.run_sql("CREATE TABLE parent_of_more (id int)")
        digests, version = read_digests(session), read_version(session)
        self.run_sql("INSERT INTO parent (name) VALUES ('x')", "ANALYZE", "VACUUM FREEZE")
        self.assertEqual(read_version(session), version)
        for statement in SCHEMA_CHANGES:
            with self.subTest(statement):
                self.run_sql(statement)
                self.assertNotEqual(read_digests(session), digests)
                self.assertNotEqual(read_version(session), version)
                digests, version = read_digests(session), read_version(session)

    def test_new_tables(self) -> None:
        """They are dropped, with what hangs on them; the database stays."""
        query = f"SELECT oid FROM pg_database WHERE datname = '{self.database.name}'"
        (before,) = self.database.administrate(query)
        for _ in range(2):
            rewound = self.assert_undone(
                "CREATE TABLE later (id serial PRIMARY KEY, parent int REFERENCES parent (id))",
                'CREATE TABLE "Later still" (id int REFERENCES later (id)) PARTITION BY LIST (id)',
                'CREATE TABLE one PARTITION OF "Later still" FOR VALUES IN (1)',
                "CREATE VIEW seen AS SELECT * FROM later",
                "COMMENT ON TABLE later IS 'new'",
                "INSERT INTO later (parent) SELECT id FROM parent",
                "DELETE FROM plain",
            )
            self.assertTrue(rewound.rebuilt)
            self.assertIn("public.later", rewound.reason)
            self.assertEqual(self.database.administrate(query), [before])

    def test_new_tables_that_others_depend_on(self) -> None:
        """What was there has changed, too: dropping tables is not all that is to be done."""
        for depending in (
            "ALTER TABLE child ADD later int REFERENCES later (id)",
            "CREATE SCHEMA elsewhere",
            "CREATE FUNCTION new() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ):
            with self.subTest(depending):
                table = "CREATE TABLE later (id int PRIMARY KEY)"
                self.assertTrue(self.assert_undone(table, depending).rebuilt)

    def test_temporary_tables(self) -> None:
        self.rewind()
        self.run_sql("CREATE TEMPORARY TABLE passing (id int)", "INSERT INTO passing VALUES (1)")
        self.assertFalse(self.rewind())

    def test_attributes_of_the_database_survive(self) -> None:
        """A new database has the settings, the comment and the privileges of the old one."""
        name = self.database.name
        self.database.administrate(
            f"ALTER DATABASE {name} SET search_path = public, pg_temp",
            f"ALTER ROLE postgres IN DATABASE {name} SET work_mem = '5MB'",
            f"COMMENT ON DATABASE {name} IS 'it''s kept'",
            f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
        )
        query = f"""SELECT datacl::text, shobj_description(oid, 'pg_database'), ARRAY(
            SELECT setconfig::text || setrole FROM pg_db_role_setting WHERE setdatabase = d.oid
            ORDER BY 1) FROM pg_database d WHERE datname = '{name}'"""
        before = self.database.administrate(query)
        self.run_sql("DROP TABLE child")
        self.assertTrue(self.rewind().rebuilt)
        self.assertEqual(self.database.administrate(query), before)

    def test_states_survive_a_new_database(self) -> None:
        """The template has the first state only."""
        self.run_sql("DELETE FROM child", "INSERT INTO plain (v) VALUES ('more')")
        self.operations.capture("more")
        more = self.database.dump()
        for state, dump in (("base", self.base), ("more", more), ("base", self.base)):
            self.run_sql("DROP TABLE child")
            self.assertTrue(self.rewind(state).rebuilt)
            self.assertEqual(differences(dump, self.database.dump()), [])
            self.rewind("more")
            self.assertEqual(differences(more, self.database.dump()), [])
            self.assertFalse(self.rewind("more"))

    def test_change_before_the_first_rewind(self) -> None:
        """Nothing is noted yet when a second state is captured."""
        self.operations.capture("other")
        self.run_sql("ALTER TABLE plain ADD COLUMN w int")
        self.assertTrue(self.rewind().rebuilt)
        self.assert_base()

    def test_long_names(self) -> None:
        """The name of the template is not that of the database."""
        wrapper = self.database.wrapper()
        long = self.database.name + "_" + "x" * (62 - len(self.database.name))
        self.database.administrate(f'CREATE DATABASE "{long}"')
        wrapper.settings_dict = {**wrapper.settings_dict, "NAME": long}
        operations = self.open_operations(wrapper)
        operations.capture("base")
        with wrapper.cursor() as cursor:
            cursor.execute("CREATE TABLE later (id int)")
        self.assertTrue(operations.rewind("base").rebuilt)
        with wrapper.cursor() as cursor:
            self.assertEqual(wrapper.introspection.table_names(cursor), [])
        wrapper.close()
        operations.close()
        operations.discard()  # type: ignore[attr-defined]
        prefix = f"SELECT count(*) FROM pg_database WHERE starts_with(datname, '{long[:40]}')"
        self.assertEqual(self.database.administrate(prefix), [(1,)])

    def test_tables_of_extensions_are_left_alone(self) -> None:
        self.run_sql("CREATE TABLE known (id int)", "ALTER EXTENSION plpgsql ADD TABLE known")
        self.operations.capture("extended")
        self.run_sql("INSERT INTO known VALUES (1)")
        self.assertFalse(self.rewind("extended"))
        self.assertEqual(self.run_sql("SELECT * FROM known"), [(1,)])


class RowsTests(PostgreSQLCase):
    schema = (
        "CREATE TABLE log (id serial PRIMARY KEY, what text)",
        """CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO log (what) VALUES (TG_OP); RETURN NULL; END $$""",
        """CREATE TRIGGER plain_log AFTER INSERT OR DELETE ON plain FOR EACH ROW
           EXECUTE FUNCTION log()""",
        "ALTER TABLE plain ENABLE ALWAYS TRIGGER plain_log",
        "CREATE RULE child_rule AS ON DELETE TO child DO ALSO INSERT INTO log (what) VALUES ('r')",
        "ALTER TABLE child ENABLE ALWAYS RULE child_rule",
        "INSERT INTO plain (v) VALUES ('base')",
        "CREATE MATERIALIZED VIEW stale AS SELECT count(*) AS n FROM plain",
        "INSERT INTO plain (v) VALUES ('after the view')",
        "CREATE MATERIALIZED VIEW empty_view AS SELECT 1 AS n WITH NO DATA",
    )

    def test_triggers_and_rules_that_always_fire(self) -> None:
        rewound = self.assert_undone(
            "INSERT INTO plain (v) VALUES ('x')",
            "DELETE FROM plain WHERE v = 'base'",
            "DELETE FROM child WHERE id = 1",
        )
        self.assertEqual(rewound.tables, ("child", "log", "plain"))
        self.assertFalse(rewound.rebuilt)

    def test_view_that_was_stale(self) -> None:
        """To refresh it would not bring back what it had."""
        self.assertFalse(self.assert_undone("DELETE FROM plain").rebuilt)
        self.assertTrue(self.assert_undone("REFRESH MATERIALIZED VIEW stale").rebuilt)

    def test_view_that_had_no_data(self) -> None:
        self.assert_undone("REFRESH MATERIALIZED VIEW empty_view")

    def test_bloated_tables_are_vacuumed(self) -> None:
        self.rewind()
        self.run_sql(
            "INSERT INTO plain (v) SELECT repeat('x', 200) FROM generate_series(1, 20000)"
        )
        self.rewind()
        self.assertLess(self.run_sql("SELECT pg_relation_size('plain')")[0][0], 1 << 20)
        self.assert_base()

    def test_states_share_what_is_equal(self) -> None:
        before = self.run_sql(SHADOWS)[0][0]
        self.run_sql("INSERT INTO child (parent_id) VALUES (3)")
        self.operations.capture("more")
        self.assertEqual(self.run_sql(SHADOWS)[0][0], before + 1)
        self.run_sql("INSERT INTO child (parent_id) VALUES (3)")
        self.operations.capture("more")
        self.rewind()
        self.assertEqual(self.run_sql(SHADOWS)[0][0], before + 1)
        self.operations.forget("more")
        self.assert_undone("INSERT INTO child (parent_id) VALUES (3)")
        self.assertEqual(self.run_sql(SHADOWS)[0][0], before)

    def test_transaction_that_is_older_than_the_state(self) -> None:
        """Its rows are of no state, though they look older than the state."""
        session = self.database.connect()
        self.addCleanup(session.close)
        session.execute("UPDATE parent SET name = 'late' WHERE id = 1")
        session.execute("INSERT INTO plain (v) VALUES ('late')")
        self.run_sql("INSERT INTO child (parent_id) VALUES (3)")
        self.operations.capture("base")
        self.assertEqual(self.run_sql("SELECT name FROM parent WHERE id = 1"), [("a",)])
        session.commit()
        self.rewind()
        self.assertEqual(
            self.run_sql("SELECT id, name FROM parent ORDER BY id"), [(1, "a"), (2, "b"), (3, "c")]
        )
        self.assertEqual(self.run_sql("SELECT count(*) FROM plain WHERE v = 'late'"), [(0,)])

    def test_large_tables_are_watched(self) -> None:
        """Those are not read at every rewind."""
        with mock.patch.object(_postgresql_watch, "MANY_ROWS", 2):
            self.rewind()
            watched = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'sane_mark'"
            self.assertEqual(self.run_sql(f"{watched} ORDER BY 1"), [("child",), ("parent",)])
            self.assert_undone("UPDATE child SET parent_id = 3", "INSERT INTO plain VALUES (77)")
            self.assert_undone("TRUNCATE parent CASCADE", "SELECT setval('child_id_seq', 50)")
            self.assert_undone("ALTER TABLE parent DISABLE TRIGGER ALL", "DELETE FROM parent")
            self.assert_undone("DELETE FROM parent WHERE id = 3")
            self.run_sql("INSERT INTO plain (v) VALUES ('1'), ('2'), ('3')", "TRUNCATE log")
            self.operations.capture("more")
            more = self.database.dump()
            self.rewind("more")
            self.assertEqual(len(self.run_sql(watched)), 3)
            self.run_sql("UPDATE plain SET v = 'changed' WHERE v = '2'")
            self.rewind("more")
            self.assertEqual(differences(more, self.database.dump()), [])
            self.rewind()
            self.assert_base()

    def test_counters_are_audited(self) -> None:
        """No trigger notices a counter that is set to a value not given out."""
        for module in (_postgresql_watch, _postgresql_engine):
            self.enterContext(mock.patch.object(module, "MANY_TABLES", 0))
        self.enterContext(mock.patch.object(_postgresql_engine, "_REWINDS_BEFORE_TRIGGERS", 0))
        self.enterContext(mock.patch.object(_postgresql_engine, "_AUDIT_EVERY", 4))
        self.rewind()
        self.run_sql("SELECT setval('parent_id_seq', 9, false)")
        self.run_sql("SELECT setval('plain_id_seq', 9, true)")
        for _ in range(4):
            self.rewind()
        self.assert_base()


class SessionsTests(PostgreSQLCase):
    def test_sessions_that_were_ended(self) -> None:
        """A test may end all sessions, those of the rewind too."""
        self.rewind()
        self.database.administrate(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
            f" WHERE datname = '{self.database.name}'"
        )
        self.wrapper.close()
        self.assert_undone("DELETE FROM child", "INSERT INTO plain (v) VALUES ('x')")

    def test_one_session_that_was_ended(self) -> None:
        """In the middle of what a test does, or of the rewind itself."""
        for session in ("detecting", "repairing"):
            with self.subTest(session=session):
                sessions = self.operations._sessions  # type: ignore[attr-defined]
                pid = getattr(sessions, session).rows("SELECT pg_backend_pid()")[0][0]
                self.run_sql("DELETE FROM child", "INSERT INTO plain (v) VALUES ('x')")
                self.database.administrate(f"SELECT pg_terminate_backend({pid}, 2000)")
                self.assertIn("child", self.rewind().tables)
                self.assert_base()
                self.assert_undone("DELETE FROM child")

    def test_capture_after_the_sessions_were_ended(self) -> None:
        self.rewind()
        self.run_sql("DELETE FROM child")
        self.database.administrate(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
            f" WHERE datname = '{self.database.name}'"
        )
        self.wrapper.close()
        self.operations.capture("more")
        more = self.database.dump()
        self.rewind()
        self.assert_base()
        self.rewind("more")
        self.assertEqual(differences(more, self.database.dump()), [])

    def test_repairs_that_fail(self) -> None:
        """The database is made anew from the template, unless new sessions can repair it."""
        ended = "SELECT pg_terminate_backend(pg_backend_pid())"
        for statement, times, rebuilt in (("SELECT 1 / 0", 1, True), (ended, 1, False),
                                          (ended, 2, True)):  # fmt: skip
            with self.subTest(statement=statement, times=times):
                self.run_sql("DELETE FROM child", "INSERT INTO plain (v) VALUES ('x')")
                pending = [statement] * times
                repair = Repairer.repair

                def failing(
                    repairer: Any, *args: Any, pending: Any = pending, call: Any = repair
                ) -> Any:
                    if pending:
                        repairer._session.rows(pending.pop())
                    return call(repairer, *args)

                with mock.patch.object(Repairer, "repair", failing):
                    self.assertEqual(self.rewind().rebuilt, rebuilt)
                self.assert_base()
                self.assert_undone("DELETE FROM child")

    def test_atomic_block_left_open(self) -> None:
        connections[self.wrapper.alias] = self.wrapper
        self.addCleanup(connections.__delitem__, self.wrapper.alias)
        atomic = transaction.atomic(using=self.wrapper.alias)
        atomic.__enter__()
        self.run_sql("UPDATE parent SET name = 'x' WHERE id = 1")
        rewound = self.rewind()
        self.assertEqual([leaked.tables for leaked in rewound.leaked], [("parent",)])
        self.assert_base()
        self.assert_undone("UPDATE parent SET name = 'x' WHERE id = 1")

    def test_leaked_sessions_are_described(self) -> None:
        session = self.database.connect()
        self.addCleanup(session.close)
        session.execute("DELETE FROM child")
        (leaked,) = self.rewind().leaked
        self.assertEqual(leaked.session, str(session.info.backend_pid))
        self.assertIn("child", leaked.tables)

    def test_advisory_locks(self) -> None:
        """Nothing is in a transaction, yet whoever wants the lock would wait for ever."""
        import psycopg

        session = psycopg.connect(**self.database.parameters(self.database.name), autocommit=True)
        self.addCleanup(session.close)
        session.execute("SELECT pg_advisory_lock(7)")
        (leaked,) = self.rewind().leaked
        self.assertEqual(leaked.session, str(session.info.backend_pid))
        self.assertEqual(self.run_sql("SELECT pg_try_advisory_lock(7)"), [(True,)])
        (leaked,) = self.rewind().leaked
        self.assertFalse(self.rewind())

    def test_sessions_that_finish_are_not_blamed(self) -> None:
        """A request may still be closing its transaction."""
        session = self.database.connect()
        self.addCleanup(session.close)
        session.execute("DELETE FROM child")
        timer = threading.Timer(0.01, session.commit)
        timer.start()
        rewound = self.rewind()
        timer.join()
        self.assertEqual(rewound.leaked, ())
        self.assertEqual(rewound.tables, ("child",))
        self.assert_base()


class KeptTests(PostgreSQLCase):
    def test_clone(self) -> None:
        """A copy of the database has its states, and uses the template of the original."""
        self.operations.write_document({"fingerprint": "a"})
        self.operations.close()
        self.wrapper.close()
        clone = f"{self.database.name}_1"
        self.database.administrate(f"CREATE DATABASE {clone} TEMPLATE {self.database.name}")
        wrapper = self.wrapper = self.database.wrapper()
        wrapper.settings_dict = {**wrapper.settings_dict, "NAME": clone}
        self.operations = self.open_operations(wrapper)
        self.assertEqual(self.operations.read_document(), {"fingerprint": "a"})
        self.assertTrue(self.operations.resume("base"))
        self.database.name = clone
        self.addCleanup(setattr, self.database, "name", clone.removesuffix("_1"))
        self.assertFalse(self.rewind())
        self.assert_undone("UPDATE parent SET name = 'x' WHERE id = 1")
        self.assertTrue(self.assert_undone("DROP TABLE child").rebuilt)
        templates = f"SELECT count(*) FROM pg_database WHERE starts_with(datname, '{clone}_')"
        self.assertEqual(self.database.administrate(templates), [(0,)])

    def test_image(self) -> None:
        """A database that is made from an image takes up what was captured before that."""
        images = PostgreSQLImages(self.wrapper)
        digest = secrets.token_hex(16)
        with self.operations.cloning():
            self.assertTrue(images.store(digest))
        image = images.find(digest)
        self.addCleanup(self.database.administrate, f"DROP DATABASE {image}")
        self.operations.close()
        self.wrapper.close()
        loaded = f"{self.database.name}_1"
        self.database.administrate(f"CREATE DATABASE {loaded} TEMPLATE {image}")
        wrapper = self.wrapper = self.database.wrapper()
        wrapper.settings_dict = {**wrapper.settings_dict, "NAME": loaded}
        self.database.name = loaded
        self.addCleanup(setattr, self.database, "name", loaded.removesuffix("_1"))
        self.operations = self.open_operations(wrapper)
        with mock.patch.object(_postgresql_rebuilding, "read_layout") as read:
            self.assertTrue(self.operations.resume("base"))
        read.assert_not_called()
        self.run_sql("ALTER TABLE plain ADD w int")  # before the first rewind
        self.assertTrue(self.rewind().rebuilt)
        self.assert_base()
        self.assert_undone("UPDATE parent SET name = 'x' WHERE id = 1", "DELETE FROM child")

    def test_killed_after_a_change_of_the_schema(self) -> None:
        self.operations.close()
        self.run_sql("DROP TABLE child", "CREATE TABLE later (id int)")
        self.operations = self.open_operations(self.wrapper)
        self.assertTrue(self.operations.resume("base"))
        self.rewind()
        self.assert_base()

    def test_catalogs_are_not_read_again(self) -> None:
        """Unless the schema has been changed since."""
        self.operations.write_document({"fingerprint": "a"})
        for again, statement in (
            (False, "INSERT INTO child (parent_id) VALUES (1)"),
            (True, "ALTER TABLE child ADD w int"),
        ):
            with self.subTest(statement):
                self.operations.close()
                self.run_sql(statement)
                self.operations = self.open_operations(self.wrapper)
                with mock.patch.object(
                    _postgresql_rebuilding,
                    "read_layout",
                    wraps=_postgresql_rebuilding.read_layout,
                ) as read:
                    self.assertTrue(self.operations.resume("base"))
                self.assertEqual(read.called, again)
                self.rewind()
                self.assert_base()

    def test_schema_changed_and_template_gone(self) -> None:
        self.operations.close()
        self.operations.discard()  # type: ignore[attr-defined]
        self.run_sql("DROP TABLE child")
        self.assertFalse(self.open_operations(self.wrapper).resume("base"))

    def test_capture_after_resuming(self) -> None:
        """Both states have the same schema, so neither needs a new database."""
        self.run_sql("INSERT INTO plain (v) VALUES ('more')")
        self.operations.close()
        self.operations = self.open_operations(self.wrapper)
        self.assertTrue(self.operations.resume("base"))
        self.operations.capture("more")
        more = self.database.dump()
        self.assertFalse(self.rewind().rebuilt)
        self.assert_base()
        self.assertFalse(self.rewind("more").rebuilt)
        self.assertEqual(differences(more, self.database.dump()), [])

    def test_template_gone(self) -> None:
        """It is made anew when the first rewind has cleaned the database."""
        self.operations.close()
        self.operations.discard()  # type: ignore[attr-defined]
        self.operations = self.open_operations(self.wrapper)
        self.assertTrue(self.operations.resume("base"))
        self.assert_undone("DELETE FROM child")
        self.assertTrue(self.assert_undone("DROP TABLE child").rebuilt)

    def test_dump_that_was_loaded_is_not_trusted(self) -> None:
        """Its tables have other ids, so nothing that was kept fits them."""
        self.operations.close()
        self.run_sql(
            "CREATE TABLE copied AS SELECT * FROM plain",
            "DROP TABLE plain",
            "ALTER TABLE copied RENAME TO plain",
        )
        self.operations.discard()  # type: ignore[attr-defined]
        self.assertFalse(self.open_operations(self.wrapper).resume("base"))


class RestrictedCase(PostgreSQLCase):
    """As a role that is no superuser and may not create databases."""

    schema = (
        "CREATE TABLE log (id serial PRIMARY KEY, what text)",
        """CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO log (what) VALUES (TG_OP); RETURN NULL; END $$""",
        """CREATE TRIGGER plain_log AFTER INSERT OR UPDATE OR DELETE ON plain FOR EACH ROW
           EXECUTE FUNCTION log()""",
        "INSERT INTO plain (v) VALUES ('base'), ('other')",
        """CREATE TABLE strict (id serial PRIMARY KEY,
           parent_id int NOT NULL REFERENCES parent ON DELETE RESTRICT ON UPDATE CASCADE,
           plain_id int REFERENCES plain ON DELETE CASCADE)""",
        "INSERT INTO strict (parent_id, plain_id) VALUES (1, 1), (2, NULL)",
        "CREATE TABLE identified (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int)",
        "INSERT INTO identified (a) VALUES (1), (2)",
    )

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.role = new_role(cls, "restricted", "LOGIN")


class RestrictedTests(RestrictedCase):
    """The role owns the database."""

    def test_rows(self) -> None:
        for statements in (
            ("INSERT INTO plain (v) VALUES ('x')", "INSERT INTO parent (name) VALUES ('x')"),
            ("UPDATE parent SET name = 'x' WHERE id = 1", "UPDATE plain SET v = 'x'"),
            ("DELETE FROM strict", "DELETE FROM plain", "DELETE FROM child"),
            ("UPDATE parent SET id = 100 WHERE id = 3",),
            ("TRUNCATE parent CASCADE", "TRUNCATE plain CASCADE"),
            ("DELETE FROM identified WHERE a = 1", "UPDATE identified SET a = 9"),
            ("SELECT setval('parent_id_seq', 90)",),
        ):
            with self.subTest(statements=statements):
                self.assertFalse(self.assert_undone(*statements).rebuilt)

    def test_states(self) -> None:
        self.run_sql("DELETE FROM strict", "INSERT INTO child (parent_id) VALUES (1)")
        self.operations.capture("more")
        more = self.database.dump()
        for _ in range(3):
            self.rewind()
            self.assert_base()
            self.rewind("more")
            self.assertEqual(differences(more, self.database.dump()), [])

    def test_large_tables_are_watched(self) -> None:
        with mock.patch.object(_postgresql_watch, "MANY_ROWS", 1):
            self.rewind()
            self.assert_undone("UPDATE parent SET name = 'x' WHERE id = 1")
            self.assert_undone("DELETE FROM strict", "INSERT INTO log (what) VALUES ('x')")

    def test_schema_changed(self) -> None:
        """It is noticed without an event trigger, but cannot be undone without a template."""
        self.rewind()
        self.run_sql("ALTER TABLE plain ADD COLUMN w int")
        with self.assertRaisesRegex(RewindError, r"public\.plain.*template"):
            self.rewind()

    def test_function_changed(self) -> None:
        self.rewind()
        self.run_sql("ALTER FUNCTION log() STRICT")
        with self.assertRaisesRegex(RewindError, r"public\.log"):
            self.rewind()

    def test_rights_taken_away(self) -> None:
        """There is no template: it cannot be put back, and says why."""
        self.rewind()
        self.run_sql("DELETE FROM child")
        self.database.administrate(
            f"ALTER TABLE child OWNER TO {PostgreSQL().settings['USER']}",
            database=self.database.name,
        )
        with self.assertRaisesRegex(RewindError, r"cannot be put back, .*child.*template"):
            self.rewind()

    def test_leaked_session(self) -> None:
        session = self.database.connect()
        self.addCleanup(session.close)
        session.execute("LOCK TABLE plain")
        (leaked,) = self.rewind().leaked
        self.assertEqual(leaked.tables, ("plain",))


class WithoutSchemaTests(RestrictedCase):
    """The role may not even make a schema: rows are kept in this process."""

    def prepare(self) -> None:
        name = self.database.name
        self.database.administrate(
            f"REVOKE ALL ON DATABASE {name} FROM {self.role}",
            f"ALTER DATABASE {name} OWNER TO {PostgreSQL().settings['USER']}",
            f"GRANT CONNECT ON DATABASE {name} TO {self.role}",
        )

    def test_rows(self) -> None:
        for statements in (
            ("INSERT INTO plain (v) VALUES ('x')", "INSERT INTO parent (name) VALUES ('x')"),
            ("UPDATE parent SET name = E'\\\\N\\t' WHERE id = 1", "UPDATE plain SET v = NULL"),
            ("DELETE FROM strict", "DELETE FROM plain", "DELETE FROM child"),
            ("DELETE FROM identified WHERE a = 1",),
            ("TRUNCATE parent CASCADE",),
        ):
            with self.subTest(statements=statements):
                self.assertFalse(self.assert_undone(*statements).rebuilt)

    def test_states(self) -> None:
        self.run_sql("DELETE FROM strict", "INSERT INTO child (parent_id) VALUES (1)")
        self.operations.capture("more")
        more = self.database.dump()
        self.rewind()
        self.assert_base()
        self.rewind("more")
        self.assertEqual(differences(more, self.database.dump()), [])
        self.operations.forget("more")
        self.rewind()
        self.assert_base()

    def test_nothing_is_left_in_the_database(self) -> None:
        self.operations.write_document({"fingerprint": "a"})
        self.assertEqual(self.operations.read_document(), {"fingerprint": "a"})
        self.assertFalse(self.run_sql("SELECT 1 FROM pg_namespace WHERE nspname ~ '^sane'"))
        operations = self.open_operations(self.wrapper)
        self.assertIsNone(operations.read_document())
        self.assertFalse(operations.resume("base"))
