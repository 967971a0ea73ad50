"""The record of one side's run: JSON lines written during the run, read after it.

This module is imported by both sides' processes and needs nothing but the standard library.
Lines are written as things happen, so that the record of a process that died holds what was
known until then; only a record that ends with "finished" is complete.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# The worst of a test's verdicts is its verdict: a failed subtest beside a skipped one fails.
SEVERITY = (
    "no verdict",
    "passed",
    "skipped",
    "expected failure",
    "unexpected success",
    "failed",
    "errored",
)


def severity(verdict: str) -> int:
    """How bad a verdict is; one that no side should give ("not run") is the worst."""
    return SEVERITY.index(verdict) if verdict in SEVERITY else len(SEVERITY)


class RecordWriter:
    """Appends lines to a record file. Each is on disk before the next test starts."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 (open all the run)
        self._started = time.monotonic()

    def collected(self, test_id: str, class_name: str, module: str) -> None:
        self._write(line="collected", id=test_id, class_name=class_name, module=module)

    def verdict(self, test_id: str, verdict: str, reason: str = "", class_name: str = "") -> None:
        self._write(
            line="verdict",
            at=round(time.monotonic() - self._started, 3),  # seconds; to find slow labels
            id=test_id,
            verdict=verdict,
            reason=first_line(reason),
            class_name=class_name,
        )

    def fixture(self, name: str, verdict: str, reason: str = "") -> None:
        """``name`` is as unittest prints it: "setUpClass (shop.tests.CartTests)"."""
        self._write(line="fixture", name=name, verdict=verdict, reason=first_line(reason))

    def finished(self) -> None:
        self._write(line="finished")
        self._file.close()

    def _write(self, **values: Any) -> None:
        self._file.write(json.dumps(values) + "\n")
        self._file.flush()


def first_line(text: str) -> str:
    """The first line of ``text`` that holds anything, shortened."""
    lines = (line.strip() for line in text.splitlines())
    found = next((line for line in lines if line), "")[:200]
    return found.encode("ascii", "backslashreplace").decode()


@dataclass
class Entry:
    """What one side says of one test."""

    class_name: str
    module: str = ""
    verdict: str = "no verdict"
    reason: str = ""
    given: int = 0  # how many verdicts the runner gave


@dataclass
class Record:
    """One side's run: an entry for each test id, and for each failed tear-down fixture."""

    entries: dict[str, Entry] = field(default_factory=dict)
    finished: bool = False

    def _add(self, line: dict[str, Any]) -> None:
        kind = line["line"]
        if kind == "collected":
            self.entries.setdefault(line["id"], Entry(line["class_name"], line["module"]))
        elif kind == "verdict":
            entry = self.entries.setdefault(line["id"], Entry(line["class_name"]))
            _give(entry, line)
        elif kind == "fixture":
            self._add_fixture(line)
        elif kind == "finished":
            self.finished = True

    def _add_fixture(self, line: dict[str, Any]) -> None:
        fixture, _, owner = line["name"].rstrip(")").partition(" (")
        if fixture.startswith("tearDown"):
            if line["verdict"] == "skipped":  # too late: no test is skipped by it
                return
            _give(self.entries.setdefault(line["name"], Entry(owner)), line)
            return
        for entry in self.entries.values():
            if owner in (entry.class_name, entry.module):
                _give(entry, line)


def execution_order(path: Path) -> dict[str, int]:
    """Return each test id of the record at ``path`` -> its place in the order of verdicts."""
    order: dict[str, int] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line["line"] == "verdict":
            order.setdefault(line["id"], len(order))
    return order


def _give(entry: Entry, line: dict[str, Any]) -> None:
    entry.given += 1
    if severity(line["verdict"]) > severity(entry.verdict):
        entry.verdict, entry.reason = line["verdict"], line["reason"]


def read_record(path: Path) -> Record:
    """Read a record; a missing file is an empty record, a half-written last line is left out."""
    record = Record()
    if path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                break
            record._add(line)
    return record
