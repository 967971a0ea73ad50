"""The contract on MariaDB, or MySQL."""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from typing import Any, ClassVar

from . import verifier
from .changes import touches
from .contract import RewindContract
from .throwaway import Throwaway, execute_all, require_vendor, server_settings, unreachable

SCHEMA = (
    """CREATE TABLE author (id bigint AUTO_INCREMENT PRIMARY KEY,
         name varchar(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
         nick varchar(60), born date, rating decimal(10, 2), data json, photo longblob,
         seen datetime(6), score double, flags bit(5))""",
    "CREATE INDEX born_index ON author (born)",
    """CREATE TABLE book (id bigint AUTO_INCREMENT PRIMARY KEY, author_id bigint,
         title varchar(60) NOT NULL,
         FOREIGN KEY (author_id) REFERENCES author (id) ON DELETE CASCADE)""",
    """CREATE TABLE page (id int AUTO_INCREMENT PRIMARY KEY, book_id bigint, number int,
         FOREIGN KEY (book_id) REFERENCES book (id) ON DELETE CASCADE)""",
    "CREATE TABLE empty (id bigint AUTO_INCREMENT PRIMARY KEY, value varchar(60))",
    "CREATE TABLE nopk (a int, b varchar(60))",
    "CREATE TABLE pair (a int, b int, note varchar(60), PRIMARY KEY (a, b))",
    "CREATE TABLE code (code varchar(60) PRIMARY KEY, value int)",
    """CREATE TABLE generated (id int AUTO_INCREMENT PRIMARY KEY, a int,
         b int AS (a * 2) STORED, c int AS (a + 1) VIRTUAL)""",
    "CREATE TABLE audit (id int AUTO_INCREMENT PRIMARY KEY, what varchar(60))",
    """CREATE TABLE parted (id int, v varchar(20), PRIMARY KEY (id))
         PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10),
           PARTITION p1 VALUES LESS THAN MAXVALUE)""",
    "CREATE TABLE isam (id int AUTO_INCREMENT PRIMARY KEY, v varchar(20)) ENGINE = MyISAM",
    "CREATE VIEW author_names AS SELECT id, name FROM author",
    """CREATE TRIGGER book_inserted AFTER INSERT ON book FOR EACH ROW
         INSERT INTO audit (what) VALUES ('I')""",
    """CREATE TRIGGER book_deleted AFTER DELETE ON book FOR EACH ROW
         INSERT INTO audit (what) VALUES ('D')""",
    "CREATE PROCEDURE write_nopk() INSERT INTO nopk VALUES (9, 'procedure')",
    """INSERT INTO author (name, nick, born, rating, data, photo, seen, score, flags) VALUES
         ('Anna', 'anna', '1990-01-02', 1.50, '{"a": 1}', x'00ff', '2020-01-01 00:00:00.123456',
           0.1, b'101'),
         ('Bert', 'bert', NULL, 2, NULL, '', NULL, 1e300, NULL),
         ('Carl', 'carl', '1980-05-05', NULL, '[]', NULL, NULL, NULL, NULL)""",
    "INSERT INTO author (id, name) VALUES (7, 'Dora')",
    "INSERT INTO book (author_id, title) VALUES (1, 'First'), (2, 'Second'), (NULL, 'Third')",
    "DELETE FROM audit",
    "INSERT INTO page (book_id, number) VALUES (1, 1), (1, 2), (2, 1), (NULL, 9)",
    "INSERT INTO nopk VALUES (1, 'a'), (1, 'a'), (2, 'b'), (NULL, NULL)",
    "INSERT INTO pair VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, NULL)",
    "INSERT INTO code VALUES ('aa', 1), ('b', 2)",
    "INSERT INTO generated (a) VALUES (1), (2), (3)",
    "INSERT INTO parted VALUES (1, 'base'), (20, 'base')",
    "INSERT INTO isam (v) VALUES ('base')",
)


def setUpModule() -> None:
    require_vendor("mysql")


