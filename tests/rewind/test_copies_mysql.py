"""The contract of copies on MariaDB, or MySQL."""

from __future__ import annotations

import unittest
from typing import Any

from sanerunner.databases.mysql.copies import rename

from . import copying
from .test_contract_mysql import SCHEMA, MySQL
from .throwaway import Throwaway, require_vendor
from .verifier import Dump

# What the server writes with the name of the database before it.
QUALIFIED = (
    "CREATE SEQUENCE numbers START WITH 50 INCREMENT BY 3 CACHE 10",
    """CREATE TABLE numbered (id bigint PRIMARY KEY DEFAULT (NEXTVAL(numbers)),
         note varchar(60) DEFAULT '`numbers`.')""",
    "INSERT INTO numbered (note) VALUES ('a'), ('it''s \\\\ \"quoted\"')",
    "CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN 2 * n",
    "CREATE VIEW doubled AS SELECT id, twice(a) AS a FROM generated",
    "CREATE VIEW chained AS SELECT * FROM doubled",
    """CREATE TABLE ring_a (id int PRIMARY KEY, b_id int)""",
    """CREATE TABLE ring_b (id int PRIMARY KEY, a_id int REFERENCES ring_a (id))""",
    "ALTER TABLE ring_a ADD FOREIGN KEY (b_id) REFERENCES ring_b (id)",
    "INSERT INTO ring_b VALUES (1, NULL)",
    "INSERT INTO ring_a VALUES (1, 1)",
    "UPDATE ring_b SET a_id = 1",
    "ALTER TABLE empty AUTO_INCREMENT = 4000",
)


def setUpModule() -> None:
    require_vendor("mysql")


class MySQLCopies(copying.CopiesContract):
    @classmethod
    def make(cls) -> Throwaway:
        database = MySQL()
        database.create((*SCHEMA, *QUALIFIED))
        return database

    @classmethod
    def make_empty(cls) -> Throwaway:
        database = MySQL()
        database.create(())
        return database

    def dump(self, database: Throwaway) -> Dump:
        """The server qualifies some names by that of the database."""
        return {key: _unnamed(value, database.name) for key, value in database.dump().items()}


def _unnamed(value: Any, name: str) -> Any:
    return value.replace(f"`{name}`.", "`db`.") if isinstance(value, str) else value


class RenameTest(unittest.TestCase):
    def test_only_qualifiers(self) -> None:
        sql = "SELECT `db`.`f`(`t`.`db`) AS `db`, '`db`.' AS x, \"`db`.\", `a``db`.`c`"
        self.assertEqual(
            rename(sql, "db", "new"),
            "SELECT `new`.`f`(`t`.`db`) AS `db`, '`db`.' AS x, \"`db`.\", `a``db`.`c`",
        )
