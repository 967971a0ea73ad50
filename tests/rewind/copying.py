"""What every vendor's Copies must pass: a clone or a loaded image holds what the database holds.

A vendor's test class inherits CopiesContract and says how a database is made. The truth is a
dump by verifier.py.
"""

from __future__ import annotations

import tempfile
import unittest
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from django.db.backends.base.base import BaseDatabaseWrapper

from sanerunner.databases.copies import Copies, ImageError
from sanerunner.databases.operations import DatabaseOperations, operations_for

from .throwaway import Throwaway, execute_all
from .verifier import Dump, differences

INSERTION = "INSERT INTO author (name, nick) VALUES ('{}', 'x')"


class CopiesContract(unittest.TestCase):
    """``make()`` returns a database that is made and filled, ``make_empty()`` an empty one."""

    clones_are_files: ClassVar[bool] = False  # which are loaded, as images are

    @classmethod
    def make(cls) -> Throwaway:
        raise NotImplementedError

    @classmethod
    def make_empty(cls) -> Throwaway:
        raise NotImplementedError

    def corrupt_image(self, image: bytes) -> bytes:
        """Return an image that the vendor cannot load."""
        return image[: len(image) // 2]

    def setUp(self) -> None:
        self.database = self.keep(self.make())
        self.wrapper = self.connected(self.database)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def keep(self, database: Throwaway) -> Throwaway:
        self.addCleanup(database.drop)
        self.addCleanup(database.close_wrappers)
        return database

    def connected(self, database: Throwaway) -> BaseDatabaseWrapper:
        wrapper = database.wrapper()
        wrapper.ensure_connection()
        return wrapper

    def operations(self, wrapper: BaseDatabaseWrapper) -> DatabaseOperations:
        operations = operations_for(wrapper)
        assert operations is not None
        operations.open()
        self.addCleanup(operations.close)
        return operations

    def copies(self, wrapper: BaseDatabaseWrapper) -> Copies:
        operations = operations_for(wrapper)
        assert operations is not None
        copies = operations.copies()
        assert copies is not None
        return copies

    def execute(self, wrapper: BaseDatabaseWrapper, *statements: str) -> None:
        with wrapper.cursor() as cursor:
            execute_all(cursor, statements)

    def dump(self, database: Throwaway) -> Dump:
        return database.dump()

    def assert_same(self, expected: Dump, database: Throwaway, message: str = "") -> None:
        found = differences(expected, self.dump(database))
        if found:
            self.fail("\n".join([message or "It is not the same:", *found]))

    def clones(self, operations: DatabaseOperations, number: int = 1) -> list[Throwaway]:
        """Make clones, all at once."""
        made = [self.keep(self.make_empty()) for _ in range(number)]
        if not self.clones_are_files:
            names = [clone.settings["NAME"] for clone in made]
            for clone in made:
                clone.close_wrappers()
            with operations.cloning() as clone, ThreadPoolExecutor(number) as threads:
                list(threads.map(clone, names))
            return made
        files = [str(self.folder / f"clone{n}") for n in range(number)]
        with operations.cloning() as clone:
            for file in files:
                clone(file)
        for file, target in zip(files, made, strict=True):
            self.copies(self.connected(target)).load_image(Path(file))
        return made

    # Clones

    def test_clones_are_the_same(self) -> None:
        operations = self.operations(self.wrapper)
        operations.capture("base")
        base = self.dump(self.database)
        for number, clone in enumerate(self.clones(operations, 3)):
            self.assert_same(base, clone, f"clone {number}")
        self.assert_same(base, self.database)

    def test_the_source_goes_on(self) -> None:
        """Its operations and Django's connection work as before."""
        operations = self.operations(self.wrapper)
        operations.capture("base")
        base = self.dump(self.database)
        self.clones(operations)
        self.execute(self.wrapper, INSERTION.format("later"), "DELETE FROM nopk")
        self.assertTrue(operations.rewind("base"))
        self.assert_same(base, self.database)
        self.assertFalse(operations.rewind("base"))
        self.execute(self.wrapper, "CREATE TABLE another (id int)")
        operations.rewind("base")
        self.assert_same(base, self.database)

    def test_states_are_resumed_in_a_clone(self) -> None:
        operations = self.operations(self.wrapper)
        operations.capture("base")
        base = self.dump(self.database)
        self.execute(self.wrapper, INSERTION.format("more"), "DELETE FROM nopk WHERE a = 2")
        operations.capture("more")
        more = self.dump(self.database)
        operations.rewind("base")
        operations.write_document({"fingerprint": "é", "instance": 7})
        clone, untouched = self.clones(operations, 2)
        wrapper = self.connected(clone)
        here = self.operations(wrapper)
        if self.clones_are_files:
            self.assertFalse(here.resume("base"))
            return
        self.assertEqual(here.read_document(), {"fingerprint": "é", "instance": 7})
        self.assertTrue(here.resume("base"))
        self.assertTrue(here.resume("more"))
        for _ in range(2):
            self.execute(wrapper, INSERTION.format("clone"), "UPDATE pair SET note = 'changed'")
            self.assertTrue(here.rewind("base"))
            self.assert_same(base, clone)
            self.assertFalse(here.rewind("base"))
            here.rewind("more")
            self.assert_same(more, clone)
        self.execute(wrapper, "CREATE TABLE another (id int)", "DROP VIEW author_names")
        self.assertTrue(here.rewind("base").rebuilt)
        self.assert_same(base, clone)
        self.assert_same(base, self.database, "the source")
        self.assert_same(base, untouched, "the other clone")

    def test_a_clone_goes_on_when_its_source_does(self) -> None:
        """Nothing of what is kept is shared."""
        if self.clones_are_files:
            self.skipTest("nothing is kept beside a database in memory")
        operations = self.operations(self.wrapper)
        operations.capture("base")
        base = self.dump(self.database)
        (clone,) = self.clones(operations)
        self.execute(self.wrapper, "DELETE FROM nopk", INSERTION.format("source"))
        operations.capture("base")
        operations.write_document({"other": True})
        wrapper = self.connected(clone)
        here = self.operations(wrapper)
        self.assertIsNone(here.read_document())
        self.assertTrue(here.resume("base"))
        self.execute(wrapper, "DELETE FROM nopk")
        self.assertTrue(here.rewind("base"))
        self.assert_same(base, clone)

    def test_a_clone_is_resumed_by_another_process(self) -> None:
        if self.clones_are_files:
            self.skipTest("a database in memory is of one process")
        operations = self.operations(self.wrapper)
        operations.capture("base")
        operations.write_document({"fingerprint": "a"})
        base = self.dump(self.database)
        (clone,) = self.clones(operations)
        clone.elsewhere("die_in_a_test", [INSERTION.format(n) for n in "abc"])
        answer = clone.elsewhere("resume", "base")
        self.assertEqual(
            answer,
            {"document": {"fingerprint": "a"}, "resumed": True, "changed": True, "again": False},
        )
        self.assert_same(base, clone)

    def test_a_stale_clone_is_replaced(self) -> None:
        operations = self.operations(self.wrapper)
        operations.capture("base")
        (clone,) = self.clones(operations)
        if self.clones_are_files:
            self.skipTest("each process makes its own")
        wrapper = self.connected(clone)
        here = self.operations(wrapper)
        self.execute(wrapper, "CREATE TABLE another (id int)", "DELETE FROM nopk")
        here.capture("base")
        here.write_document({"stale": True})
        here.close()
        clone.close_wrappers()
        self.execute(self.wrapper, INSERTION.format("newer"))
        operations.capture("base")
        base = self.dump(self.database)
        with operations.cloning() as make:
            make(clone.settings["NAME"])
        self.assert_same(base, clone)
        again = self.operations(self.connected(clone))
        self.assertIsNone(again.read_document())
        self.assertTrue(again.resume("base"))
        self.assertFalse(again.rewind("base"))

    @contextmanager
    def other_session(self) -> Iterator[None]:
        """Somebody is connected to the database, and has read."""
        session = self.database.connect()
        cursor = session.cursor()
        cursor.execute("SELECT count(*) FROM author")
        cursor.fetchall()
        yield
        session.close()

    def test_an_idle_session_is_not_in_the_way(self) -> None:
        operations = self.operations(self.wrapper)
        operations.capture("base")
        base = self.dump(self.database)
        with self.other_session():
            (clone,) = self.clones(operations)
        self.assert_same(base, clone)

    # Images

    def load(self, image: Path) -> tuple[Throwaway, BaseDatabaseWrapper]:
        target = self.keep(self.make_empty())
        wrapper = self.connected(target)
        self.copies(wrapper).load_image(image)
        wrapper.ensure_connection()
        return target, wrapper

    def test_an_image_holds_everything(self) -> None:
        image = self.folder / "image"
        base = self.dump(self.database)
        self.copies(self.wrapper).write_image(image)
        self.assert_same(base, self.database, "the source")
        target, wrapper = self.load(image)
        self.assert_same(base, target)
        self.execute(wrapper, INSERTION.format("new"))
        self.execute(self.wrapper, INSERTION.format("new"))
        self.assert_same(self.dump(self.database), target, "after the same statement")

    def test_checksums_of_an_image(self) -> None:
        image = self.folder / "image"
        sums = dict(self.operations(self.wrapper).checksums())
        self.copies(self.wrapper).write_image(image)
        _, wrapper = self.load(image)
        found = dict(self.operations(wrapper).checksums())
        # In PostgreSQL the OIDs, in MySQL the name of the database are part of it.
        self.assertEqual({**sums, **self.schema_sums(found)}, found)

    def schema_sums(self, sums: dict[str, str]) -> dict[str, str]:
        return {key: value for key, value in sums.items() if key in ("schema", "(schema)")}

    def test_a_loaded_database_is_rewound(self) -> None:
        image = self.folder / "image"
        self.copies(self.wrapper).write_image(image)
        target, wrapper = self.load(image)
        operations = self.operations(wrapper)
        operations.capture("base")
        base = self.dump(target)
        self.execute(wrapper, INSERTION.format("new"), "DELETE FROM nopk")
        self.assertTrue(operations.rewind("base"))
        self.assert_same(base, target)

    def test_a_corrupt_image(self) -> None:
        image = self.folder / "image"
        self.copies(self.wrapper).write_image(image)
        image.write_bytes(self.corrupt_image(image.read_bytes()))
        with self.assertRaises(ImageError) as caught:
            self.load(image)
        self.assertNotIn("\n", str(caught.exception))
