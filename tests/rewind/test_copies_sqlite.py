"""The contract of copies on SQLite, in a file and in memory."""

from __future__ import annotations

from typing import ClassVar

from . import copying
from .test_contract_sqlite import SCHEMA, SQLiteFile
from .test_contract_sqlite_memory import SQLiteMemory
from .throwaway import Throwaway, require_vendor


def setUpModule() -> None:
    require_vendor("sqlite")


class SQLiteFileCopies(copying.CopiesContract):
    options: ClassVar[dict[str, str]] = {}

    @classmethod
    def make(cls) -> Throwaway:
        database = SQLiteFile(cls.options)
        database.create(SCHEMA)
        return database

    @classmethod
    def make_empty(cls) -> Throwaway:
        return SQLiteFile(cls.options)

    def corrupt_image(self, image: bytes) -> bytes:
        return b"not a database" + image[14:]


class SQLiteLogCopies(SQLiteFileCopies):
    """With a write-ahead log, part of which is not in the file yet."""

    options: ClassVar[dict[str, str]] = {"init_command": "PRAGMA journal_mode = WAL"}


class SQLiteMemoryCopies(SQLiteFileCopies):
    clones_are_files = True

    @classmethod
    def make(cls) -> Throwaway:
        database = SQLiteMemory()
        database.create(SCHEMA)
        return database

    @classmethod
    def make_empty(cls) -> Throwaway:
        database = SQLiteMemory()
        database.create(())
        return database
