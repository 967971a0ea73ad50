"""Two records side by side: what differs, and whether it differs again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recording import Entry, Record

ABSENT = Entry("", verdict="missing")


@dataclass(frozen=True)
class Difference:
    """A test whose verdict is not the same on both sides."""

    id: str
    class_name: str
    stock: Entry
    ours: Entry

    def __str__(self) -> str:
        return "\n".join(
            [
                self.id,
                f"    stock: {_describe(self.stock)}",
                f"    ours:  {_describe(self.ours)}",
            ]
        )


def _describe(entry: Entry) -> str:
    reason = f" ({entry.reason})" if entry.reason else ""
    return f"{entry.verdict}{reason}"


def compare(stock: Record, ours: Record, *, once: bool) -> list[Difference]:
    """Return the differences, in the order of the stock side's tests.

    ``once``: our side must also give no test more than one verdict, as SaneRunner promises.
    """
    found = []
    for test_id in dict.fromkeys([*stock.entries, *ours.entries]):
        left = stock.entries.get(test_id, ABSENT)
        right = ours.entries.get(test_id, ABSENT)
        if once and right.given > 1:
            right = Entry(right.class_name, verdict=f"{right.given} verdicts")
        if left.verdict != right.verdict:
            found.append(Difference(test_id, left.class_name or right.class_name, left, right))
    return found


def labels_of(differences: Iterable[Difference]) -> list[str]:
    """The labels that run the classes of ``differences`` again."""
    labels: dict[str, None] = {}
    for difference in differences:
        name = difference.class_name
        if name.startswith("unittest.loader."):  # a module that cannot be imported
            name = difference.id.rpartition("_FailedTest.")[2]
        labels[name.partition(".<locals>")[0]] = None
    return list(labels)


def changed(differences: Iterable[Difference], again: Record) -> list[str]:
    """The ids that Django's own runner judged differently in the record ``again``."""
    return [
        difference.id
        for difference in differences
        if difference.id in again.entries
        and again.entries[difference.id].verdict != difference.stock.verdict
    ]
