"""What every vendor's DatabaseOperations must pass: whatever is done to a database is undone.

A vendor's test class inherits RewindContract and unittest.TestCase and says how a database is
made. Each ``change_…`` method becomes a test: the change is made, the rewind must undo it.
The truth is a dump by verifier.py.
"""

from __future__ import annotations

import random
import threading
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from sanerunner.databases.operations import DatabaseOperations, Rewound, operations_for

from .changes import Changes
from .fuzz import Fuzz
from .throwaway import Throwaway, execute_all
from .verifier import Dump, differences


class RewindContract(Changes):
    """Scenarios for one vendor; ``make()`` returns an object of Throwaway with its schema."""

    resumes: ClassVar[bool] = True  # whether states outlive a process

    database: Throwaway
    wrapper: BaseDatabaseWrapper
    operations: DatabaseOperations

    @classmethod
    def make(cls) -> Throwaway:
        """Return a database, made and filled."""
        raise NotImplementedError

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in dir(cls):
            if name.startswith("change_"):
                setattr(cls, f"test_{name}", _test_of(name))

    def setUp(self) -> None:
        self.database = self.make()
        self.addCleanup(self.database.drop)
        self.addCleanup(self.database.close_wrappers)
        self.wrapper = self.database.wrapper()
        self.wrapper.ensure_connection()
        self.operations = self.open_operations()
        self.operations.capture("base")
        self.base = self.database.dump()

    def open_operations(self) -> DatabaseOperations:
        operations = operations_for(self.wrapper)
        assert operations is not None
        operations.open()
        self.addCleanup(operations.close)
        return operations

    def run_sql(self, *statements: str) -> None:
        """Execute and commit each statement by Django's wrapper."""
        with self.wrapper.cursor() as cursor:
            execute_all(cursor, statements)

    def assert_dump(self, expected: Dump, message: str = "") -> None:
        found = differences(expected, self.database.dump())
        if found:
            self.fail("\n".join([message or "The database is not as it was:", *found]))

    @contextmanager
    def same_session(self, rewound: list[Rewound]) -> Iterator[None]:
        """The wrapper keeps its session, unless the database was built anew."""
        session = self.wrapper.connection
        yield
        if not any(each.rebuilt or each.leaked for each in rewound):
            self.assertIs(self.wrapper.connection, session)
        with self.wrapper.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM author")
            cursor.fetchone()

    def check(self, change: Any) -> None:
        """Make a change, rewind to "base", and look whether it is undone and told."""
        tables, maybe = change.tables, change.maybe
        checksums = dict(self.operations.checksums())
        change()
        changed = bool(differences(self.base, self.database.dump()))
        self.assertTrue(changed or change.nothing, "the change has changed nothing")
        found = dict(self.operations.checksums())
        self.assertEqual(found != checksums, changed, "checksums() and the dump disagree")
        rewound: list[Rewound] = []
        with self.same_session(rewound):
            rewound.append(self.operations.rewind("base"))
        self.assert_dump(self.base)
        self.assertEqual(dict(self.operations.checksums()), checksums)
        self.assertTrue(rewound[0] or not changed, "the rewind does not tell")
        if not rewound[0].rebuilt:
            self.assertLessEqual(set(tables), set(rewound[0].tables), rewound[0])
            self.assertLessEqual(set(rewound[0].tables), {*tables, *maybe}, rewound[0])
        else:
            self.assertTrue(rewound[0].reason)
        again = self.operations.rewind("base")
        self.assertFalse(again, f"nothing had changed: {again}")
        self.assert_dump(self.base)

    # What is not one change

    def test_nothing_changed(self) -> None:
        self.assertFalse(self.operations.rewind("base"))
        self.run_sql("UPDATE author SET name = name WHERE id < 0")
        with self.wrapper.cursor() as cursor:
            cursor.execute("SELECT * FROM author")
            cursor.fetchall()
        self.assertFalse(self.operations.rewind("base"))
        self.assert_dump(self.base)

    def test_one_after_another(self) -> None:
        """The same operations undo every change, over and over, in any order."""
        names = sorted(name for name in dir(self) if name.startswith("change_"))
        shuffled = random.Random(20).sample(names, len(names))
        for name in shuffled:
            with self.subTest(change=name), suppress(unittest.SkipTest):
                getattr(self, name)()
                self.operations.rewind("base")
                self.assert_dump(self.base, f"{name} is not undone:")

    def test_all_at_once(self) -> None:
        for name in ("change_orm", "change_updates", "change_cascade", "change_no_primary_key"):
            getattr(self, name)()
        self.assertTrue(self.operations.rewind("base"))
        self.assert_dump(self.base)

    def test_unknown_state(self) -> None:
        with self.assertRaises(KeyError):
            self.operations.rewind("no such state")
        self.operations.forget("base")
        with self.assertRaises(KeyError):
            self.operations.rewind("base")

    def test_back_and_forth(self) -> None:
        dumps = {"base": self.base}
        self.change_orm()
        self.operations.capture("more")
        self.assertFalse(self.operations.schemas_differ("base", "more"))
        dumps["more"] = self.database.dump()
        self.change_deletes()
        self.change_updates()
        self.operations.capture("less")
        dumps["less"] = self.database.dump()
        for number, initial in enumerate("bmlmblbbm"):
            state = {"b": "base", "m": "more", "l": "less"}[initial]
            with self.subTest(number=number, state=state):
                self.operations.rewind(state)
                self.assert_dump(dumps[state])
                self.assertFalse(self.operations.rewind(state))
                if number % 2:
                    self.change_unique_swap()
                    self.operations.rewind(state)
                    self.assert_dump(dumps[state])

    def test_checkpoints(self) -> None:
        """A state on top, taken again and again, and forgotten."""
        for number in range(5):
            self.run_sql(f"INSERT INTO author (name, nick) VALUES ('class {number}', 'c{number}')")
            self.operations.capture("class")
            on_top = self.database.dump()
            for _ in range(3):
                self.run_sql(
                    "INSERT INTO empty (value) VALUES ('x')",
                    f"UPDATE author SET nick = 'changed' WHERE name = 'class {number}'",
                    "DELETE FROM author WHERE name = 'Anna'",
                )
                self.assertTrue(self.operations.rewind("class"))
                self.assert_dump(on_top)
                self.assertFalse(self.operations.rewind("class"))
            self.operations.rewind("base")
            self.assert_dump(self.base)
            if number % 2:
                self.operations.forget("class")

    def test_flushed(self) -> None:
        """A state in which all tables are empty, beside one in which they are not."""
        self.run_sql(*(f"DELETE FROM {table}" for table in self.deletable))
        self.operations.capture("flushed")
        flushed = self.database.dump()
        for _ in range(3):
            self.operations.rewind("base")
            self.assert_dump(self.base)
            self.change_updates()
            self.operations.rewind("flushed")
            self.assert_dump(flushed)
            self.run_sql("INSERT INTO author (id, name, nick) VALUES (1, 'Anna', 'anna')")
            self.operations.rewind("flushed")
            self.assert_dump(flushed)

    def test_state_with_another_schema(self) -> None:
        self.run_sql("CREATE TABLE later (id int)", "INSERT INTO later VALUES (1)")
        self.operations.capture("later")
        later = self.database.dump()
        self.assertTrue(self.operations.schemas_differ("base", "later"))
        self.assertFalse(self.operations.schemas_differ("later", "later"))
        for _ in range(2):
            self.operations.rewind("base")
            self.assert_dump(self.base)
            self.operations.rewind("later")
            self.assert_dump(later)
            self.run_sql("INSERT INTO later VALUES (2)", "INSERT INTO empty (value) VALUES ('x')")
            self.operations.rewind("later")
            self.assert_dump(later)

    def test_capture_replaces(self) -> None:
        self.change_orm()
        self.operations.capture("base")
        base = self.database.dump()
        self.change_updates()
        self.operations.rewind("base")
        self.assert_dump(base)

    def test_without_counters(self) -> None:
        """Rows are exact also where counters need not be."""
        self.change_orm()
        self.operations.rewind("base", counters=False)
        rows = {k: v for k, v in self.base.items() if k.startswith("table ")}
        found = self.database.dump()
        rows = {k: v for k, v in rows.items() if k != "table sqlite_sequence"}
        self.assertEqual(differences(rows, {k: found[k] for k in rows}), [])
        self.operations.rewind("base")
        self.assert_dump(self.base)

    def test_fuzz(self) -> None:
        Fuzz(self, seed=7).run(steps=400)

    # Sessions that are left open

    def leak(self, *statements: str) -> Any:
        """Leave a session in a transaction that has executed ``statements``."""
        session = self.database.connect()
        self.addCleanup(_try, session.close)
        execute_all(session.cursor(), statements)
        return session

    def check_leaked(self, session: Any) -> None:
        rewound = self.operations.rewind("base")
        self.assert_dump(self.base)
        self.assertTrue(rewound.leaked)
        for leaked in rewound.leaked:
            self.assertTrue(leaked.session)
        _try(session.commit)
        _try(session.close)
        self.assert_dump(self.base, "The session has committed after the rewind:")
        self.assertFalse(self.operations.rewind("base"))
        self.run_sql("INSERT INTO author (name, nick) VALUES ('after', 'after')")
        self.operations.rewind("base")
        self.assert_dump(self.base)

    def test_leaked_transaction(self) -> None:
        self.check_leaked(
            self.leak(
                "INSERT INTO empty (value) VALUES ('leaked')",
                "UPDATE author SET nick = 'leaked' WHERE name = 'Anna'",
            )
        )

    def test_leaked_transaction_and_committed_changes(self) -> None:
        self.change_orm()
        self.check_leaked(self.leak("DELETE FROM author WHERE name = 'Bert'"))

    def test_leaked_lock(self) -> None:
        self.change_orm()
        self.check_leaked(self.leak(*self.lock_statements))

    def test_own_session_left_in_a_transaction(self) -> None:
        self.wrapper.set_autocommit(False)
        self.run_sql("INSERT INTO empty (value) VALUES ('leaked')")
        rewound = self.operations.rewind("base")
        self.assertTrue(rewound.leaked)
        _try(self.wrapper.commit)
        self.assert_dump(self.base)
        _try(lambda: BaseDatabaseWrapper.close(self.wrapper))
        self.wrapper.closed_in_transaction = False
        self.wrapper.connect()
        self.change_orm()
        self.operations.rewind("base")
        self.assert_dump(self.base)

    def test_session_of_another_thread_left_in_a_transaction(self) -> None:
        other = self.database.wrapper()

        def work() -> None:
            other.connect()
            other.set_autocommit(False)
            with other.cursor() as cursor:
                cursor.execute("INSERT INTO empty (value) VALUES ('leaked')")

        _in_thread(work)
        rewound = self.operations.rewind("base")
        self.assertTrue(rewound.leaked)
        _try(other.commit)
        self.assert_dump(self.base)

    def test_capture_does_not_wait(self) -> None:
        """What is not committed is not captured, and is waited for by nobody."""
        session = self.leak("INSERT INTO empty (value) VALUES ('leaked')")
        self.operations.capture("base")
        session.rollback()
        session.close()
        self.operations.rewind("base")
        rows = [name for name in self.base if name.startswith("table ")]
        found = self.database.dump()
        self.assertEqual([found[name] for name in rows], [self.base[name] for name in rows])

    # What a kept database remembers

    def test_no_document(self) -> None:
        self.assertIsNone(self.operations.read_document())

    def test_document(self) -> None:
        self.operations.write_document({"fingerprint": "a", "n": [1, None, "é"]})
        self.assertEqual(
            self.operations.read_document(), {"fingerprint": "a", "n": [1, None, "é"]}
        )
        self.operations.write_document({"fingerprint": "b"})
        self.change_orm()
        self.operations.rewind("base")
        self.assertEqual(self.operations.read_document(), {"fingerprint": "b"})

    def test_django_does_not_see_what_is_kept(self) -> None:
        fresh = self.make()
        self.addCleanup(fresh.drop)
        self.addCleanup(fresh.close_wrappers)
        untouched = fresh.wrapper()
        self.operations.write_document({"fingerprint": "a"})
        with self.wrapper.cursor() as ours, untouched.cursor() as theirs:
            self.assertEqual(
                sorted(self.wrapper.introspection.get_table_list(ours)),
                sorted(untouched.introspection.get_table_list(theirs)),
            )

    def test_resume_in_this_process(self) -> None:
        self.operations.write_document({"fingerprint": "a"})
        self.change_orm()
        self.operations.capture("more")
        more = self.database.dump()
        self.operations.close()
        self.change_deletes()
        operations = self.operations = self.open_operations()
        self.assertEqual(operations.resume("base"), self.resumes)
        if not self.resumes:
            return
        self.assertEqual(operations.read_document(), {"fingerprint": "a"})
        self.assertTrue(operations.rewind("base"))
        self.assert_dump(self.base)
        self.assertTrue(operations.resume("more"))
        operations.rewind("more")
        self.assert_dump(more)
        self.assertFalse(operations.resume("no such state"))
        self.change_updates()
        operations.rewind("base")
        self.assert_dump(self.base)

    def test_resume_in_another_process(self) -> None:
        if not self.resumes:
            self.assertFalse(self.operations.resume("base"))
            return
        self.operations.write_document({"fingerprint": "a"})
        self.operations.close()
        self.change_updates()
        self.database.close_wrappers()
        answer = self.database.elsewhere("resume", "base")
        self.assertEqual(answer["document"], {"fingerprint": "a"})
        self.assertEqual(
            (answer["resumed"], answer["changed"], answer["again"]), (True, True, False)
        )
        self.assert_dump(self.base)

    def test_resume_after_a_process_has_died(self) -> None:
        if not self.resumes:
            raise unittest.SkipTest("this database dies with its process")
        self.operations.write_document({"fingerprint": "a"})
        self.operations.close()
        insertion = "INSERT INTO author (name, nick) VALUES ('{}', 'x')"
        self.database.elsewhere("die_in_a_test", [insertion.format(n) for n in "abc"])
        self.operations = self.open_operations()
        self.assertTrue(self.operations.resume("base"))
        self.operations.rewind("base")
        self.assert_dump(self.base)

    def test_forgotten_states_are_not_resumed(self) -> None:
        self.operations.capture("gone")
        self.operations.forget("gone")
        self.operations.close()
        self.assertFalse(self.open_operations().resume("gone"))


def _test_of(name: str) -> Callable[[RewindContract], None]:
    def test(self: RewindContract) -> None:
        self.check(getattr(self, name))

    test.__name__ = f"test_{name}"
    return test


def _try(call: Callable[[], object]) -> None:
    """Call what may fail because its session has been ended."""
    try:
        call()
    except Exception as error:
        if not isinstance(error, Error) and type(error).__module__.split(".")[0] not in DRIVERS:
            raise


DRIVERS = ("sqlite3", "psycopg", "MySQLdb")


def _in_thread(work: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
