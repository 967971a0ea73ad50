"""What a rewind costs on MariaDB or MySQL: ``python benchmarks/restore_mysql.py``.

Medians of milliseconds for databases of 20, 100 and 300 tables, of which some have rows, as
after migrations: content types, four permissions a table, 50 rows in three tables. The server
is that of tests/settings/mariadb.py.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from common import ROOT, machine

sys.path.insert(0, str(ROOT))

from django.conf import settings
from django.db.utils import load_backend

from sanerunner.databases.mysql.operations import MySQLOperations
from tests.settings.mariadb import DATABASES

TABLE = """
CREATE TABLE t{0} (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) NOT NULL,
slug VARCHAR(60) NOT NULL UNIQUE, value INT NOT NULL, note LONGTEXT NOT NULL,
created DATETIME(6) NOT NULL, active BOOL NOT NULL, parent_id BIGINT, KEY (parent_id),
FOREIGN KEY (parent_id) REFERENCES t{1} (id))"""
INSERT = """
INSERT INTO t{0} (name, slug, value, note, created, active)
VALUES ('a', '{1}', 1, '', NOW(), 1)"""
CONTENT_TYPES = """
CREATE TABLE content_type (id INT AUTO_INCREMENT PRIMARY KEY, app_label VARCHAR(100) NOT NULL,
model VARCHAR(100) NOT NULL, UNIQUE (app_label, model))"""
PERMISSIONS = """
CREATE TABLE permission (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255) NOT NULL,
content_type_id INT NOT NULL, codename VARCHAR(100) NOT NULL,
UNIQUE (content_type_id, codename))"""


class Database:
    """A database of so many tables, dropped at the end."""

    def __init__(self, tables: int) -> None:
        self.name = f"sane_my_{os.getpid()}_{tables}"
        entry = {"TIME_ZONE": None, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False, "TEST": {}}
        entry |= {"AUTOCOMMIT": True, "ATOMIC_REQUESTS": False, **DATABASES["default"]}
        backend: Any = load_backend("django.db.backends.mysql")
        self.server = backend.DatabaseWrapper({**entry, "NAME": "information_schema"}, "server")
        self.connection = backend.DatabaseWrapper({**entry, "NAME": self.name}, "default")
        self.run(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4", connection=self.server)
        self.run("SET foreign_key_checks = 0", CONTENT_TYPES, PERMISSIONS)
        self.run(*(TABLE.format(n, max(n - 1, 0)) for n in range(tables)))
        for n, rows in (0, 20), (1, 20), (5, 10):
            self.run(*(INSERT.format(n, f"base-{i}") for i in range(rows)))
        for n in range(tables):
            self.run(f"INSERT INTO content_type (app_label, model) VALUES ('app', 'm{n}')")
            self.run(
                "INSERT INTO permission (name, content_type_id, codename) VALUES "
                + ", ".join(
                    f"('Can {v} m{n}', {n}, '{v}_m{n}')" for v in ("add", "see", "set", "del")
                )
            )
        self.run("SET foreign_key_checks = 1")
        self.operations = MySQLOperations(self.connection)
        self.operations.open()

    def run(self, *statements: str, connection: Any = None) -> None:
        with (connection or self.connection).cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def drop(self) -> None:
        self.operations.discard()
        self.operations.close()
        self.connection.close()
        self.run(f"DROP DATABASE {self.name}", connection=self.server)
        self.server.close()

    def insert(self) -> None:
        """What a test commits: 5 rows in 3 tables."""
        self.run(*(INSERT.format(n, f"new-{i}") for i, n in enumerate((3, 3, 4, 4, 9))))

    def change(self) -> None:
        """And rows of the baseline."""
        self.insert()
        self.run("UPDATE t0 SET value = 99 WHERE slug < 'base-2'", "DELETE FROM t1 LIMIT 3")


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def measure(tables: int, rounds: int) -> dict[str, float]:
    """Run every variant in turn, ``rounds`` times: variant -> median of milliseconds."""
    database = Database(tables)
    operations = database.operations
    try:
        first = timed(lambda: operations.capture("base"))

        def rewind(change: Callable[[], None], *, counters: bool) -> float:
            change()
            return timed(lambda: operations.rewind("base", counters=counters))

        def checkpoint() -> float:
            database.insert()
            took = timed(lambda: operations.capture("class"))
            operations.rewind("base")
            return took

        variants: dict[str, Callable[[], float]] = {
            "nothing changed": lambda: rewind(lambda: None, counters=True),
            "5 rows in 3 tables, lazy": lambda: rewind(database.insert, counters=False),
            "5 rows in 3 tables, exact": lambda: rewind(database.insert, counters=True),
            "and updates, deletes, lazy": lambda: rewind(database.change, counters=False),
            "and updates, deletes, exact": lambda: rewind(database.change, counters=True),
            "capture of a class": checkpoint,
        }
        times: dict[str, list[float]] = {name: [] for name in variants}
        for number in range(rounds + 1):
            for name, run in variants.items():
                took = run()
                if number:
                    times[name].append(took)
                operations.rewind("base")
    finally:
        database.drop()
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {"first capture": first, **medians}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tables", type=int, nargs="+", default=[20, 100, 300])
    arguments = parser.parse_args()
    settings.configure(USE_TZ=True)
    results = {tables: measure(tables, arguments.rounds) for tables in arguments.tables}
    print(machine(), end="\n\n")
    print("| ms | " + " | ".join(f"{tables} tables" for tables in results) + " |")
    print("|---" * (len(results) + 1) + "|")
    for name in next(iter(results.values())):
        print(f"| {name} | " + " | ".join(f"{r[name]:.2f}" for r in results.values()) + " |")


if __name__ == "__main__":
    main()
