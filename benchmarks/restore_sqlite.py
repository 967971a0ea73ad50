"""What a capture and a rewind of SQLite cost: ``python benchmarks/restore_sqlite.py``.

Databases of 20, 100 and 300 tables, with the rows that content types, permissions and three
data migrations leave; each measured test commits 5 rows into 3 tables. Milliseconds, medians of
interleaved rounds, of the capture or rewind alone.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import ROOT, machine

sys.path.insert(0, str(ROOT))

import django
from django.conf import settings

MODEL = """CREATE TABLE app_model{0} (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  name varchar(100) NOT NULL, slug varchar(60) NOT NULL UNIQUE, value integer NOT NULL,
  note text NOT NULL, created datetime NOT NULL, active bool NOT NULL,
  parent_id bigint NULL REFERENCES app_model{0} (id) DEFERRABLE INITIALLY DEFERRED)"""
INDEX = "CREATE INDEX app_model{0}_parent ON app_model{0} (parent_id)"
CONTENT_TYPE = """CREATE TABLE django_content_type (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  app_label varchar(100) NOT NULL, model varchar(100) NOT NULL, UNIQUE (app_label, model))"""
PERMISSION = """CREATE TABLE auth_permission (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
  content_type_id integer NOT NULL REFERENCES django_content_type (id) DEFERRABLE INITIALLY
  DEFERRED, codename varchar(100) NOT NULL, name varchar(255) NOT NULL,
  UNIQUE (content_type_id, codename))"""
ROW = (
    "INSERT INTO app_model{0} (name, slug, value, note, created, active) "
    "VALUES ('name', '{1}', 1, '', '2020-01-01 00:00:00', 1)"
)


def fill(execute: Callable[[str], Any], models: int) -> None:
    """Make the tables, and the rows of a project with ``models`` models."""
    execute("BEGIN")
    for statement in (CONTENT_TYPE, PERMISSION):
        execute(statement)
    for model in range(models):
        execute(MODEL.format(model))
        execute(INDEX.format(model))
        execute(f"INSERT INTO django_content_type (app_label, model) VALUES ('app', '{model}')")
        for action in ("add", "change", "delete", "view"):
            execute(
                "INSERT INTO auth_permission (content_type_id, codename, name) "
                f"VALUES ({model + 1}, '{action}_model{model}', 'Can {action} model {model}')"
            )
    for model, rows in ((0, 20), (1, 20), (5, 10)):
        for row in range(rows):
            execute(ROW.format(model, f"base-{row}"))
    execute("COMMIT")


@contextmanager
def database(models: int, in_memory: bool) -> Iterator[Any]:
    """A wrapper whose database has been filled."""
    from django.db import connections
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.sqlite3.base import DatabaseWrapper

    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        name = f"file:benchmark{models}?mode=memory&cache=shared"
        entry = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": name if in_memory else str(Path(folder) / "test.sqlite3"),
        }
        wrapper = DatabaseWrapper(connections.configure_settings({"default": entry})["default"])
        with wrapper.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = OFF")
            fill(cursor.execute, models)
            yield wrapper
        BaseDatabaseWrapper.close(wrapper)


INSERTS = [
    ROW.format(model, f"test-{row}") for model, row in ((3, 0), (3, 1), (4, 0), (4, 1), (9, 0))
]
BASELINE = [
    *INSERTS,
    "UPDATE app_model0 SET value = 99",
    "DELETE FROM app_model1 WHERE slug = 'base-1'",
    "DELETE FROM auth_permission WHERE id = 7",
]
READ = ["SELECT * FROM app_model0"]
TESTS = {"5 rows in 3 tables": INSERTS, "and baseline rows": BASELINE, "nothing": READ}


def measure(models: int, in_memory: bool, rounds: int) -> dict[str, float]:
    """Return what was measured -> median of milliseconds."""
    from sanerunner.databases.operations import operations_for

    times: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[[], object]) -> None:
        started = time.perf_counter()
        call()
        times.setdefault(name, []).append((time.perf_counter() - started) * 1000)

    with database(models, in_memory) as wrapper:
        operations = operations_for(wrapper)
        assert operations is not None
        timed("open", operations.open)
        timed("first capture", lambda: operations.capture("migrated"))
        for _ in range(rounds):
            for name, statements in TESTS.items():
                with wrapper.cursor() as cursor:
                    for statement in statements:
                        cursor.execute(statement)
                timed(f"rewind, {name}", lambda: operations.rewind("migrated"))
        for _ in range(rounds):
            with wrapper.cursor() as cursor:
                for statement in INSERTS:
                    cursor.execute(statement)
            timed("capture of a checkpoint", lambda: operations.capture("class"))
            timed("rewind after a capture", lambda: operations.rewind("migrated"))
        operations.close()
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=101)
    arguments = parser.parse_args()
    settings.configure(USE_TZ=True)
    django.setup()
    import sqlite3

    print(machine([f"SQLite {sqlite3.sqlite_version}"]), end="\n\n")
    sizes = (20, 100, 300)
    for in_memory in (True, False):
        columns = [measure(models, in_memory, arguments.rounds) for models in sizes]
        where = "in memory" if in_memory else "in a file"
        print(f"| {where}, ms | " + " | ".join(f"{size} models" for size in sizes) + " |")
        print("|---" * (len(sizes) + 1) + "|")
        for name in columns[0]:
            print(f"| {name} | " + " | ".join(f"{column[name]:.2f}" for column in columns) + " |")
        print()


if __name__ == "__main__":
    main()
