"""What tests keep writing is put back with the look: PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from sanerunner.databases.postgresql.habit import Habit
from sanerunner.databases.postgresql.repair import Repairer

from .test_postgresql import PostgreSQLCase, setUpModule

__all__ = ["setUpModule"]

INSERT = ("INSERT INTO plain (v) VALUES ('x')", "INSERT INTO log VALUES (1)")


class HabitTests(PostgreSQLCase):
    schema = ("CREATE TABLE log (what int)",)

    def setUp(self) -> None:
        super().setUp()
        self.rewind()
        for _ in range(2):
            self.run_sql(*INSERT)
            self.rewind()

    @contextmanager
    def repairs(self, count: int) -> Iterator[None]:
        """So many repairs are made that the look has not made."""
        made: list[Any] = []
        repair = Repairer.repair

        def counted(repairer: Any, *args: Any) -> Any:
            made.append(args)
            return repair(repairer, *args)

        with mock.patch.object(Repairer, "repair", counted):
            yield
        self.assertEqual(len(made), count)

    def test_the_same_again(self) -> None:
        with self.repairs(0):
            for _ in range(3):
                self.run_sql(*INSERT)
                self.assertEqual(self.rewind().tables, ("log", "plain"))
                self.assert_base()

    def test_less(self) -> None:
        """What had not changed is not told."""
        with self.repairs(0):
            self.run_sql("INSERT INTO log VALUES (2)")
            self.assertEqual(self.rewind().tables, ("log",))
            self.run_sql("SELECT nextval('plain_id_seq')")
            self.assertEqual(self.rewind().tables, ("plain",))
            self.assertFalse(self.rewind())
            self.assertFalse(self.rewind())
        self.assert_base()

    def test_more(self) -> None:
        with self.repairs(1):
            self.run_sql(*INSERT, "UPDATE parent SET name = 'x' WHERE id = 1")
            self.assertEqual(self.rewind().tables, ("log", "parent", "plain"))
        self.assert_base()
        with self.repairs(3):
            for _ in range(3):  # rows of the state are no matter of habit
                self.run_sql("DELETE FROM child", *INSERT)
                self.assertEqual(self.rewind().tables, ("child", "log", "plain"))
                self.assert_base()

    def test_another_state(self) -> None:
        self.run_sql("INSERT INTO plain (v) VALUES ('kept')")
        self.operations.capture("more")
        more = self.database.dump()
        for _ in range(3):
            self.run_sql(*INSERT)
            self.rewind("more")
            self.assertEqual(self.database.dump(), more)
        self.run_sql(*INSERT)
        self.operations.capture("most")
        most = self.database.dump()
        self.run_sql(*INSERT)
        self.rewind("most")
        self.assertEqual(self.database.dump(), most)
        self.rewind()
        self.assert_base()

    def test_the_schema_was_changed(self) -> None:
        for change in (
            ("DROP TABLE log", "CREATE TABLE log (what int)", *INSERT),
            ("DROP TABLE log",),
            ("ALTER TABLE log ADD more int", *INSERT),
            ("ALTER TABLE log RENAME TO logged", "CREATE VIEW log AS SELECT * FROM logged"),
        ):
            with self.subTest(change=change):
                self.run_sql(*INSERT)
                self.rewind()
                self.run_sql(*INSERT)
                self.rewind()
                self.run_sql(*change)
                self.assertTrue(self.rewind().rebuilt)
                self.assert_base()

    def test_leaked_sessions(self) -> None:
        for statements in (
            ("INSERT INTO log VALUES (3)", "INSERT INTO parent (name) VALUES ('z')"),
            ("TRUNCATE log",),
            ("LOCK TABLE log",),
            ("SELECT pg_advisory_lock(1)",),
        ):
            with self.subTest(statements=statements):
                for _ in range(2):
                    self.run_sql(*INSERT)
                    self.rewind()
                self.run_sql(*INSERT)
                session = self.database.connect()
                self.addCleanup(session.close)
                cursor = session.cursor()
                for statement in statements:
                    cursor.execute(statement)
                rewound = self.rewind()
                self.assertEqual(len(rewound.leaked), 1)
                self.assert_base()

    def test_sessions_that_were_ended(self) -> None:
        self.run_sql(*INSERT)
        self.database.administrate(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
            f" WHERE datname = '{self.database.name}'"
        )
        self.wrapper.close()
        self.rewind()
        self.assert_base()
        with self.repairs(1):  # habits are learned anew
            for _ in range(3):
                self.run_sql(*INSERT)
                self.rewind()
                self.assert_base()

    def test_triggers_that_always_fire(self) -> None:
        """Tables that have one are repaired in the other way."""
        self.run_sql(
            "CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO log VALUES (9); RETURN NULL; END $$",
            "CREATE TRIGGER logged AFTER DELETE ON plain FOR EACH ROW EXECUTE FUNCTION logged()",
            "ALTER TABLE plain ENABLE ALWAYS TRIGGER logged",
        )
        self.operations.capture("base")
        self.base = self.database.dump()
        for _ in range(4):
            self.run_sql(*INSERT)
            self.rewind()
            self.assert_base()

    def test_it_is_used(self) -> None:
        steps = Habit.steps
        found: list[int] = []

        def counted(habit: Habit, state: Any) -> Any:
            result = steps(habit, state)
            found.append(len(result))
            return result

        with mock.patch.object(Habit, "steps", counted):
            self.run_sql(*INSERT)
            self.rewind()
        self.assertEqual(found, [3])  # two tables and a sequence
