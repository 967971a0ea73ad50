"""What only SQLite's rewind has to get right, beside the contract."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from sanerunner.databases.sqlite.operations import SQLiteOperations

from . import verifier
from .test_contract_sqlite import SQLiteFile
from .test_contract_sqlite_memory import SQLiteMemory
from .throwaway import Throwaway, execute_all, require_vendor

SMALL = ("CREATE TABLE t (id integer PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, 'base')")

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("UPDATE t SET v = 'held'")
print("held", flush=True)
sys.stdin.read()
try:
    connection.commit()
except sqlite3.OperationalError:
    pass
connection.close()
"""


def setUpModule() -> None:
    require_vendor("sqlite")


class SQLiteTestCase(unittest.TestCase):
    def prepare(self, database: Throwaway, *schema: str) -> None:
        self.database = database
        self.addCleanup(database.drop)
        self.addCleanup(database.close_wrappers)
        database.create(schema or SMALL)
        self.wrapper = database.wrapper()
        self.wrapper.ensure_connection()
        self.operations = SQLiteOperations(self.wrapper)
        self.operations.open()
        self.addCleanup(self.operations.close)
        self.operations.capture("base")
        self.base = database.dump()

    def run_sql(self, *statements: str) -> None:
        with self.wrapper.cursor() as cursor:
            execute_all(cursor, statements)

    def assert_rewound(self, *tables: str) -> None:
        self.assertEqual(self.operations.rewind("base").tables, tables)
        self.assertEqual(verifier.differences(self.base, self.database.dump()), [])
        self.assertFalse(self.operations.rewind("base"))


