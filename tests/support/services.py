"""Database servers that tests need: where one is missing a test is skipped, in CI it fails.

``SANERUNNER_TEST_SERVERS=no`` leaves these tests out everywhere.
"""

from __future__ import annotations

import os
import secrets
import unittest
from collections.abc import Callable
from typing import Any

from ..settings import mariadb, postgresql

Settings = dict[str, Any]


def require_postgresql(test: unittest.TestCase, purpose: str = "main") -> Settings:
    """Return the settings of a database that does not exist, on a PostgreSQL server.

    Its name is unique; what is made of it, and its test databases, are dropped after ``test``.
    """
    return _require(test, "PostgreSQL", postgresql.DATABASES["default"], _postgresql, purpose)


def require_mariadb(test: unittest.TestCase, purpose: str = "main") -> Settings:
    """The same on a MariaDB server."""
    return _require(test, "MariaDB", mariadb.DATABASES["default"], _mariadb, purpose)


def on_postgresql(settings: Settings, *statements: str, database: str = "postgres") -> list[Any]:
    """Execute statements outside of Django; return the rows of the last one."""
    return _postgresql({**settings, "NAME": database}, *statements)


def on_mariadb(settings: Settings, *statements: str, database: str = "") -> list[Any]:
    """Execute statements outside of Django; return the rows of the last one."""
    return _mariadb({**settings, "NAME": database}, *statements)


def databases_on(settings: Settings) -> set[str]:
    """Return the names of the databases on the server of ``settings``."""
    if settings["ENGINE"].endswith("postgresql"):
        rows = on_postgresql(settings, "SELECT datname FROM pg_database")
    else:
        rows = on_mariadb(settings, "SHOW DATABASES")
    return {name for (name,) in rows}


def _require(
    test: unittest.TestCase,
    service: str,
    settings: Any,
    execute: Callable[..., list[Any]],
    purpose: str,
) -> Settings:
    if os.environ.get("SANERUNNER_TEST_SERVERS") == "no":
        raise unittest.SkipTest("SANERUNNER_TEST_SERVERS is no")
    try:
        execute({**settings, "NAME": ""}, "SELECT 1")
    except Exception as error:
        reason = f"{service} is needed: {str(error).strip() or type(error).__name__}"
        if os.environ.get("CI", "").lower() == "true":
            raise AssertionError(reason) from error
        raise unittest.SkipTest(reason) from error
    name = f"sane_{purpose}_{os.getpid()}_{secrets.token_hex(3)}"
    test.addCleanup(_drop, {**settings, "NAME": name}, execute)
    return {**settings, "NAME": name}


def _drop(settings: Settings, execute: Callable[..., list[Any]]) -> None:
    """Drop the database, its test databases and what is kept beside these."""
    server = {**settings, "NAME": ""}
    for each in databases_on(settings):
        if each == settings["NAME"] or each.startswith(f"test_{settings['NAME']}"):
            if execute is _postgresql:
                execute(server, f'DROP DATABASE IF EXISTS "{each}" WITH (FORCE)')
            else:
                execute(server, f"DROP DATABASE IF EXISTS `{each}`")


def _postgresql(settings: Settings, *statements: str) -> list[Any]:
    import psycopg

    connection = psycopg.connect(
        host=settings["HOST"],
        port=settings["PORT"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        dbname=settings["NAME"] or "postgres",
        autocommit=True,
        connect_timeout=10,
    )
    try:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def _mariadb(settings: Settings, *statements: str) -> list[Any]:
    import MySQLdb  # type: ignore[import-untyped]

    connection = MySQLdb.connect(
        host=settings["HOST"],
        port=int(settings["PORT"]),
        user=settings["USER"],
        password=settings["PASSWORD"],
        database=settings["NAME"],
        autocommit=True,
        connect_timeout=10,
    )
    try:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())
    finally:
        connection.close()
