"""The contract on a SQLite database in a file."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import unittest
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from . import verifier
from .changes import touches
from .contract import RewindContract
from .throwaway import Throwaway, execute_all, full_settings, require_vendor

SCHEMA = (
    """CREATE TABLE author (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
         name varchar(60) NOT NULL UNIQUE, nick varchar(60) COLLATE NOCASE, born date,
         rating decimal, data text CHECK (data IS NULL OR json_valid(data)), photo blob,
         seen datetime)""",
    "CREATE INDEX born_index ON author (born)",
    """CREATE TABLE book (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
         author_id integer REFERENCES author (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
         title varchar(60) NOT NULL)""",
    """CREATE TABLE page (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
         book_id integer REFERENCES book (id) ON DELETE CASCADE, number integer)""",
    "CREATE TABLE empty (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, value varchar(60))",
    "CREATE TABLE nopk (a int, b varchar(60))",
    "CREATE TABLE pair (a int, b int, note varchar(60), PRIMARY KEY (a, b))",
    "CREATE TABLE code (code varchar(60) COLLATE NOCASE PRIMARY KEY, value int)",
    """CREATE TABLE generated (id integer NOT NULL PRIMARY KEY, a int,
         b int GENERATED ALWAYS AS (a * 2) STORED, c int AS (a + 1) VIRTUAL)""",
    "CREATE TABLE audit (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, what varchar(60))",
    """CREATE TABLE keyed (k varchar(20) COLLATE NOCASE, n int, v, PRIMARY KEY (k, n))
         WITHOUT ROWID""",
    'CREATE TABLE "odd ""name" (rowid text, "a column" any, "select")',
    "CREATE TABLE untyped (v)",
    "CREATE VIRTUAL TABLE search USING fts5 (body)",
    "CREATE VIEW author_names AS SELECT id, name FROM author",
    """INSERT INTO author (id, name, nick, born, rating, data, photo, seen) VALUES
         (1, 'Anna', 'anna', '1990-01-02', 1.5, '{"a": 1}', x'00ff', '2020-01-01 00:00:00'),
         (2, 'Bert', 'bert', NULL, 2, NULL, x'', NULL),
         (3, 'Carl', 'carl', '1980-05-05', NULL, '[]', NULL, NULL),
         (7, 'Dora', NULL, NULL, NULL, NULL, NULL, NULL)""",
    "INSERT INTO book VALUES (1, 1, 'First'), (2, 2, 'Second'), (3, NULL, 'Third')",
    "INSERT INTO page VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, NULL, 9)",
    "INSERT INTO nopk VALUES (1, 'a'), (1, 'a'), (2, 'b'), (NULL, NULL)",
    "INSERT INTO pair VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, NULL)",
    "INSERT INTO code VALUES ('aa', 1), ('b', 2)",
    "INSERT INTO generated (a) VALUES (1), (2), (3)",
    "INSERT INTO audit (what) VALUES ('made')",
    "INSERT INTO keyed VALUES ('a', 1, 1), ('b', 1, 'x'), ('b', 2, NULL)",
    """INSERT INTO "odd ""name" VALUES ('r', 1, x'01'), ('s', 1.0, NULL)""",
    "INSERT INTO untyped VALUES (1), (1.0), ('1'), (x'31'), (NULL)",
    "INSERT INTO search VALUES ('quick brown fox'), ('lazy dog')",
    """CREATE TRIGGER book_inserted AFTER INSERT ON book BEGIN
         INSERT INTO audit (what) VALUES ('new ' || NEW.title); END""",
    """CREATE TRIGGER book_deleted AFTER DELETE ON book BEGIN
         INSERT INTO audit (what) VALUES ('old ' || OLD.title); END""",
)


def setUpModule() -> None:
    require_vendor("sqlite")


class SQLiteFile(Throwaway):
    vendor = "sqlite"

    def __init__(self, options: dict[str, str] | None = None) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix=self.name)
        self.uri = str(Path(self._folder.name) / "test.sqlite3")
        self.settings = full_settings(
            {"ENGINE": "django.db.backends.sqlite3", "NAME": self.uri, "OPTIONS": options or {}}
        )

    def create(self, schema: Sequence[str]) -> None:
        with contextlib.closing(sqlite3.connect(self.uri, isolation_level=None)) as connection:
            execute_all(connection.cursor(), schema)

    def drop(self) -> None:
        self._folder.cleanup()

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.settings["NAME"], uri=True)

    def dump(self) -> verifier.Dump:
        return verifier.sqlite(self.settings["NAME"])


class SQLiteChanges(RewindContract):
    """What only SQLite has."""

    deletable: ClassVar[Sequence[str]] = (*RewindContract.deletable, "keyed", "untyped")
    lock_statements = ("BEGIN EXCLUSIVE",)
    reset_counter = (
        "UPDATE sqlite_sequence SET seq = 500 WHERE name = 'author'",
        "DELETE FROM sqlite_sequence WHERE name = 'empty'",
    )

    @touches("keyed")
    def change_without_rowid(self) -> None:
        self.run_sql(
            "UPDATE keyed SET k = 'A' WHERE k = 'a'",
            "UPDATE keyed SET n = n + 1 WHERE n = 2",
            "INSERT INTO keyed VALUES ('c', 1, 1)",
        )

    @touches("untyped", 'odd "name')
    def change_storage_class(self) -> None:
        """Values that SQLite compares as equal."""
        self.run_sql(
            "UPDATE untyped SET v = 1.0 WHERE typeof(v) = 'integer'",
            """UPDATE "odd ""name" SET "a column" = NULL WHERE rowid = 'r'""",
        )

    @touches("author")
    def change_blob_to_text(self) -> None:
        self.run_sql("UPDATE author SET photo = '' WHERE name = 'Bert'")

    @touches("author", "book", "page", "audit")
    def change_replaced(self) -> None:
        """The row is deleted without its triggers, and all that cascades from it."""
        self.run_sql("INSERT OR REPLACE INTO author (id, name) VALUES (1, 'Anna')")

    @touches("search_content", "search_data", maybe=["search_docsize", "search_idx"])
    def change_full_text(self) -> None:
        self.run_sql(
            "INSERT INTO search VALUES ('another text')",
            "DELETE FROM search WHERE rowid = 1",
        )

    @touches(maybe=["sqlite_stat1", "sqlite_stat4"])
    def change_analyzed(self) -> None:
        self.run_sql("ANALYZE")

    @touches(maybe=["user_version"])
    def change_user_version(self) -> None:
        self.run_sql("PRAGMA user_version = 77")

    @touches(nothing=True)
    def change_vacuumed(self) -> None:
        self.run_sql("VACUUM")

    @touches("empty")
    def change_table_created_and_dropped(self) -> None:
        self.run_sql(
            "CREATE TABLE another (id int)",
            "INSERT INTO empty (value) VALUES ('x')",
            "DROP TABLE another",
        )

    def test_unfinished_read(self) -> None:
        """A cursor that has not been read to its end keeps a lock."""
        self.run_sql(*(f"INSERT INTO empty (value) VALUES ('{n}')" for n in range(300)))
        cursor = self.wrapper.cursor()
        cursor.execute("SELECT * FROM empty")
        cursor.fetchone()
        self.operations.rewind("base")
        self.assert_dump(self.base)
        self.change_orm()
        self.operations.rewind("base")
        self.assert_dump(self.base)

    def test_deleted_rows_are_few(self) -> None:
        """The repair of one row leaves the others where they are."""
        rows = [(f"name {n}",) for n in range(200)]
        with self.wrapper.cursor() as cursor:
            cursor.executemany("INSERT INTO empty (value) VALUES (%s)", rows)
        self.operations.capture("many")
        many = self.database.dump()
        self.run_sql("UPDATE empty SET value = 'x' WHERE id % 50 = 0")
        self.assertEqual(self.operations.rewind("many").tables, ("empty",))
        self.assert_dump(many)


class SQLiteFileContract(SQLiteChanges, unittest.TestCase):
    @classmethod
    def make(cls) -> Throwaway:
        database = SQLiteFile()
        database.create(SCHEMA)
        return database

    def test_write_ahead_log(self) -> None:
        self.run_sql("PRAGMA journal_mode = wal")
        self.operations.capture("base")
        self.check_leaked(self.leak("INSERT INTO empty (value) VALUES ('leaked')"))
        self.change_orm()
        self.operations.rewind("base")
        self.assert_dump(self.base)
        with self.wrapper.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode")
            self.assertEqual(cursor.fetchone(), ("wal",))

    def test_another_database_at_the_same_path(self) -> None:
        """What was kept beside a file is not believed when the file is another one."""
        self.operations.write_document({"fingerprint": "a"})
        self.operations.close()
        self.database.close_wrappers()
        Path(self.database.settings["NAME"]).unlink()
        self.database.create(SCHEMA)
        self.wrapper = self.database.wrapper()
        self.wrapper.ensure_connection()
        operations = self.open_operations()
        self.assertIsNone(operations.read_document())
        self.assertFalse(operations.resume("base"))

    def test_damaged_sidecar(self) -> None:
        self.operations.write_document({"fingerprint": "a"})
        self.operations.close()
        Path(self.database.settings["NAME"] + ".sane").write_bytes(b"not a database" * 100)
        operations = self.open_operations()
        self.assertIsNone(operations.read_document())
        self.assertFalse(operations.resume("base"))
        operations.capture("base")
        self.assertFalse(operations.rewind("base"))
