"""What only MySQL and MariaDB do: engines, counters, locks, privileges, objects of the schema."""

from __future__ import annotations

import itertools
import os
import unittest
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest import mock

from django.db.utils import load_backend

from sanerunner.databases.mysql.control import DENIED, Control, error_code
from sanerunner.databases.mysql.operations import MySQLOperations
from sanerunner.databases.mysql.repair import Repair
from sanerunner.databases.operations import Rewound

from . import test_contract_mysql as contract
from . import verifier
from .restricted import Restricted
from .throwaway import full_settings, require_vendor, server_settings, unreachable

_numbers = itertools.count(1)

SCHEMA = """
CREATE TABLE empty (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL)
CREATE TABLE other (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL)
CREATE TABLE person (id INT AUTO_INCREMENT PRIMARY KEY, first VARCHAR(50) NOT NULL,
 last VARCHAR(50) NOT NULL, slug VARCHAR(60) UNIQUE, age INT)
INSERT INTO person (first, last, slug, age) VALUES
 ('Ada', '', 'ada', 1), ('Bob', 'x', 'bob', 2), ('Ön', '''"\\\\%s', NULL, NULL)
CREATE TABLE child (id INT AUTO_INCREMENT PRIMARY KEY, person_id INT,
 FOREIGN KEY (person_id) REFERENCES person (id) ON DELETE CASCADE)
INSERT INTO child (person_id) VALUES (1), (1), (2)
CREATE TABLE large (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50), data BLOB)
INSERT INTO large (name, data) SELECT CONCAT('row ', a.n * 16 + b.n), UNHEX(HEX(a.n)) FROM
 (SELECT ordinal_position n FROM information_schema.columns
  WHERE table_schema = 'information_schema' AND table_name = 'COLUMNS' LIMIT 16) a,
 (SELECT ordinal_position n FROM information_schema.columns
  WHERE table_schema = 'information_schema' AND table_name = 'COLUMNS' LIMIT 16) b
CREATE TABLE keyless (a INT, b TEXT)
INSERT INTO keyless VALUES (1, 'a'), (1, 'a'), (2, 'b')
CREATE TABLE words (word VARCHAR(50) PRIMARY KEY)
INSERT INTO words VALUES ('case'), ('Straße')
CREATE TABLE doubled (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b INT AS (a * 2) STORED)
INSERT INTO doubled (a) VALUES (1), (2)
CREATE TABLE parts (id INT PRIMARY KEY, name VARCHAR(9)) PARTITION BY HASH (id) PARTITIONS 3
INSERT INTO parts VALUES (1, 'one'), (2, 'two')
CREATE TABLE plain (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(9)) ENGINE = MyISAM
INSERT INTO plain (name) VALUES ('kept')
CREATE TABLE plain_empty (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(9)) ENGINE = MyISAM
CREATE TABLE kinds (id INT PRIMARY KEY, f FLOAT, d DOUBLE, n DECIMAL(20, 5), u BIGINT UNSIGNED,
 bits BIT(10), e ENUM('a', 'b'), s SET('x', 'y', 'z'), day DATE, t TIME(6), moment DATETIME(6),
 stamp TIMESTAMP(6) NULL, y YEAR, c CHAR(5), raw BINARY(4), data VARBINARY(9), j JSON,
 latin VARCHAR(9) CHARACTER SET latin1, place POINT)
INSERT INTO kinds VALUES (1, 0.1, 1e-300, -123.45678, 18446744073709551615, 5, 'b', 'x,z',
 '2020-02-29', '-12:30:00.5', '2020-01-01 00:00:00.123456', '2020-10-25 01:30:00.000001', 2020,
 'ab ', 'a\\0', 'b\\0 ', '{"a": [1.0, "ä"]}', 'é', POINT(1.5, -2)),
 (2, -0.0, -0.0, 0, 0, 0, 'a', '', '1000-01-01', '00:00:00', '1000-01-01', NULL, 1901, '', '', '',
 'null', '', NULL), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
 NULL, NULL, NULL, NULL, NULL, NULL)
CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(50))
CREATE TABLE watched (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50))
INSERT INTO watched (name) VALUES ('base')
CREATE TRIGGER watch_insert AFTER INSERT ON watched FOR EACH ROW
 INSERT INTO audit (what) VALUES (CONCAT('+', NEW.name))
CREATE TRIGGER watch_again AFTER INSERT ON watched FOR EACH ROW
 INSERT INTO audit (what) VALUES ('again')
CREATE TRIGGER watch_delete BEFORE DELETE ON watched FOR EACH ROW
 INSERT INTO audit (what) VALUES (CONCAT('-', OLD.name))
CREATE VIEW adults AS SELECT id, first FROM person WHERE age > 1
CREATE VIEW names AS SELECT first FROM adults
CREATE PROCEDURE fill() INSERT INTO keyless VALUES (9, 'filled')
CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2
"""
MARIADB = "CREATE SEQUENCE numbers; CREATE SEQUENCE few CACHE 0 MAXVALUE 3 CYCLE"


