"""What tests do to a database: each method is one change, and says which tables it touches.

``maybe`` names tables of which only a counter moves, where the vendor keeps one.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from django.db import IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper

from .throwaway import Throwaway

Method = TypeVar("Method", bound=Callable[..., None])


def touches(
    *tables: str, maybe: Sequence[str] = (), nothing: bool = False
) -> Callable[[Method], Method]:
    """Say which tables a change dirties; ``nothing``: it may leave all as it is."""

    def mark(method: Method) -> Method:
        method.tables = tables  # type: ignore[attr-defined]
        method.maybe = maybe  # type: ignore[attr-defined]
        method.nothing = nothing  # type: ignore[attr-defined]
        return method

    return mark


class Changes:
    """Changes that every vendor knows; a vendor adds its own."""

    #: All tables, children first, so that DELETE FROM each of them succeeds.
    deletable: ClassVar[Sequence[str]] = (
        "page",
        "book",
        "author",
        "empty",
        "nopk",
        "pair",
        "code",
        "generated",
        "audit",
    )
    lock_statements: ClassVar[Sequence[str]]
    reset_counter: ClassVar[Sequence[str]]

    database: Throwaway
    wrapper: BaseDatabaseWrapper

    def run_sql(self, *statements: str) -> None:
        raise NotImplementedError

    def insert(self, wrapper: BaseDatabaseWrapper, name: str, **values: Any) -> None:
        columns = {"name": name, "nick": name.lower(), **values}
        marks = ", ".join(["%s"] * len(columns))
        with wrapper.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO author ({', '.join(columns)}) VALUES ({marks})",
                list(columns.values()),
            )

    @touches("author", "book", "page", "audit")
    def change_orm(self) -> None:
        self.insert(
            self.wrapper,
            "Zoë",
            born=datetime.date(1999, 12, 31),
            rating="12.50",
            data='{"a": [1, 2]}',
            photo=b"\x00\xff'\\",
        )
        self.run_sql(
            "INSERT INTO book (author_id, title) SELECT max(id), 'new' FROM author",
            "INSERT INTO page (book_id, number) SELECT max(id), 1 FROM book",
        )

    @touches("empty")
    def change_bulk(self) -> None:
        with self.wrapper.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO empty (value) VALUES (%s)", [(str(n),) for n in range(500)]
            )

    @touches("author", "nopk")
    def change_updates(self) -> None:
        self.run_sql(
            "UPDATE author SET rating = 99 WHERE name = 'Anna'",
            "UPDATE author SET born = NULL, photo = NULL, nick = '' WHERE name = 'Carl'",
            "UPDATE nopk SET b = 'changed' WHERE a = 2",
        )

    @touches("author", "book", "page", maybe=["audit"])
    def change_deletes(self) -> None:
        self.run_sql(
            "DELETE FROM page",
            "DELETE FROM book WHERE title = 'Second'",
            "DELETE FROM author WHERE name = 'Dora'",
        )

    @touches("author", maybe=["book", "page", "audit"])
    def change_deletes_of_parents(self) -> None:
        """The database itself deletes books and pages, or its triggers do."""
        self.run_sql("DELETE FROM author WHERE name = 'Anna'")

    @touches("book", "page", maybe=["author", "audit"])
    def change_cascade(self) -> None:
        self.run_sql("DELETE FROM book WHERE title = 'First'")

    @touches("author")
    def change_unique_swap(self) -> None:
        self.run_sql(
            "UPDATE author SET name = 'tmp' WHERE name = 'Carl'",
            "UPDATE author SET name = 'Carl' WHERE name = 'Dora'",
            "UPDATE author SET name = 'Dora' WHERE name = 'tmp'",
        )

    @touches("pair")
    def change_primary_keys_swapped(self) -> None:
        self.run_sql(
            "UPDATE pair SET a = 100 WHERE a = 1 AND b = 1",
            "UPDATE pair SET a = 1 WHERE a = 2 AND b = 1",
            "UPDATE pair SET a = 2 WHERE a = 100",
        )

    @touches("author")
    def change_primary_key_moved(self) -> None:
        self.run_sql("UPDATE author SET id = id + 1000 WHERE name = 'Dora'")

    @touches("author")
    def change_row_replaced(self) -> None:
        """Another row with the same unique value."""
        self.run_sql("DELETE FROM author WHERE name = 'Dora'")
        self.insert(self.wrapper, "Dora")

    @touches("author", "code")
    def change_case_only(self) -> None:
        self.run_sql(
            "UPDATE author SET nick = 'ANNA' WHERE name = 'Anna'",
            "UPDATE code SET code = 'AA' WHERE code = 'aa'",
        )

    @touches("author", "nopk")
    def change_trailing_blanks(self) -> None:
        self.run_sql(
            "UPDATE author SET nick = 'bert ' WHERE name = 'Bert'",
            "UPDATE nopk SET b = 'b  ' WHERE a = 2",
        )

    @touches("author")
    def change_null_to_empty(self) -> None:
        self.run_sql("UPDATE author SET nick = '' WHERE nick IS NULL")

    @touches("author", "empty")
    def change_in_threads(self) -> None:
        def work(number: int) -> None:
            wrapper = wrappers[number]
            wrapper.connect()
            for row in range(3):
                self.insert(wrapper, f"thread {number} {row}")
            with wrapper.cursor() as cursor:
                cursor.execute("INSERT INTO empty (value) VALUES ('thread')")

        wrappers = [self.database.wrapper() for _ in range(2)]
        for number in range(2):
            thread = threading.Thread(target=work, args=[number])
            thread.start()
            thread.join()

    @touches("author", "empty")
    def change_in_another_process(self) -> None:
        self.database.elsewhere(
            "execute",
            [
                "INSERT INTO empty (value) VALUES ('elsewhere')",
                "UPDATE author SET rating = 0 WHERE name = 'Bert'",
            ],
        )

    @touches(maybe=["author", "empty"], nothing=True)
    def change_rolled_back(self) -> None:
        self.wrapper.set_autocommit(False)
        self.insert(self.wrapper, "never")
        self.run_sql("INSERT INTO empty (value) VALUES ('never')")
        self.wrapper.rollback()
        self.wrapper.set_autocommit(True)

    @touches(maybe=["author"], nothing=True)
    def change_refused(self) -> None:
        for _ in range(3):
            try:
                self.insert(self.wrapper, "Anna")
            except IntegrityError:
                continue
            raise AssertionError("the name is unique")

    @touches("empty")
    def change_inserted_and_deleted(self) -> None:
        self.run_sql("INSERT INTO empty (value) VALUES ('x')", "DELETE FROM empty")

    @touches("empty")
    def change_negative_primary_key(self) -> None:
        self.run_sql("INSERT INTO empty (id, value) VALUES (-5, 'negative')")

    @touches("empty")
    def change_high_primary_key(self) -> None:
        self.run_sql("INSERT INTO empty (id, value) VALUES (12345, 'high')")

    @touches("author", maybe=["empty"])
    def change_counter(self) -> None:
        self.run_sql(*self.reset_counter)

    @touches("generated")
    def change_generated(self) -> None:
        self.run_sql(
            "INSERT INTO generated (a) VALUES (50)",
            "UPDATE generated SET a = 70 WHERE a = 1",
            "DELETE FROM generated WHERE a = 2",
        )

    @touches("nopk")
    def change_no_primary_key(self) -> None:
        self.run_sql(
            "INSERT INTO nopk VALUES (1, 'a')",
            "UPDATE nopk SET b = NULL WHERE a = 2",
        )

    @touches("nopk")
    def change_a_duplicate_gone(self) -> None:
        self.run_sql("DELETE FROM nopk WHERE a = 1", "INSERT INTO nopk VALUES (1, 'a')")

    @touches("audit", "book")
    def change_by_trigger(self) -> None:
        self.run_sql("INSERT INTO book (title) VALUES ('logged')")

    @touches("pair", "code")
    def change_all_rows_gone(self) -> None:
        self.run_sql("DELETE FROM pair", "DELETE FROM code")

    @touches()
    def change_table_created(self) -> None:
        self.run_sql("CREATE TABLE another (id int)", "INSERT INTO another VALUES (1)")

    @touches(maybe=["empty"])
    def change_table_altered(self) -> None:
        self.run_sql(
            "ALTER TABLE author ADD COLUMN extra int",
            "UPDATE author SET extra = 1",
            "ALTER TABLE empty ADD COLUMN extra int",
        )

    @touches()
    def change_table_dropped(self) -> None:
        self.run_sql("DROP TABLE page", "DROP TABLE nopk")

    @touches()
    def change_table_renamed(self) -> None:
        self.run_sql("ALTER TABLE pair RENAME TO couple", "INSERT INTO couple VALUES (9, 9, 'n')")

    @touches()
    def change_column_renamed(self) -> None:
        self.run_sql("ALTER TABLE empty RENAME COLUMN value TO worth")

    @touches(maybe=["author"])
    def change_index_created(self) -> None:
        self.run_sql("CREATE INDEX rating_index ON author (rating)")

    @touches()
    def change_index_dropped(self) -> None:
        self.run_sql("DROP INDEX born_index")

    @touches()
    def change_view_dropped(self) -> None:
        self.run_sql("DROP VIEW author_names")

    @touches()
    def change_view_replaced(self) -> None:
        self.run_sql("DROP VIEW author_names", "CREATE VIEW author_names AS SELECT id FROM author")

    @touches()
    def change_trigger_dropped(self) -> None:
        self.run_sql("DROP TRIGGER book_inserted")
