"""Tests that take too long, seen by a clock that tests turn."""

from __future__ import annotations

import os
import signal
import threading
import time
import unittest
from typing import Any
from unittest import mock

from sanerunner.events import Event, TestSlow, WorkerLost
from sanerunner.execution.deadlines import ABORT_SECONDS, Deadlines
from sanerunner.execution.safeguards import Alarm, ProcessEnded, no_exit
from sanerunner.reporting.text import notice

from ..event_streams import test_info
from ..support.running import run_classes

TESTS = [test_info("test_a"), test_info("test_b")]


class FakeWorker:
    """As much of a WorkerProcess as a clock sees."""

    def __init__(self, running: int | None, since: float = 100.0) -> None:
        self.number = 2
        self.unit: object | None = object()
        self.running = running
        self.since = since
        self.slow_notices = 0
        self.ended_because = ""
        self.killed = False
        self.done: list[str] = []

    def abort(self, because: str, error_type: str) -> None:
        self.ended_because = because
        self.done.append(f"abort {error_type}")

    def kill(self) -> None:
        self.killed = True
        self.done.append("kill")


class DeadlinesTest(unittest.TestCase):
    def deadlines(self, timeout: float | None = None, **limits: float) -> Any:
        self.told: list[Event] = []
        timeouts = {int(place[1:]): limit for place, limit in limits.items()}
        return Deadlines(TESTS, timeout=timeout, timeouts=timeouts, emit=self.told.append)

    def test_slow_tests_are_told_of_at_60_120_240_seconds(self) -> None:
        worker, deadlines = FakeWorker(running=1), self.deadlines()
        told = []
        for seconds in range(500):
            deadlines.look([worker], 100.0 + seconds)
            told += [(seconds, event.test.method_name) for event in self.told]
            self.told.clear()
        self.assertEqual(told, [(60, "test_b"), (120, "test_b"), (240, "test_b"), (480, "test_b")])
        self.assertEqual(worker.done, [])

    def test_it_is_known_when_to_look_next(self) -> None:
        worker, deadlines = FakeWorker(running=0), self.deadlines()
        self.assertEqual(deadlines.next([worker]), 160.0)
        self.assertEqual(self.deadlines(5.0).next([worker, FakeWorker(1, 99.0)]), 104.0)
        self.assertIsNone(deadlines.next([]))
        self.assertIsNone(deadlines.next([FakeWorker(running=None)]))
        idle = FakeWorker(running=0)
        idle.unit = None
        self.assertIsNone(deadlines.next([idle]))

    def test_limits(self) -> None:
        deadlines = self.deadlines(5.0, p1=1.0)
        first, second, fixture = FakeWorker(0), FakeWorker(1), FakeWorker(None)
        workers = [first, second, fixture]
        deadlines.look(workers, 101.0)
        self.assertEqual([worker.done for worker in workers], [[], ["abort TestTimeout"], []])
        self.assertEqual(second.ended_because, "was ended after its 1 s were over")
        deadlines.look(workers, 101.0 + ABORT_SECONDS)
        self.assertEqual(second.done[1:], ["kill"])
        deadlines.look(workers, 105.0)
        self.assertEqual(first.done, ["abort TestTimeout"])
        self.assertEqual(fixture.done, ["abort TestTimeout"])
        self.assertEqual(second.done[2:], [])  # killed once

    def test_what_people_are_told(self) -> None:
        self.assertEqual(
            notice(TestSlow(TESTS[0], 60.2, 2)),
            "slow: shop.tests.CartTests.test_a has been running for 60 s in worker 2",
        )
        self.assertEqual(
            notice(TestSlow(TESTS[0], 120)),
            "slow: shop.tests.CartTests.test_a has been running for 120 s",
        )
        self.assertEqual(
            notice(WorkerLost(2, "died (signal 9, SIGKILL)", "a.b")),
            "worker 2 died (signal 9, SIGKILL) while running a.b",
        )


class AlarmTest(unittest.TestCase):
    def test_a_slow_test_is_told_of_once_for_each_notice(self) -> None:
        told: list[Event] = []
        alarm = Alarm(timeout=None, timeouts={}, emit=told.append)
        begun = time.monotonic()
        alarm.running = lambda: (TESTS[0], begun)
        with mock.patch("sanerunner.execution.safeguards.time.monotonic") as clock, alarm.on():
            for seconds in (10, 70, 90, 130):
                clock.return_value = begun + seconds
                signal.raise_signal(signal.SIGALRM)
        self.assertEqual(
            [(type(event), round(event.running)) for event in told],  # type: ignore[union-attr]
            [(TestSlow, 70), (TestSlow, 130)],
        )

    def test_the_signal_is_as_before(self) -> None:
        before = signal.getsignal(signal.SIGALRM)
        for timeout in (None, 10.0):
            with Alarm(timeout=timeout, timeouts={}, emit=lambda event: None).on():
                self.assertNotEqual(signal.getsignal(signal.SIGALRM), before)
                self.assertGreater(signal.getitimer(signal.ITIMER_REAL)[0], 0)
            self.assertEqual(signal.getsignal(signal.SIGALRM), before)
            self.assertEqual(signal.getitimer(signal.ITIMER_REAL)[0], 0)

    def test_in_another_thread_nothing_is_done(self) -> None:
        alarm = Alarm(timeout=10.0, timeouts={}, emit=lambda event: None)
        before = signal.getsignal(signal.SIGALRM)
        seen = []

        def run() -> None:
            with alarm.on():
                seen.append(signal.getsignal(signal.SIGALRM))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        self.assertEqual(seen, [before])


class NoExitTest(unittest.TestCase):
    def test_what_would_end_the_process_raises(self) -> None:
        exits = (
            lambda: os._exit(0),
            lambda: os.execv("/bin/true", ["true"]),
            lambda: os.execvp("true", ["true"]),
            lambda: os.execle("/bin/true", "true", {}),
        )
        original = os._exit
        with no_exit(lambda error: None):
            for leave in exits:
                with self.assertRaisesRegex(ProcessEnded, "would have ended the whole run"):
                    leave()
            pid = os.fork()
            if pid == 0:
                os._exit(7)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 7)
        self.assertIs(os._exit, original)

    def test_a_thread_that_would_end_the_run_is_its_tests_error(self) -> None:
        class Inner(unittest.TestCase):
            def test_thread(self) -> None:
                with mock.patch("threading.excepthook"):
                    thread = threading.Thread(target=os._exit, args=(0,))
                    thread.start()
                    thread.join()

            def test_other(self) -> None: ...

        ran = run_classes(Inner)
        self.assertEqual(ran.outcomes, {"test_thread": "errored", "test_other": "passed"})
        (failure,) = ran.finished["test_thread"].failures
        self.assertEqual(failure.type, "ProcessEnded")
