"""The databases of the benchmarks: settings of tests/settings, with names of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from common import ROOT

DATABASES = ("sqlite", "sqlite-file", "postgresql", "mariadb")
NAME = f"sane_benchmark_{os.getpid()}"

_FLUSH_LOG = "innodb_flush_log_at_trx_commit"


def entry(database: str, *, name: str = NAME, durable: bool = True) -> dict[str, Any]:
    """Return an entry of DATABASES; unless ``durable``, PostgreSQL's commits do not wait for
    the disk (MariaDB's: see ``server()``).
    """
    if database == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{name}.sqlite3"}
    if database == "sqlite-file":
        return {**entry("sqlite", name=name), "TEST": {"NAME": f"test_{name}.sqlite3"}}
    found: dict[str, Any] = {**_server_entry(database), "NAME": name}
    if database == "postgresql" and not durable:
        found["OPTIONS"] = {"options": "-c synchronous_commit=off"}
    return found


def settings(database: str, *, name: str = NAME, durable: bool = True) -> str:
    """Return the setting DATABASES, to be added to a project's settings."""
    return f"\nDATABASES = {{'default': {entry(database, name=name, durable=durable)!r}}}\n"


@contextmanager
def server(database: str, *, durable: bool = True) -> Iterator[str]:
    """Yield the server's version. Afterwards no database of the benchmark is left.

    Unless ``durable``, MariaDB writes its log once a second meanwhile: all of the server's
    databases do, as there is no such setting for one of them.
    """
    if database.startswith("sqlite"):
        import sqlite3

        yield f"SQLite {sqlite3.sqlite_version}"
        return
    run = _run_postgresql if database == "postgresql" else _run_mariadb
    before = None
    if database == "mariadb" and not durable:
        ((before,),) = run(f"SELECT @@GLOBAL.{_FLUSH_LOG}")
        run(f"SET GLOBAL {_FLUSH_LOG} = 0")
    try:
        ((version,),) = run("SELECT version()")
        words = str(version).split()
        yield " ".join(words[:2]) if len(words) > 1 else f"MariaDB {version}"
    finally:
        if before is not None:
            run(f"SET GLOBAL {_FLUSH_LOG} = {before}")
        _drop_all(database, run)


def _server_entry(database: str) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT))
    found: dict[str, Any] = import_module(f"tests.settings.{database}").DATABASES["default"]
    return found


def _drop_all(database: str, run: Any) -> None:
    """Drop what has the name of this benchmark in its own name."""
    names = "SELECT datname FROM pg_database" if database == "postgresql" else "SHOW DATABASES"
    for (name,) in run(names):
        if NAME in name:
            run(
                f'DROP DATABASE "{name}" WITH (FORCE)'
                if database == "postgresql"
                else f"DROP DATABASE `{name}`"
            )


def _run_postgresql(statement: str) -> list[Any]:
    import psycopg

    found = _server_entry("postgresql")
    with psycopg.connect(
        host=found["HOST"],
        port=found["PORT"],
        user=found["USER"],
        password=found["PASSWORD"],
        dbname="postgres",
        autocommit=True,
    ) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _run_mariadb(statement: str) -> list[Any]:
    import MySQLdb

    found = _server_entry("mariadb")
    connection = MySQLdb.connect(
        host=found["HOST"],
        port=int(found["PORT"]),
        user=found["USER"],
        password=found["PASSWORD"],
        autocommit=True,
    )
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()