def setUpModule() -> None:
    require_vendor("mysql")


def statements(script: str) -> Iterator[str]:
    """Split ``script`` where a line begins with a letter: others continue a statement."""
    statement = ""
    for line in script.strip().splitlines():
        if statement and not line.startswith(" "):
            yield statement
            statement = ""
        statement += line
    yield statement


class MySQLTestCase(unittest.TestCase):
    """Has a database of its own, its operations, and Django's connection to it."""

    user = ""

    def setUp(self) -> None:
        self.settings = server_settings("mariadb")
        self.settings["NAME"] = self.name = f"sane_my_{os.getpid()}_{next(_numbers)}"
        self.server = self.open_server()
        self.addCleanup(self.server.close)
        self.addCleanup(self.execute, self.server, f"DROP DATABASE IF EXISTS {self.name}_sane")
        self.addCleanup(self.execute, self.server, f"DROP DATABASE IF EXISTS {self.name}")
        self.execute(self.server, f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4")
        with self.session() as session:
            self.execute(session, *statements(SCHEMA))
            self.mariadb = "MariaDB" in self.rows(session, "SELECT VERSION()")[0][0]
            if self.mariadb:
                self.execute(session, *MARIADB.split("; "))
        self.connection = self.wrapper()
        self.addCleanup(self.connection.close)
        self.operations = self.open_operations()

    def open_server(self) -> Any:
        try:
            import MySQLdb
        except ImportError as error:
            raise unreachable(error, "mysqlclient") from error
        parameters = {**self.parameters(), "database": "information_schema"}
        try:
            server = MySQLdb.connect(**parameters)
        except MySQLdb.OperationalError as error:
            raise unreachable(error, "MariaDB") from error
        server.autocommit(True)
        return server

    def parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = self.wrapper().get_connection_params()
        del parameters["conv"]  # Django's cannot read a TIME below zero
        return parameters

    def wrapper(self, **settings: Any) -> Any:
        backend = load_backend("django.db.backends.mysql")
        return backend.DatabaseWrapper(full_settings({**self.settings, **settings}), "throwaway")

    def open_operations(self, **settings: Any) -> MySQLOperations:
        """Return operations over ``self.connection``, or one with other ``settings``."""
        connection = self.wrapper(**settings) if settings else self.connection
        operations = MySQLOperations(connection)
        operations.open()
        self.addCleanup(operations.close)
        return operations

    def connect(self, autocommit: bool = True) -> Any:
        """Return another session of the database, of the driver."""
        import MySQLdb

        session = MySQLdb.connect(**self.parameters())
        session.autocommit(autocommit)
        self.addCleanup(self.close_quietly, session)
        return session

    @contextmanager
    def session(self) -> Iterator[Any]:
        with closing(self.connect()) as session:
            yield session

    def close_quietly(self, session: Any) -> None:
        if session.open:
            session.close()

    def execute(self, session: Any, *listed: str) -> None:
        with closing(session.cursor()) as cursor:
            for statement in listed:
                cursor.execute(statement)

    def rows(self, session: Any, statement: str) -> list[Any]:
        with closing(session.cursor()) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def sql(self, *listed: str) -> None:
        """Do what a test does: run statements over Django's connection."""
        with self.connection.cursor() as cursor:
            for statement in listed:
                cursor.execute(statement)

    def dump(self) -> verifier.Dump:
        dump = verifier.mysql(self.parameters())
        with self.session() as session:
            dump["views"] = self.rows(
                session,
                "SELECT table_name, view_definition FROM information_schema.views"
                " WHERE table_schema = DATABASE() ORDER BY 1",
            )
            dump["events"] = self.rows(session, "SHOW EVENTS")
            dump["defaults"] = self.rows(session, "SHOW CREATE DATABASE " + self.name)
        return dump

    def rewind(self, state: str = "base", **options: Any) -> Rewound:
        return self.operations.rewind(state, **options)

    def assertRestores(self, *listed: str, dirty: bool = True) -> Rewound:
        """Run statements and rewind; all must be as before, and stay so for a second rewind."""
        if "base" not in self.operations._states:
            self.operations.capture("base")
        before, checksums = self.dump(), self.operations.checksums()
        self.sql(*listed)
        if dirty:
            self.assertNotEqual(verifier.differences(before, self.dump()), [])
        rewound = self.rewind()
        self.assertEqual(verifier.differences(before, self.dump()), [])
        self.assertEqual(verifier.differences(checksums, self.operations.checksums()), [])
        self.assertEqual(self.rewind(), Rewound())
        return rewound


class RowTests(MySQLTestCase):
    def test_only_inserts_are_found_by_counting(self) -> None:
        insert = "INSERT INTO empty (name) VALUES ('a'), ('b')"
        for _ in range(3):
            self.assertEqual(self.assertRestores(insert).tables, ("empty",))

    def test_an_insert_elsewhere_is_found_when_others_are_looked_at_first(self) -> None:
        self.assertRestores("INSERT INTO empty (name) VALUES ('a')")
        rewound = self.assertRestores(
            "INSERT INTO empty (name) VALUES ('a')", "INSERT INTO other (name) VALUES ('a')"
        )
        self.assertEqual(rewound.tables, ("empty", "other"))

    def test_rows_of_the_state(self) -> None:
        self.assertRestores("UPDATE person SET age = 7 WHERE id = 1")
        self.assertRestores("DELETE FROM person WHERE id = 1")  # and its children
        self.assertRestores(
            "SET foreign_key_checks = 0",
            "UPDATE person SET id = id + 1000",
            "SET foreign_key_checks = 1",
        )
        self.assertRestores("UPDATE large SET data = CONCAT(data, ' ') WHERE id = 100")
        self.assertRestores("DELETE FROM large WHERE id > 50", "INSERT INTO large () VALUES ()")
        self.assertRestores("REPLACE INTO person (id, first, last) VALUES (1, 'R', '')")

    def test_changes_that_a_checksum_of_the_server_does_not_show(self) -> None:
        self.operations.capture("base")
        before = self.rows(self.server, f"CHECKSUM TABLE {self.name}.person")
        self.sql("UPDATE person SET first = '', last = 'Ada' WHERE id = 1")
        self.assertEqual(self.rows(self.server, f"CHECKSUM TABLE {self.name}.person"), before)
        self.assertEqual(self.rewind().tables, ("person",))

    def test_changes_that_a_collation_hides(self) -> None:
        self.assertRestores("UPDATE person SET first = 'ADA' WHERE id = 1")
        self.assertRestores("UPDATE person SET first = 'Ada ' WHERE id = 1")
        self.assertRestores("UPDATE words SET word = 'CASE' WHERE word = 'case'")
        self.assertRestores("UPDATE keyless SET b = 'A' WHERE a = 1 LIMIT 1")

    def test_every_type_of_column(self) -> None:
        for column, value in {
            "f": "0.10000001",
            "d": "1.0000000000000002e-300",
            "n": "0",
            "u": "18446744073709551614",
            "bits": "4",
            "e": "'a'",
            "s": "'x'",
            "day": "'2020-02-28'",
            "t": "'-12:30:00.500001'",
            "moment": "'2020-01-01 00:00:00.123457'",
            "stamp": "'2020-10-25 01:30:00.000002'",
            "y": "2021",
            "c": "'aB'",
            "raw": "'a'",
            "data": "'b\\0'",
            "j": '\'{"a": [1, "ä"]}\'',
            "latin": "'è'",
            "place": "POINT(1.5, 2)",
        }.items():
            with self.subTest(column=column):
                self.assertRestores(
                    f"UPDATE kinds SET {column} = {value} WHERE id = 1",
                    dirty=column not in ("raw", "f"),
                )
                self.assertRestores(f"UPDATE kinds SET {column} = NULL")
        self.assertRestores("UPDATE kinds SET d = 0.0, f = 0.0 WHERE id = 2", dirty=False)
        self.assertRestores("DELETE FROM kinds")

    def test_every_type_of_column_in_a_copy_that_is_a_table(self) -> None:
        self.sql(
            "INSERT INTO kinds SELECT large.id + 10, f, d, n, u, bits, e, s, day, t, moment,"
            " stamp, y, c, raw, kinds.data, j, latin, place FROM kinds, large WHERE kinds.id = 1"
        )
        self.operations.capture("base")
        self.assertTrue(self.operations._states["base"].shadows["kinds"].table)
        self.assertRestores("DELETE FROM kinds")
        self.assertRestores('UPDATE kinds SET j = \'{"a": [1, "ä"]}\' WHERE id = 100')
        self.assertRestores("UPDATE kinds SET latin = 'É', f = 0.10000001 WHERE id = 100")

    def test_tables_without_key_with_generated_columns_and_partitions(self) -> None:
        self.assertRestores("UPDATE keyless SET b = 'c' WHERE a = 2")
        self.assertRestores("DELETE FROM keyless WHERE a = 1 LIMIT 1")
        self.assertRestores("INSERT INTO keyless VALUES (2, 'b')", "DELETE FROM keyless LIMIT 1")
        self.assertRestores("UPDATE doubled SET a = 7 WHERE id = 1")
        self.assertRestores("DELETE FROM doubled", "INSERT INTO doubled (a) VALUES (5)")
        self.assertRestores("UPDATE parts SET id = 3 WHERE id = 1")
        self.assertRestores("INSERT INTO parts VALUES (7, 'x')")
        self.assertRestores("ALTER TABLE parts TRUNCATE PARTITION p1")

    def test_engines_without_transactions(self) -> None:
        self.assertRestores("INSERT INTO plain (name) VALUES ('a')")
        self.assertRestores("DELETE FROM plain")
        self.assertRestores("UPDATE plain SET name = 'KEPT'")
        self.assertRestores("INSERT INTO plain_empty (name) VALUES ('a')")

    def test_rows_that_cannot_be_deleted(self) -> None:
        """As in engines that do not let them: the table is built anew."""
        self.operations.capture("base")
        before = self.dump()
        self.sql("DELETE FROM watched", "INSERT INTO other (name) VALUES ('x')")
        control = self.operations._control
        run, refused = control.run, []

        def refuse(*listed: str) -> list[Any]:
            if any(each.startswith("DELETE") for each in listed):
                refused.append(listed)
                raise control.Error(1031, "Storage engine does not have this option")
            return run(*listed)

        with mock.patch.object(control, "run", refuse):
            rewound = self.rewind()
        self.assertEqual(len(refused), 1)
        self.assertTrue(rewound.rebuilt)
        self.assertEqual(rewound.reason, "rows could not be deleted from a table")
        self.assertEqual(verifier.differences(before, self.dump()), [])
        self.assertEqual(self.rewind(), Rewound())

    def test_an_engine_that_deletes_no_rows(self) -> None:
        engines = self.rows(self.server, "SHOW ENGINES")
        if not any(
            name == "ARCHIVE" and support in ("YES", "DEFAULT") for name, support, *_ in engines
        ):
            self.skipTest("the server has no ARCHIVE engine")
        self.sql("CREATE TABLE archive (id INT) ENGINE = ARCHIVE")
        self.sql("INSERT INTO archive VALUES (1)")
        self.assertTrue(self.assertRestores("INSERT INTO archive VALUES (2)").rebuilt)

    def test_truncate_and_load(self) -> None:
        self.assertRestores("TRUNCATE child")
        self.assertRestores("SET foreign_key_checks = 0", "TRUNCATE person")
        self.sql("SET foreign_key_checks = 1")
        self.assertRestores(
            "CREATE TEMPORARY TABLE copied AS SELECT * FROM large", "TRUNCATE large",
            "INSERT INTO large SELECT id, IF(id = 9, 'other', name), data FROM copied",
        )  # fmt: skip

    def test_by_procedures_views_and_triggers(self) -> None:
        self.assertRestores("CALL fill()")
        self.assertRestores("UPDATE adults SET first = 'via view'")
        rewound = self.assertRestores("INSERT INTO watched (name) VALUES ('new')")
        self.assertEqual(rewound.tables, ("audit", "watched"))
        self.assertRestores("DELETE FROM watched", "DELETE FROM audit")

    def test_what_was_rolled_back(self) -> None:
        self.operations.capture("base")
        self.sql("BEGIN", "INSERT INTO empty (name) VALUES ('a')", "ROLLBACK")
        self.assertEqual(self.rewind().tables, ("empty",))  # its counter
        self.assertEqual(self.rewind(), Rewound())

    def test_what_the_repair_did_is_not_taken_for_the_work_of_others(self) -> None:
        self.operations.capture("base")
        for statement in (
            "INSERT INTO empty (name) VALUES ('a'), ('b')",
            "UPDATE person SET age = 3",
            "DELETE FROM large WHERE id < 20",
            "INSERT INTO watched (name) VALUES ('new')",
            "DELETE FROM plain",
            "DROP TABLE child",
        ):
            self.sql(statement)
            self.rewind()
            control = self.operations._control
            counted = control.own
            control.recount_own()
            self.assertEqual(control.own, counted, statement)


class CounterTests(MySQLTestCase):
    def counter(self, table: str) -> int:
        return int(self.dump()[f"counter {table}"])

    def test_left_as_they_are_until_they_matter(self) -> None:
        self.operations.capture("base")
        for name in ("a", "b"):
            self.sql(f"INSERT INTO empty (name) VALUES ('{name}')")
            self.assertEqual(self.rewind(counters=False).tables, ("empty",))
        self.assertEqual(self.counter("empty"), 3)
        self.assertEqual(self.rewind(counters=False), Rewound())
        self.assertEqual(self.rewind().tables, ("empty",))
        self.assertEqual(self.counter("empty"), 1)

    def test_of_a_table_with_rows(self) -> None:
        self.assertRestores("ALTER TABLE person AUTO_INCREMENT = 500")
        self.assertRestores("INSERT INTO person (first, last) VALUES ('N', '')")

    def test_beyond_the_rows_in_the_state(self) -> None:
        self.sql("ALTER TABLE empty AUTO_INCREMENT = 50")
        self.assertRestores("INSERT INTO empty (name) VALUES ('a')")
        self.assertRestores("TRUNCATE empty")
        self.assertEqual(self.counter("empty"), 50)

    def test_sequences(self) -> None:
        if not self.mariadb:
            self.skipTest("MySQL has no sequences")
        self.sql("SELECT NEXTVAL(numbers)")
        self.operations.capture("base")
        expected = self.rows(self.connect(), "SELECT NEXTVAL(numbers)")
        self.assertEqual(self.rewind().tables, ("numbers",))
        self.assertEqual(self.rows(self.connect(), "SELECT NEXTVAL(numbers)"), expected)
        self.rewind()
        self.assertRestores("SELECT SETVAL(numbers, 5000)", *["SELECT NEXTVAL(few)"] * 2)
        self.assertRestores(*["SELECT NEXTVAL(few)"] * 5)  # into the next round


class SchemaTests(MySQLTestCase):
    def test_tables(self) -> None:
        rewound = self.assertRestores("ALTER TABLE person ADD COLUMN extra INT")
        self.assertTrue(rewound.rebuilt)
        self.assertEqual(rewound.tables, ("person",))
        self.assertIn("table person", rewound.reason)
        self.assertRestores(
            "CREATE TABLE more (id INT PRIMARY KEY)", "INSERT INTO more VALUES (1)"
        )
        self.assertRestores("DROP TABLE child", "DROP TABLE large")
        self.assertRestores("RENAME TABLE empty TO emptied")
        self.assertRestores("CREATE INDEX by_age ON person (age)")
        self.assertRestores("ALTER TABLE watched ENGINE = MyISAM")  # which has triggers
        self.assertRestores("ALTER TABLE words COMMENT = 'other'")

    def test_rows_changed_by_altering_there_and_back(self) -> None:
        rewound = self.assertRestores(
            "ALTER TABLE keyless MODIFY b VARBINARY(9)",
            "ALTER TABLE large DROP COLUMN data",
            "ALTER TABLE large ADD COLUMN data BLOB",
            "ALTER TABLE keyless MODIFY b TEXT",
        )  # fmt: skip
        self.assertEqual(rewound.tables, ("large",))
        self.assertFalse(rewound.rebuilt)

    def test_views_triggers_routines_and_events(self) -> None:
        self.assertRestores("DROP VIEW adults")
        self.assertRestores("DROP VIEW adults, names")
        self.assertRestores("ALTER VIEW adults AS SELECT id, first FROM person")
        self.assertRestores("DROP TRIGGER watch_insert")
        self.assertRestores(
            "CREATE TRIGGER more AFTER INSERT ON empty FOR EACH ROW DELETE FROM keyless"
        )
        self.assertRestores("DROP PROCEDURE fill", "CREATE PROCEDURE fill() SELECT 1")
        self.assertRestores("DROP FUNCTION twice")
        self.assertRestores(
            "SET sql_mode = 'ANSI_QUOTES'",
            'CREATE EVENT later ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM "empty"',
        )

    def test_settings_of_objects_come_back(self) -> None:
        self.sql(
            "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT', time_zone = '+03:00'",
            'CREATE PROCEDURE quoted() SELECT "a" || \'ü\' FROM "keyless"',
            "CREATE EVENT later ON SCHEDULE EVERY 1 DAY STARTS '2020-01-01' DISABLE"
            " DO CALL fill()",
            "SET sql_mode = DEFAULT, time_zone = DEFAULT",
        )
        self.assertRestores("DROP PROCEDURE quoted", "DROP EVENT later")

    def test_the_database_and_its_defaults(self) -> None:
        self.assertRestores(f"ALTER DATABASE {self.name} CHARACTER SET latin1")
        before = self.dump()
        self.sql(f"DROP DATABASE {self.name}")
        self.assertTrue(self.rewind().rebuilt)
        self.assertEqual(verifier.differences(before, self.dump()), [])
        self.assertRestores("DELETE FROM person")  # over a connection that was opened again

    def test_statements_inside_of_routines(self) -> None:
        self.sql("CREATE PROCEDURE altering() ALTER TABLE person ADD COLUMN extra INT")
        self.assertTrue(self.assertRestores("CALL altering()").rebuilt)
        self.assertTrue(
            self.assertRestores(
                "PREPARE p FROM 'ALTER TABLE person ADD COLUMN extra INT'", "EXECUTE p"
            ).rebuilt
        )

    def test_temporary_tables_are_not_the_schema(self) -> None:
        self.operations.capture("base")
        self.sql("CREATE TEMPORARY TABLE mine (id INT)")
        self.assertEqual(self.rewind(), Rewound())


class StateTests(MySQLTestCase):
    def test_there_and_back(self) -> None:
        self.operations.capture("migrated")
        migrated = self.dump()
        self.sql("DELETE FROM person", "INSERT INTO empty (name) VALUES ('kept')", "CALL fill()")
        self.operations.capture("class")
        at_class = self.dump()
        for state, expected in [("migrated", migrated), ("class", at_class)] * 2:
            self.sql(
                "INSERT INTO other (name) VALUES ('x')", "UPDATE words SET word = UPPER(word)"
            )
            self.rewind(state)
            self.assertEqual(verifier.differences(expected, self.dump()), [])
            self.assertEqual(self.rewind(state), Rewound())

    def test_states_with_different_schemas(self) -> None:
        self.operations.capture("before")
        before = self.dump()
        self.sql("ALTER TABLE person DROP COLUMN age", "DROP VIEW adults", "DROP VIEW names")
        self.operations.capture("after")
        after = self.dump()
        for state, expected in [("before", before), ("after", after), ("before", before)]:
            self.assertTrue(self.rewind(state).rebuilt)
            self.assertEqual(verifier.differences(expected, self.dump()), [])

    def test_equal_tables_share_their_copies(self) -> None:
        self.operations.capture("one")
        self.sql("INSERT INTO person (first, last) VALUES ('N', '')", "DELETE FROM words")
        self.operations.capture("two")
        one, two = (self.operations._states[name].shadows for name in ("one", "two"))
        self.assertEqual({n for n in one if one.get(n) is not two.get(n)}, {"person", "words"})

    def test_forgotten_copies_are_dropped(self) -> None:
        self.operations.capture("one")
        self.sql("UPDATE large SET name = 'x' WHERE id = 1")
        self.operations.capture("two")
        self.assertEqual(len(self.copies()), 2)
        self.operations.forget("one")
        self.operations.forget("no such state")
        self.assertEqual(len(self.copies()), 1)
        with self.assertRaises(KeyError):
            self.rewind("one")
        self.sql("DELETE FROM large")
        self.assertEqual(self.rewind("two").tables, ("large",))

    def test_a_replaced_state(self) -> None:
        self.operations.capture("base")
        self.sql("DELETE FROM large WHERE id < 20", "DELETE FROM words")
        self.operations.capture("base")
        self.assertEqual(len(self.copies()), 1)
        self.assertRestores("DELETE FROM large")

    def copies(self) -> list[str]:
        rows = self.rows(self.server, f"SHOW TABLES FROM {self.name}_sane")
        return [name for (name,) in rows if name != "documents"]

    def test_another_process_goes_on(self) -> None:
        self.operations.capture("migrated")
        self.operations.write_document({"fingerprint": "ä"})
        before = self.dump()
        self.sql("DELETE FROM large", "DROP TABLE child", "INSERT INTO empty (name) VALUES ('x')")
        self.operations.close()
        later = self.open_operations()
        self.assertEqual(later.read_document(), {"fingerprint": "ä"})
        self.assertFalse(later.resume("other"))
        self.assertTrue(later.resume("migrated"))
        self.assertTrue(later.rewind("migrated"))
        self.assertEqual(verifier.differences(before, self.dump()), [])
        self.assertEqual(later.rewind("migrated"), Rewound())

    def test_a_copy_that_was_touched_is_not_trusted(self) -> None:
        self.operations.capture("migrated")
        (name,) = self.copies()
        self.execute(self.server, f"DELETE FROM {self.name}_sane.{name} LIMIT 1")
        self.assertFalse(self.open_operations().resume("migrated"))

    def test_a_document_of_a_database_that_is_gone(self) -> None:
        self.assertIsNone(self.operations.read_document())
        self.operations.write_document({"old": True})
        self.execute(self.server, f"DROP DATABASE {self.name}", f"CREATE DATABASE {self.name}")
        self.assertIsNone(self.open_operations().read_document())

    def test_only_a_capture_makes_a_sibling(self) -> None:
        self.assertIsNone(self.operations.read_document())
        self.assertFalse(self.operations.resume("migrated"))
        self.assertEqual(self.rows(self.server, f"SHOW DATABASES LIKE '{self.name}_sane'"), [])
        self.operations.capture("base")
        self.operations.discard()
        self.assertEqual(self.rows(self.server, f"SHOW DATABASES LIKE '{self.name}_sane'"), [])

    def test_checksums(self) -> None:
        before = self.operations.checksums()
        self.assertEqual(self.operations.checksums(), before)
        self.sql("UPDATE person SET first = '', last = 'Ada' WHERE id = 1")
        self.sql("DROP FUNCTION twice", "ALTER TABLE empty AUTO_INCREMENT = 9")
        after = self.operations.checksums()
        differing = {name for name in before if before[name] != after[name]}
        self.assertEqual(differing, {"person", "schema", "empty AUTO_INCREMENT"})


class LeakTests(MySQLTestCase):
    def leak(self, *listed: str) -> Any:
        """Leave a session in a transaction; return it."""
        session = self.connect(autocommit=False)
        self.execute(session, *listed)
        return session

    def assertEnded(self, session: Any, rewound: Rewound, *tables: str) -> None:
        """The session cannot commit any more, and was told of."""
        import MySQLdb

        self.assertEqual(len(rewound.leaked), 1)
        self.assertEqual(rewound.leaked[0].tables, tables)
        with self.assertRaises(MySQLdb.OperationalError):
            self.execute(session, "INSERT INTO other (name) VALUES ('late')", "COMMIT")

    def test_with_rows_written(self) -> None:
        self.operations.capture("base")
        before = self.dump()
        session = self.leak(
            "INSERT INTO empty (name) VALUES ('x')", "UPDATE person SET age = 9 WHERE id = 1"
        )
        self.sql("INSERT INTO other (name) VALUES ('x')")
        self.assertEnded(session, self.rewind(), "empty", "person")
        self.assertEqual(verifier.differences(before, self.dump()), [])

    def test_with_only_a_snapshot(self) -> None:
        self.operations.capture("base")
        session = self.leak("SELECT * FROM person")
        self.assertEnded(session, self.rewind())
        session = self.leak("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        self.assertEnded(session, self.rewind())

    def test_two_in_quick_succession(self) -> None:
        self.operations.capture("base")
        for _ in range(2):
            session = self.leak("INSERT INTO empty (name) VALUES ('x')")
            self.assertEnded(session, self.rewind(), "empty")
            self.assertEqual(self.rewind(), Rewound())

    def test_idle_sessions_live_on(self) -> None:
        self.operations.capture("base")
        session = self.leak("INSERT INTO empty (name) VALUES ('x')", "COMMIT")
        self.assertEqual(self.rewind().leaked, ())
        self.assertEqual(self.rows(session, "SELECT * FROM empty"), [])

    def test_of_djangos_own_connection(self) -> None:
        self.operations.capture("base")
        self.connection.set_autocommit(False)
        self.sql("INSERT INTO empty (name) VALUES ('x')")
        self.assertEqual([leak.tables for leak in self.rewind().leaked], [("empty",)])
        self.assertTrue(self.connection.get_autocommit())
        self.assertRestores("INSERT INTO empty (name) VALUES ('x')")

    def test_with_a_table_locked(self) -> None:
        self.operations.capture("base")
        session = self.leak("LOCK TABLES empty READ")
        self.assertEnded(session, self.rewind(), "empty")
        session = self.leak("LOCK TABLES person WRITE")
        rewound = self.rewind()
        self.assertIn("person", rewound.leaked[0].tables)
        self.assertEnded(session, rewound, *rewound.leaked[0].tables)

    def test_a_session_open_at_the_capture_commits_later(self) -> None:
        session = self.leak("INSERT INTO empty (name) VALUES ('x')")
        self.operations.capture("base")
        session.commit()
        self.assertEqual(self.rewind().tables, ("empty",))

    def test_the_control_session_itself_was_ended(self) -> None:
        self.operations.capture("base")
        self.sql("DELETE FROM person")
        self.execute(self.server, f"KILL {self.operations._control.thread_id}")
        self.assertIn("person", self.rewind().tables)
        self.assertRestores("DELETE FROM person")

    def test_a_capture_after_that(self) -> None:
        self.operations.capture("base")
        before = self.dump()
        self.sql("DELETE FROM person")
        self.execute(self.server, f"KILL {self.operations._control.thread_id}")
        self.operations.capture("more")
        more = self.dump()
        self.rewind()
        self.assertEqual(verifier.differences(before, self.dump()), [])
        self.rewind("more")
        self.assertEqual(verifier.differences(more, self.dump()), [])

    def test_ended_in_the_middle_of_a_repair(self) -> None:
        self.operations.capture("base")
        before = self.dump()
        self.sql("DELETE FROM child", "DELETE FROM person")
        write = Repair._write_rows
        pending = [self.operations._control.thread_id]

        def killed(repair: Any, *arguments: Any) -> None:
            write(repair, *arguments)
            if pending:
                self.execute(self.server, f"KILL {pending.pop()}")
                repair._control.run("SELECT 1")

        with mock.patch.object(Repair, "_write_rows", killed):
            self.rewind()
        self.assertEqual(verifier.differences(before, self.dump()), [])
        self.assertRestores("DELETE FROM person")

    def test_a_server_that_does_not_come_back(self) -> None:
        self.operations.capture("base")
        self.sql("DELETE FROM person")
        self.execute(self.server, f"KILL {self.operations._control.thread_id}")
        down = self.operations._control.Error(2002, "no server")
        with (
            mock.patch.object(Control, "open", side_effect=down),
            self.assertRaisesRegex(Exception, "no server"),
        ):
            self.rewind()


class RestrictedTests(MySQLTestCase):
    """A user who may use the test database and nothing else, without triggers."""

    privileges = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES"

    def setUp(self) -> None:
        super().setUp()
        self.operations.close()
        self.user = f"sane_my_{os.getpid()}"
        self.addCleanup(self.execute, self.server, f"DROP USER IF EXISTS {self.user}")
        self.execute(
            self.server,
            f"DROP USER IF EXISTS {self.user}",
            f"CREATE USER {self.user} IDENTIFIED BY 'secret'",
            f"GRANT {self.privileges}, CREATE VIEW, SHOW VIEW, EXECUTE, LOCK TABLES"
            f" ON {self.name}.* TO {self.user}",
        )
        self.operations = self.open_operations(USER=self.user, PASSWORD="secret")

    def test_what_is_missing(self) -> None:
        control: Control = self.operations._control
        self.assertFalse(control.sees_transactions)
        self.assertFalse(control.drops_triggers)
        self.operations.capture("base")
        self.operations.write_document({"not": "kept"})
        self.assertIsNone(self.operations.read_document())
        self.assertEqual(self.rows(self.server, f"SHOW DATABASES LIKE '{self.name}_sane'"), [])

    def test_rows_counters_and_tables(self) -> None:
        self.assertRestores("INSERT INTO empty (name) VALUES ('a')")
        self.assertRestores("DELETE FROM person", "UPDATE kinds SET f = 0.5, place = NULL")
        self.assertRestores("UPDATE large SET name = UPPER(name) WHERE id = 200")
        self.assertRestores("DELETE FROM keyless LIMIT 1", "DELETE FROM kinds")
        self.assertRestores("DROP TABLE child", "ALTER TABLE large ADD COLUMN more INT")

    def test_triggers_that_fire_in_the_repair(self) -> None:
        self.assertRestores("DELETE FROM watched", "INSERT INTO watched (name) VALUES ('new')")

    def test_leaked_sessions(self) -> None:
        self.operations.capture("base")
        session = self.wrapper(USER=self.user, PASSWORD="secret")
        self.addCleanup(session.close)
        with session.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE person SET age = 9 WHERE id = 1")
        before = self.dump()
        self.assertEqual([leak.tables for leak in self.rewind().leaked], [("person",)])
        self.assertEqual(verifier.differences(before, self.dump()), [])


class RestrictedDatabase(contract.MySQL):
    """Its sessions are those of ``user``; what is around it is done by the administrator."""

    user = f"sane_mc_{os.getpid()}"

    def _as_user(self, method: Any, *arguments: Any) -> Any:
        administrator = self.settings
        self.settings = {**administrator, "USER": self.user, "PASSWORD": "secret"}
        try:
            return method(*arguments)
        finally:
            self.settings = administrator

    def wrapper(self, alias: str = "throwaway") -> Any:
        return self._as_user(super().wrapper, alias)

    def connect(self) -> Any:
        return self._as_user(super().connect)


class RestrictedContract(Restricted, contract.MySQLContract):
    """The same user, and every change that it may make."""

    user = RestrictedDatabase.user
    # It may not write the table below, whose triggers it has made while it was allowed to.
    doubtful = frozenset({"change_deletes_of_parents"})

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        database = contract.MySQL()
        database._administrate(f"CREATE USER {cls.user} IDENTIFIED BY 'secret'")
        cls.addClassCleanup(database._administrate, f"DROP USER {cls.user}")

    @classmethod
    def make(cls) -> RestrictedDatabase:
        """It is the user's own, but the user has fewer rights by now."""
        database = RestrictedDatabase()
        place = f"ON `{database.name}`.*"
        database._administrate(f"GRANT ALL {place} TO {cls.user}")
        database.create(contract.SCHEMA)
        database._administrate(f"REVOKE ALL {place} FROM {cls.user}")
        rights = f"{RestrictedTests.privileges}, CREATE VIEW, SHOW VIEW, EXECUTE, LOCK TABLES"
        database._administrate(f"GRANT {rights} {place} TO {cls.user}")
        return database

    def refused(self, error: Exception) -> bool:
        return error_code(error) in DENIED
