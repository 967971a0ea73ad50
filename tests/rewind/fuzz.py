"""Hundreds of random statements with rewinds between them, the same ones for the same seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from django.db import DatabaseError

from .verifier import Dump

if TYPE_CHECKING:
    from .contract import RewindContract

TEXTS = ("Anna", "anna", "ANNA", "Anna ", "", "é", "e", "it''s", "x" * 60, "1", "1.0")
COLUMNS = {
    "author": {"name": "text", "nick": "text", "rating": "number", "born": "date"},
    "book": {"author_id": "number", "title": "text"},
    "page": {"book_id": "number", "number": "number"},
    "empty": {"value": "text"},
    "nopk": {"a": "number", "b": "text"},
    "pair": {"a": "number", "b": "number", "note": "text"},
    "code": {"code": "text", "value": "number"},
    "generated": {"a": "number"},
}
WITH_ID = ("author", "book", "page", "empty", "generated")


class Fuzz:
    """Runs on the database of a contract's test, which has captured "base"."""

    def __init__(self, test: RewindContract, seed: int) -> None:
        self.test = test
        self.random = random.Random(seed)
        self.dumps: dict[str, Dump] = {"base": test.base}
        self.log: list[str] = []

    def run(self, steps: int) -> None:
        done = 0
        for _ in range(steps):
            statement = self.statement()
            try:
                self.test.run_sql(statement)
                done += 1
            except DatabaseError:
                statement += " -- refused"
            self.log.append(statement)
            if self.random.random() < 0.12:
                self.rewind_or_capture()
        self.test.assertGreater(done, steps // 3)
        self.test.operations.rewind("base")
        self.test.assert_dump(self.test.base)

    def rewind_or_capture(self) -> None:
        if self.random.random() < 0.25:
            state = self.random.choice(["one", "two", "three"])
            self.test.operations.capture(state)
            self.dumps[state] = self.test.database.dump()
        else:
            state = self.random.choice(list(self.dumps))
            self.test.operations.rewind(state)
            last = "\n".join(self.log[-15:])
            self.test.assert_dump(self.dumps[state], f"Not rewound to {state!r} after:\n{last}")

    def statement(self) -> str:
        table = self.random.choice(list(COLUMNS))
        make = self.random.choice(
            [self.insert, self.insert, self.update, self.update, self.delete]
        )
        return make(table)

    def insert(self, table: str) -> str:
        values = {name: self.value(kind) for name, kind in COLUMNS[table].items()}
        if table in WITH_ID and self.random.random() < 0.3:
            values["id"] = str(self.random.randint(1, 40))
        return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"

    def update(self, table: str) -> str:
        name, kind = self.random.choice(list(COLUMNS[table].items()))
        if table in WITH_ID and self.random.random() < 0.2:
            name, kind = "id", "number"
        return f"UPDATE {table} SET {name} = {self.value(kind)} WHERE {self.condition(table)}"

    def delete(self, table: str) -> str:
        if self.random.random() < 0.1:
            return f"DELETE FROM {table}"
        return f"DELETE FROM {table} WHERE {self.condition(table)}"

    def condition(self, table: str) -> str:
        name, kind = self.random.choice(list(COLUMNS[table].items()))
        if table in WITH_ID and self.random.random() < 0.6:
            name, kind = "id", "number"
        value = self.value(kind)
        return f"{name} IS NULL" if value == "NULL" else f"{name} = {value}"

    def value(self, kind: str) -> str:
        if self.random.random() < 0.1:
            return "NULL"
        if kind == "number":
            return str(self.random.randint(-2, 12))
        if kind == "date":
            return f"'20{self.random.randint(10, 20)}-01-{self.random.randint(10, 28)}'"
        return f"'{self.random.choice(TEXTS)}'"
