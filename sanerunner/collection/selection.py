"""Which of the collected tests are part of the run."""

from __future__ import annotations

import unittest
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..conf import Config
from ..events import Kind
from .kinds import classify, is_failed_import


@dataclass(frozen=True)
class Selection:
    """The selected tests, and how many of each kind were found, if any was selected."""

    tests: list[unittest.TestCase]
    found: Counter[Kind]

    def describe(self) -> str:
        """Return "12 unit, 3 database", the kinds that were found."""
        counts = [f"{self.found[kind]} {kind}" for kind in Kind if self.found[kind]]
        return ", ".join(counts) or "none"


def select(tests: Iterable[unittest.TestCase], config: Config) -> Selection:
    """Keep the tests of the kinds that ``config`` selects, and all that failed to load."""
    found: Counter[Kind] = Counter()
    if not (config.select or config.deselect):
        return Selection(list(tests), found)
    selected = []
    for test in tests:
        kind = classify(test)
        found[kind] += 1
        if config.selects(kind) or is_failed_import(test):
            selected.append(test)
    return Selection(selected, found)
