"""What the process that keeps account of a run needs for each test that has passed."""

from __future__ import annotations

import gc
import tempfile
import tracemalloc
import unittest
from io import StringIO
from pathlib import Path

from sanerunner.eventbus import EventBus
from sanerunner.events import RunFinished, RunStarted, TestInfo
from sanerunner.execution.runresult import RunResult
from sanerunner.reporting.console import ConsoleReporter
from sanerunner.reporting.history import History
from sanerunner.reporting.junit import JUnitReporter
from sanerunner.reporting.summary import Summary

from .event_streams import STARTED_AT, finished, test_info

CLASSES, TESTS = 100, 50
TOTAL = CLASSES * TESTS
LIMIT = 2_000  # bytes


class MemoryTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def grown(self, bus: EventBus, tests: list[TestInfo]) -> float:
        """Send a run of tests that pass; return how many bytes each has taken at the peak."""
        gc.collect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before, _ = tracemalloc.get_traced_memory()
        bus.emit(RunStarted(STARTED_AT, len(tests), ("unit",)))
        for number, test in enumerate(tests):
            bus.emit(finished(test, started_at=STARTED_AT + number, duration=number / 7))
        bus.emit(RunFinished(True, 1.0))
        _, peak = tracemalloc.get_traced_memory()
        return (peak - before) / len(tests)

    def test_a_passed_test(self) -> None:
        """With all reports."""
        tests = [
            test_info(f"test_{number}", case=f"Case{case}")
            for case in range(CLASSES)
            for number in range(TESTS)
        ]
        bus = EventBus()
        summary, result, junit = Summary(), RunResult(), self.folder / "junit.xml"
        bus.subscribe(summary.handle_event, *Summary.WANTED)
        bus.subscribe(result.handle_event)
        bus.subscribe(ConsoleReporter(summary=summary, stream=StringIO()).handle_event)
        bus.subscribe(JUnitReporter(path=junit).handle_event, *JUnitReporter.WANTED)
        bus.subscribe(History(self.folder / "state").handle_event, *History.WANTED)
        self.assertLess(self.grown(bus, tests), LIMIT)
        self.assertEqual(bus.errors, [])
        self.assertEqual(result.testsRun, TOTAL)
        self.assertEqual(junit.read_text().count("<testcase"), TOTAL)
