"""The contract on a SQLite database in memory, as Django's test databases are by default."""

from __future__ import annotations

import sqlite3
import unittest
from collections.abc import Sequence

from django.db import OperationalError

from . import verifier
from .changes import touches
from .test_contract_sqlite import SCHEMA, SQLiteChanges
from .throwaway import Throwaway, execute_all, full_settings, require_vendor


def setUpModule() -> None:
    require_vendor("sqlite")


class SQLiteMemory(Throwaway):
    vendor = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.uri = f"file:{self.name}?mode=memory&cache=shared"
        self.settings = full_settings({"ENGINE": "django.db.backends.sqlite3", "NAME": self.uri})

    def create(self, schema: Sequence[str]) -> None:
        self._keeper = sqlite3.connect(self.uri, uri=True, isolation_level=None)
        execute_all(self._keeper.cursor(), schema)

    def drop(self) -> None:
        self._keeper.close()

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.settings["NAME"], uri=True)

    def dump(self) -> verifier.Dump:
        return verifier.sqlite(self.settings["NAME"])


class SQLiteMemoryContract(SQLiteChanges, unittest.TestCase):
    resumes = False

    @classmethod
    def make(cls) -> Throwaway:
        database = SQLiteMemory()
        database.create(SCHEMA)
        return database

    @touches()
    def change_in_another_process(self) -> None:
        raise unittest.SkipTest("no other process sees it")

    def test_leaked_lock(self) -> None:
        self.change_orm()
        self.check_leaked(self.leak("BEGIN IMMEDIATE"))

    def test_capture_does_not_wait(self) -> None:
        """What is not committed cannot be told apart, so it is refused, at once."""
        session = self.leak("INSERT INTO empty (value) VALUES ('leaked')")
        with self.assertRaisesRegex(OperationalError, "in a transaction"):
            self.operations.capture("base")
        session.rollback()
        self.operations.rewind("base")
        self.assert_dump(self.base)

    def test_not_shared(self) -> None:
        from sanerunner.databases.operations import operations_for

        self.wrapper.settings_dict["NAME"] = ":memory:"
        operations = operations_for(self.wrapper)
        assert operations is not None
        with self.assertRaisesRegex(Exception, "cache=shared"):
            operations.open()
