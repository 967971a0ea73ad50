"""The contract of copies on PostgreSQL."""

from __future__ import annotations

import json
import secrets
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest import mock

from sanerunner.databases.copies import ImageError
from sanerunner.databases.postgresql.copies import PostgreSQLImages, admin

from . import copying
from .test_contract_postgresql import SCHEMA, PostgreSQL
from .throwaway import Throwaway, require_vendor
from .verifier import Dump, differences


def setUpModule() -> None:
    require_vendor("postgresql")


class PostgreSQLCopies(copying.CopiesContract):
    @classmethod
    def make(cls) -> Throwaway:
        database = PostgreSQL()
        database.create(SCHEMA)
        return database

    @classmethod
    def make_empty(cls) -> Throwaway:
        database = PostgreSQL()
        database.create(())
        return database

    def dump(self, database: Throwaway) -> Dump:
        """A collation is of another OID in a database that was restored from a file."""
        dump = database.dump()
        dump["columns"] = [(*row[:10], bool(row[10]), *row[11:]) for row in dump["columns"]]
        return dump

    def ask(self, sql: str, *parameters: Any) -> list[Any]:
        with admin(self.wrapper) as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def test_attributes_are_copied(self) -> None:
        name = self.database.name
        self.ask(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Tokyo'")
        self.ask(f'ALTER DATABASE "{name}" SET search_path = public, tenant')
        operations = self.operations(self.wrapper)
        (clone,) = self.clones(operations)
        with clone.connect() as session:
            for setting, expected in (
                ("timezone", "Asia/Tokyo"),
                ("search_path", "public, tenant"),
            ):
                ((found,),) = session.execute(f"SHOW {setting}").fetchall()
                self.assertEqual(found, expected)

    def test_without_the_programs(self) -> None:
        with (
            mock.patch.dict("os.environ", {"PATH": ""}),
            self.assertRaisesRegex(ImageError, "pg_dump is not installed .*postgresql-client"),
        ):
            self.copies(self.wrapper).write_image(self.folder / "image")

    def test_a_program_of_another_version(self) -> None:
        failed = subprocess.CompletedProcess(
            [], 1, "", "pg_dump: aborting: version mismatch\nmore"
        )
        with (
            mock.patch("subprocess.run", return_value=failed),
            self.assertRaisesRegex(ImageError, "version mismatch$"),
        ):
            self.copies(self.wrapper).write_image(self.folder / "image")


class ServerImagesTest(unittest.TestCase):
    """Images that the server keeps. Those of other projects are there too, and stay."""

    def setUp(self) -> None:
        self.database = PostgreSQL()
        self.database.create(SCHEMA)
        self.addCleanup(self.database.drop)
        self.addCleanup(self.database.close_wrappers)
        self.wrapper = self.database.wrapper()
        self.digest = secrets.token_hex(32)
        self.images = PostgreSQLImages(self.wrapper)
        self.name = f"sane_image_{self.digest[:40]}"
        self.addCleanup(self.ask, f'DROP DATABASE IF EXISTS "{self.name}"')

    def ask(self, sql: str, *parameters: Any) -> list[Any]:
        with admin(self.wrapper) as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def exists(self) -> bool:
        return bool(self.ask("SELECT 1 FROM pg_database WHERE datname = %s", self.name))

    def note_use(self, days_ago: int) -> None:
        used = (datetime.now(timezone.utc) - timedelta(days=days_ago)).isoformat()
        about = json.dumps({"digest": self.digest, "used": used})
        self.ask(f"COMMENT ON DATABASE \"{self.name}\" IS 'sanerunner image {about}'")

    def test_round_trip(self) -> None:
        base = self.database.dump()
        self.ask(f"ALTER DATABASE \"{self.database.name}\" SET timezone = 'Asia/Tokyo'")
        self.ask(f"COMMENT ON DATABASE \"{self.database.name}\" IS 'my own'")
        base = self.database.dump()
        self.assertIsNone(self.images.find(self.digest))
        self.wrapper.ensure_connection()
        self.assertTrue(self.images.store(self.digest))
        self.assertTrue(self.images.store(self.digest), "again")
        self.assertEqual(self.images.find(self.digest), self.name)
        self.database.drop()
        test_settings = self.wrapper.settings_dict["TEST"]
        test_settings["NAME"] = self.database.name
        with self.images.used_as_template(self.name):
            self.wrapper.creation._create_test_db(verbosity=0, autoclobber=True, keepdb=False)
        self.assertNotIn("TEMPLATE", test_settings)
        self.images.finish(self.name)
        self.assertEqual(differences(base, self.database.dump()), [])
        rows = self.ask(
            "SELECT setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase"
            " WHERE datname = %s",
            self.database.name,
        )
        self.assertEqual(rows, [(["TimeZone=Asia/Tokyo"],)])

    def test_nobody_connects(self) -> None:
        self.images.store(self.digest)
        rows = self.ask("SELECT datallowconn FROM pg_database WHERE datname = %s", self.name)
        self.assertEqual(rows, [(False,)])

    def test_two_at_once(self) -> None:
        """Both store the same; nothing half made is left, and none fails."""
        twin = PostgreSQL()
        twin.create(SCHEMA)
        self.addCleanup(twin.drop)
        self.addCleanup(twin.close_wrappers)
        both = [self.images, PostgreSQLImages(twin.wrapper())]
        with ThreadPoolExecutor(2) as threads:
            stored = list(threads.map(lambda images: images.store(self.digest), both))
        self.assertEqual(stored, [True, True])
        self.assertEqual(self.images.find(self.digest), self.name)

    def test_a_foreign_database_is_not_an_image(self) -> None:
        self.ask(f'CREATE DATABASE "{self.name}"')
        self.assertIsNone(self.images.find(self.digest))
        self.assertFalse(self.images.store(self.digest))
        self.images.prune(newest=10_000, days=0)
        self.assertTrue(self.exists())

    def test_another_digest_of_the_same_name(self) -> None:
        self.images.store(self.digest)
        self.assertIsNone(self.images.find(self.digest[:40] + "0" * 24))

    def test_prune_by_days(self) -> None:
        self.images.store(self.digest)
        self.note_use(29)
        self.images.prune(newest=10_000, days=30)
        self.assertTrue(self.exists())
        self.note_use(31)
        self.images.prune(newest=10_000, days=30)
        self.assertFalse(self.exists())

    def test_use_keeps_an_image(self) -> None:
        self.images.store(self.digest)
        self.note_use(31)
        self.assertEqual(self.images.find(self.digest), self.name)
        self.images.prune(newest=10_000, days=30)
        self.assertTrue(self.exists())

    def test_prune_by_number(self) -> None:
        """Those used last stay. (Images that were stored by others meanwhile are newer.)"""
        self.images.store(self.digest)
        self.note_use(-1)
        self.images.prune(newest=1_000, days=30)
        self.assertTrue(self.exists())