class Tables(SQLiteTestCase):
    def test_wide(self) -> None:
        columns = [f"c{number} text" for number in range(900)]
        names = ", ".join(f"c{number}" for number in range(900))
        values = ", ".join(["'x'"] * 900)
        self.prepare(
            SQLiteMemory(),
            f"CREATE TABLE wide ({', '.join(columns)})",
            f"INSERT INTO wide ({names}) VALUES ({values})",
        )
        self.run_sql("UPDATE wide SET c899 = 'X'")
        self.assert_rewound("wide")

    def test_all_names_of_the_rowid_are_taken(self) -> None:
        self.prepare(
            SQLiteMemory(),
            "CREATE TABLE taken (rowid text, _rowid_ text, oid text)",
            "INSERT INTO taken VALUES ('a', 'b', 'c'), ('a', 'b', 'c')",
        )
        self.run_sql("DELETE FROM taken", "INSERT INTO taken VALUES (1, 2, 3)")
        self.operations.rewind("base")
        self.assertEqual(verifier.differences(self.base, self.database.dump()), [])

    def test_not_a_rowid_though_an_integer_primary_key(self) -> None:
        self.prepare(
            SQLiteMemory(),
            "CREATE TABLE d (id INTEGER PRIMARY KEY DESC, v text)",
            "INSERT INTO d VALUES (5, 'a'), (3, 'b')",
        )
        self.run_sql("UPDATE d SET id = 4 WHERE id = 5", "INSERT INTO d VALUES (1, 'c')")
        self.assert_rewound("d")

    def test_text_that_is_no_text(self) -> None:
        self.prepare(SQLiteMemory(), *SMALL, "INSERT INTO t VALUES (2, CAST(x'ff00fe' AS text))")
        checksums = dict(self.operations.checksums())
        self.run_sql("UPDATE t SET v = CAST(x'ff00ff' AS text) WHERE id = 2")
        self.assertNotEqual(dict(self.operations.checksums()), checksums)
        self.assert_rewound("t")

    def test_strict(self) -> None:
        if sqlite3.sqlite_version_info < (3, 37):
            raise unittest.SkipTest("this SQLite has no STRICT tables")
        self.prepare(
            SQLiteMemory(),
            "CREATE TABLE s (a ANY, b INT, c TEXT) STRICT",
            "INSERT INTO s VALUES ('1', 1, '1'), (1, 1, '1'), (1.0, 1, '1')",
        )
        self.run_sql("UPDATE s SET a = '1'")
        self.assert_rewound("s")

    def test_own_collation_and_function(self) -> None:
        """Those that a receiver of connection_created registers are known to the rewind."""

        def register(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
            connection.connection.create_collation("backwards", lambda a, b: (a < b) - (a > b))
            connection.connection.create_function("twice", 1, lambda v: v * 2, deterministic=True)

        connection_created.connect(register)
        self.addCleanup(connection_created.disconnect, register)
        self.prepare(SQLiteMemory())
        self.run_sql(
            "CREATE TABLE own (v text COLLATE backwards PRIMARY KEY)",
            "CREATE INDEX own_twice ON own (twice(v))",
            "INSERT INTO own VALUES ('a'), ('b')",
        )
        self.operations.capture("base")
        self.run_sql("INSERT INTO own VALUES ('c')", "UPDATE own SET v = 'aa' WHERE v = 'a'")
        self.assertEqual(self.operations.rewind("base").tables, ("own",))
        self.run_sql("PRAGMA integrity_check")

    def test_a_constraint_that_the_rows_do_not_meet(self) -> None:
        self.prepare(
            SQLiteMemory(),
            "CREATE TABLE checked (id integer PRIMARY KEY, v int CHECK (v > 0))",
            "PRAGMA ignore_check_constraints = ON",
            "INSERT INTO checked VALUES (1, -1)",
        )
        self.run_sql("DELETE FROM checked")
        self.assert_rewound("checked")


class Sessions(SQLiteTestCase):
    def test_own_session_stays_open(self) -> None:
        """A transaction of Django's connection is rolled back, and no more than that."""
        for database in (SQLiteMemory(), SQLiteFile()):
            with self.subTest(database=type(database).__name__):
                self.prepare(database)
                session = self.wrapper.connection
                self.wrapper.set_autocommit(False)
                self.run_sql("UPDATE t SET v = 'open'")
                rewound = self.operations.rewind("base")
                self.assertEqual([each.session for each in rewound.leaked], [database.uri])
                self.assertIs(self.wrapper.connection, session)
                self.assertFalse(session.in_transaction)
                self.assertEqual(verifier.differences(self.base, database.dump()), [])

    def test_a_process_that_holds_the_lock(self) -> None:
        self.prepare(SQLiteFile())
        other = subprocess.Popen(
            [sys.executable, "-c", HOLDER, self.database.uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(other.wait)
        self.assertEqual(other.stdout.readline(), "held\n")
        rewound = self.operations.rewind("base")
        self.assertTrue(rewound.leaked)
        other.communicate("")
        self.assertEqual(other.returncode, 0)
        self.assertEqual(verifier.differences(self.base, self.database.dump()), [])
        self.run_sql("UPDATE t SET v = 'after'")
        self.assert_rewound("t")

    def test_memory_is_left_to_a_session_that_cannot_be_ended(self) -> None:
        self.prepare(SQLiteMemory())
        name = self.database.settings["NAME"]
        with closing(sqlite3.connect(name, uri=True)) as session:
            session.execute("UPDATE t SET v = 'leaked'")
            self.assertTrue(self.operations.rewind("base").leaked)
            session.commit()
        self.assertNotEqual(self.wrapper.settings_dict["NAME"], name)
        self.assertTrue(self.wrapper.is_in_memory_db())
        self.assertEqual(verifier.differences(self.base, self.database.dump()), [])
        self.run_sql("UPDATE t SET v = 'after'")
        self.assert_rewound("t")

    def test_a_commit_in_time_is_waited_for(self) -> None:
        """A session that has committed is no leak."""
        self.prepare(SQLiteFile())
        with closing(sqlite3.connect(self.database.uri)) as session:
            session.execute("UPDATE t SET v = 'committed'")
            session.commit()
            self.assertEqual(self.operations.rewind("base").leaked, ())


class Damaged(SQLiteTestCase):
    """A database that cannot be repaired is replaced by a copy of what it was."""

    def assert_rebuilt(self, reason: str) -> None:
        rewound = self.operations.rewind("base")
        self.assertTrue(rewound.rebuilt)
        self.assertIn(reason, rewound.reason)
        self.assertEqual(verifier.differences(self.base, self.database.dump()), [])
        self.run_sql("UPDATE t SET v = 'after'")
        self.assert_rewound("t")

    def test_file_removed_or_replaced(self) -> None:
        self.prepare(SQLiteFile())
        path = Path(self.database.uri)
        for replace in (path.unlink, lambda: Path(shutil.copy(path, f"{path}.x")).replace(path)):
            replace()
            self.assert_rebuilt("removed or replaced")

    def test_file_overwritten(self) -> None:
        self.prepare(SQLiteFile())
        with open(self.database.uri, "r+b") as file:
            file.write(b"no database" * 1000)
        self.assert_rebuilt("the repair failed")

    def test_read_only(self) -> None:
        for database in (SQLiteFile(), SQLiteMemory()):
            with self.subTest(database=type(database).__name__):
                self.prepare(database)
                self.run_sql("UPDATE t SET v = 'x'")
                repair = SQLiteOperations._repair
                failing = [sqlite3.OperationalError("attempt to write a readonly database")]

                def fail_once(*arguments: Any, failing: Any = failing, call: Any = repair) -> None:
                    if failing:
                        raise failing.pop()
                    call(*arguments)

                with mock.patch.object(SQLiteOperations, "_repair", fail_once):
                    self.assert_rebuilt("attempt to write a readonly database")

    def test_no_space_for_a_copy(self) -> None:
        """The folder is gone: what is left is an error, not another database."""
        self.prepare(SQLiteFile())
        self.run_sql("UPDATE t SET v = 'x'")
        folder = Path(self.database.uri).parent
        folder.rename(f"{folder}.away")
        self.addCleanup(shutil.rmtree, f"{folder}.away")
        with self.assertRaises((sqlite3.Error, OSError)):
            self.operations.rewind("base")


class Sidecar(SQLiteTestCase):
    def test_file_of_another_name(self) -> None:
        """A copy of both files is a database of its own."""
        self.prepare(SQLiteFile())
        self.operations.write_document({"fingerprint": "a"})
        self.operations.close()
        copy = SQLiteFile()
        self.addCleanup(copy.drop)
        self.addCleanup(copy.close_wrappers)
        for suffix in ("", ".sane"):
            Path(copy.uri + suffix).write_bytes(Path(self.database.uri + suffix).read_bytes())
        with closing(sqlite3.connect(copy.uri)) as connection, connection:
            connection.execute("DELETE FROM t")
        operations = SQLiteOperations(copy.wrapper())
        operations.open()
        self.addCleanup(operations.close)
        self.assertEqual(operations.read_document(), {"fingerprint": "a"})
        self.assertTrue(operations.resume("base"))
        self.assertEqual(operations.rewind("base").tables, ("t",))
        self.assertEqual(verifier.differences(self.base, copy.dump()), [])

    def test_header_used_by_the_project(self) -> None:
        """The mark takes a number that is free."""
        self.prepare(SQLiteFile(), *SMALL, "PRAGMA application_id = 5")
        self.operations.close()
        self.assertEqual(self.database.dump()["application_id"], [(5,)])
        self.operations = SQLiteOperations(self.wrapper)
        self.operations.open()
        self.addCleanup(self.operations.close)
        self.assertTrue(self.operations.resume("base"))

    def test_no_mark_no_trust(self) -> None:
        self.prepare(SQLiteFile(), *SMALL, "PRAGMA application_id = 5", "PRAGMA user_version = 5")
        self.run_sql("UPDATE t SET v = 'x'")
        self.assert_rewound("t")
        self.operations.close()
        self.operations = SQLiteOperations(self.wrapper)
        self.operations.open()
        self.addCleanup(self.operations.close)
        self.assertFalse(self.operations.resume("base"))

    def test_does_not_grow(self) -> None:
        """Copies that no state needs any more are dropped."""
        self.prepare(SQLiteFile())
        sizes = set()
        for number in range(6):
            self.run_sql(f"UPDATE t SET v = 'class {number}'")
            self.operations.capture("class")
            self.operations.rewind("base")
            with closing(sqlite3.connect(self.database.uri + ".sane")) as connection:
                rows = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            sizes.add(rows[0])
        self.assertEqual(len(sizes), 1)

    def test_folder_that_cannot_be_written(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "test.sqlite3"
            (path.with_name("test.sqlite3.sane")).mkdir()
            database = SQLiteFile()
            self.addCleanup(database.drop)
            database.settings["NAME"] = str(path)
            operations = SQLiteOperations(database.wrapper())
            with self.assertRaises(sqlite3.OperationalError):
                operations.open()
            database.close_wrappers()
