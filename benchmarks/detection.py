"""How much tests are slowed by what notices their writes: ``python benchmarks/detection.py
[--database postgresql|mariadb|sqlite] [--tables 20 300]``.

The same statements go, in turn, to a database that is rewound (above 150 tables PostgreSQL has
triggers then) and to one that nobody watches. Each kind of statement is sent by Django's ORM and
as it is; in a transaction that is rolled back, where a statement costs least and what is added
weighs most, and in autocommit. Microseconds, medians.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import servers
from common import ROOT, machine

sys.path.insert(0, str(ROOT))

import django
from django.conf import settings
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from sanerunner.databases.operations import DatabaseOperations, operations_for

BATCH = 20  # statements of a kind, in turn with the other database's
REWINDS = 12  # until PostgreSQL has triggers, where it is to have them


def configure(database: str) -> None:
    """Have two databases: "watched" and "plain"."""
    databases = {
        alias: servers.entry(database, name=f"{servers.NAME}_{alias}", durable=False)
        for alias in ("watched", "plain")
    }
    if database == "sqlite":
        for alias, entry in databases.items():
            entry["NAME"] = f"file:{alias}?mode=memory&cache=shared"
    settings.configure(
        USE_TZ=True,
        DATABASES={**databases, "default": {}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


def make_models(tables: int) -> list[Any]:
    made: list[Any] = []
    for number in range(tables):
        fields: dict[str, Any] = {
            "name": models.CharField(max_length=100),
            "value": models.IntegerField(default=0),
            "note": models.TextField(default=""),
            "active": models.BooleanField(default=True),
        }
        if made:
            fields["parent"] = models.ForeignKey(
                made[-1], models.CASCADE, null=True, related_name="+"
            )
        meta = type("Meta", (), {"app_label": f"tables{tables}"})
        attributes = {**fields, "__module__": __name__, "Meta": meta}
        made.append(type(f"Model{number}", (models.Model,), attributes))
    return made


@contextmanager
def tables_of(alias: str, made: list[Any], database: str) -> Iterator[None]:
    """Make the database and its tables, with ten rows in the first; drop it afterwards."""
    connection: Any = connections[alias]
    name = connection.settings_dict["NAME"]
    if database != "sqlite":
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    try:
        with connection.schema_editor() as editor:
            for model in made:
                editor.create_model(model)
        for number in range(10):
            made[0].objects.using(alias).create(name=f"row {number}")
        yield
    finally:
        BaseDatabaseWrapper.close(connection)  # SQLite's leaves those in memory open
        if database != "sqlite":
            with connection._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name}")


class Side:
    """One database, and how to time statements there."""

    def __init__(self, alias: str, model: Any, operations: DatabaseOperations | None) -> None:
        self._alias = alias
        self._model = model
        self._operations = operations
        self._rows = model.objects.using(alias)

    def kinds(self) -> dict[str, Callable[[int], object]]:
        """Return what is timed: functions of the key of a row that may be changed."""
        rows, table = self._rows, self._model._meta.db_table
        insert = f"INSERT INTO {table} (name, value, note, active) VALUES ('a', 1, '', true)"
        return {
            "INSERT, ORM": lambda key: rows.create(name="a"),
            "UPDATE, ORM": lambda key: rows.filter(pk=key).update(value=7),
            "DELETE, ORM": lambda key: rows.filter(pk=key)._raw_delete(self._alias),
            "INSERT": lambda key: self._execute(insert),
            "UPDATE": lambda key: self._execute(
                f"UPDATE {table} SET value = 8 WHERE id = %s", key
            ),
            "DELETE": lambda key: self._execute(f"DELETE FROM {table} WHERE id = %s", key),
        }

    def _execute(self, sql: str, *parameters: int) -> None:
        with connections[self._alias].cursor() as cursor:
            cursor.execute(sql, parameters)

    def tidy(self) -> None:
        """Let no plan or scan depend on what the rounds before have left."""
        if connections[self._alias].vendor == "postgresql":
            self._execute(f"VACUUM ANALYZE {self._model._meta.db_table}")

    def batch(self, kind: str, *, commits: bool) -> list[float]:
        """Return the seconds of each of some statements, whose effects are undone."""
        if commits:
            return self._clean_after(self._time(kind))
        with transaction.atomic(using=self._alias):
            times = self._time(kind)
            transaction.set_rollback(True, using=self._alias)
        return times

    def _time(self, kind: str) -> list[float]:
        statement = self.kinds()[kind]
        keys = [self._rows.create(name="row").pk for _ in range(BATCH)]
        times = []
        for key in keys:
            started = time.perf_counter()
            statement(key)
            times.append(time.perf_counter() - started)
        return times

    def _clean_after(self, times: list[float]) -> list[float]:
        if self._operations is None:
            self._rows.filter(name__in=["row", "a"]).delete()
        else:
            self._operations.rewind("base", counters=False)
        return times


def measure(database: str, tables: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return what was done -> "plain" and "watched" -> median of seconds."""
    made = make_models(tables)
    with tables_of("watched", made, database), tables_of("plain", made, database):
        operations = operations_for(connections["watched"])
        assert operations is not None
        operations.open()
        try:
            operations.capture("base")
            for _ in range(REWINDS):  # as many as it takes until all is watched
                made[1].objects.using("watched").create(name="a")
                operations.rewind("base", counters=False)
            sides = {
                "plain": Side("plain", made[1], None),
                "watched": Side("watched", made[1], operations),
            }
            times = _interleaved(sides, rounds)
        finally:
            operations.close()
            operations.discard()
    return {
        what: {alias: statistics.median(each) for alias, each in both.items()}
        for what, both in times.items()
    }


def _interleaved(sides: dict[str, Side], rounds: int) -> dict[str, dict[str, list[float]]]:
    times: dict[str, dict[str, list[float]]] = {}
    for number in range(rounds + 1):
        order = list(sides) if number % 2 else list(reversed(sides))
        for commits, kind in itertools.product((False, True), sides["plain"].kinds()):
            what = f"{kind}, {'committed' if commits else 'in a transaction'}"
            for alias in order:
                sides[alias].tidy()
                batch = sides[alias].batch(kind, commits=commits)
                if number:
                    times.setdefault(what, {}).setdefault(alias, []).extend(batch)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    choices = [name for name in servers.DATABASES if name != "sqlite-file"]
    parser.add_argument("--database", choices=choices, default="postgresql")
    parser.add_argument("--tables", type=int, nargs="+", default=[20, 300])
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    with servers.server(arguments.database, durable=False) as version:
        configure(arguments.database)
        print(machine([version, "durability off"]), end="\n\n")
        for tables in arguments.tables:
            medians = measure(arguments.database, tables, arguments.rounds)
            print(f"| {tables} tables | plain, µs | watched, µs | ratio |")
            print("|---|---|---|---|")
            for what, both in medians.items():
                plain, watched = both["plain"] * 1e6, both["watched"] * 1e6
                print(f"| {what} | {plain:.0f} | {watched:.0f} | {watched / plain:.2f} |")
            print(flush=True)


if __name__ == "__main__":
    main()