class MySQL(Throwaway):
    vendor = "mysql"

    def __init__(self) -> None:
        super().__init__()
        self.settings = {**server_settings("mariadb"), "NAME": self.name}

    def parameters(self, database: str = "") -> dict[str, Any]:
        parameters = {
            "host": self.settings["HOST"],
            "port": int(self.settings["PORT"] or 3306),
            "user": self.settings["USER"],
            "password": self.settings["PASSWORD"],
            "charset": "utf8mb4",
        }
        return {**parameters, "database": database} if database else parameters

    def connect(self) -> Any:
        import MySQLdb

        return MySQLdb.connect(**self.parameters(self.name))

    def create(self, schema: Sequence[str]) -> None:
        self._administrate(f"CREATE DATABASE `{self.name}` CHARACTER SET utf8mb4")
        connection = self.connect()
        connection.autocommit(True)
        execute_all(connection.cursor(), schema)
        connection.close()

    def drop(self) -> None:
        for (name,) in self._administrate("SHOW DATABASES"):
            if name == self.name or name.startswith(f"{self.name}_"):
                self._administrate(f"DROP DATABASE `{name}`")

    def dump(self) -> verifier.Dump:
        return verifier.mysql(self.parameters(self.name))

    def _administrate(self, statement: str) -> Sequence[Any]:
        import MySQLdb

        connection = MySQLdb.connect(**self.parameters())
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            rows: Sequence[Any] = cursor.fetchall()
            return rows
        finally:
            connection.close()


class MySQLContract(RewindContract, unittest.TestCase):
    deletable: ClassVar[Sequence[str]] = (*RewindContract.deletable, "parted", "isam")
    lock_statements = ("LOCK TABLES author WRITE, book WRITE, author_names WRITE",)
    reset_counter = (
        "ALTER TABLE author AUTO_INCREMENT = 500",
        "ALTER TABLE empty AUTO_INCREMENT = 500",
    )

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        import MySQLdb

        try:
            MySQLdb.connect(**MySQL().parameters(), connect_timeout=5).close()
        except MySQLdb.OperationalError as error:
            raise unreachable(error, "MariaDB") from error

    @classmethod
    def make(cls) -> Throwaway:
        database = MySQL()
        database.create(SCHEMA)
        return database

    @touches("author", maybe=["book", "page", "empty"])
    def change_truncated(self) -> None:
        self.run_sql(
            "INSERT INTO empty (value) VALUES ('x')",
            "SET foreign_key_checks = 0",
            "TRUNCATE author",
            "SET foreign_key_checks = 1",
            "TRUNCATE empty",
        )

    @touches("nopk", "author")
    def change_by_procedure(self) -> None:
        self.run_sql(
            "CALL write_nopk()",
            "UPDATE author_names SET name = 'by a view' WHERE name = 'Carl'",
        )

    @touches("author")
    def change_binary_values(self) -> None:
        self.run_sql(
            "UPDATE author SET score = 0.2, flags = b'1', photo = x'00fe' WHERE name = 'Anna'"
        )

    @touches("author")
    def change_microseconds(self) -> None:
        self.run_sql("UPDATE author SET seen = '2020-01-01 00:00:00.123457' WHERE name = 'Anna'")

    @touches("parted", "isam")
    def change_partitions_and_engines(self) -> None:
        self.run_sql(
            "UPDATE parted SET id = 30 WHERE id = 1",
            "INSERT INTO parted VALUES (2, 'x')",
            "INSERT INTO isam (v) VALUES ('x')",
            "UPDATE isam SET v = 'changed' WHERE id = 1",
        )

    @touches("empty")
    def change_zero_primary_key(self) -> None:
        self.run_sql(
            "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')",
            "INSERT INTO empty (id, value) VALUES (0, 'zero')",
        )

    @touches(maybe=["empty", "author"])
    def change_index_dropped(self) -> None:
        self.run_sql("DROP INDEX born_index ON author")

    @touches()
    def change_column_renamed(self) -> None:
        self.run_sql("ALTER TABLE empty CHANGE COLUMN value worth varchar(60)")

    @touches()
    def change_procedure_dropped(self) -> None:
        self.run_sql("DROP PROCEDURE write_nopk")

    @touches()
    def change_partition_dropped(self) -> None:
        self.run_sql("ALTER TABLE parted DROP PARTITION p0")
