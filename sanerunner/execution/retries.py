"""Which failed tests run again, and when a run has had enough of failures."""

from __future__ import annotations

import unittest
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..collection.kinds import is_failed_import
from ..collection.stages import PlannedTest
from ..events import (
    Attempt,
    Event,
    FixtureFailed,
    Outcome,
    TestFinished,
    TestInfo,
    TestRetried,
)
from ..exceptions import RewindError
from .units import asked, retries_of

# After these no test is to run any more.
_ENDS = frozenset({"KeyboardInterrupt", RewindError.__name__})


class Retries:
    """Stands between those who run tests and the bus, and decides which failure is a verdict.

    A test that has attempts left is not finished when it fails: TestRetried is emitted, and the
    test is ``due``. ``retries`` is how often tests run again that do not say so themselves; with
    None no test does, whatever it says. A failed set-up is told when a test ends with its
    failure. ``wanted`` may refuse another attempt. ``max_failures`` final failures end the run,
    one with ``failfast``; 0 is no limit.
    Raises UsageError for an attribute ``sane_retries`` that cannot be obeyed.
    """

    def __init__(
        self,
        tests: Iterable[PlannedTest],
        *,
        emit: Callable[[Event], None],
        retries: int | None = 0,
        max_failures: int = 0,
        failfast: bool = False,
        wanted: Callable[[TestFinished], bool] = lambda event: True,
    ) -> None:
        self._emit = emit
        self._wanted = wanted
        self._failfast = failfast
        self._limit = 1 if failfast else max_failures
        self._failures = 0
        self._left: dict[str, int] = {}  # how often a test may still run again
        self._planned: dict[str, PlannedTest] = {}
        #: The ids of tests that were to be retried and cannot be made anew.
        self.unusual: list[str] = []
        if retries is not None:
            for planned, own in asked(tests, retries_of):
                self._allow(planned, retries if own is None else own)
        self._failed: dict[str, tuple[TestInfo, list[Attempt]]] = {}  # those without a verdict
        self._due: defaultdict[int, list[PlannedTest]] = defaultdict(list)  # by worker
        self._set_ups: dict[tuple[int, str], FixtureFailed] = {}  # held back, by worker and name
        self._unseen: set[tuple[int, str]] = set()  # those of which no test has told
        self.stopped_by = ""
        #: Called when the limit is reached.
        self.on_stop: Callable[[], None] = lambda: None
        #: Called after each failure that is final.
        self.on_failure: Callable[[], None] = lambda: None

    @property
    def active(self) -> bool:
        """Whether any test may run again."""
        return bool(self._planned)

    def _allow(self, planned: PlannedTest, allowed: int) -> None:
        assert planned.test is not None
        if not allowed or is_failed_import(planned.test):
            return
        if planned.info.id == planned.test.id() and can_be_made_anew(planned.test):
            self._left[planned.info.id] = allowed
            self._planned[planned.info.id] = planned
        else:
            self.unusual.append(planned.info.id)

    def take(self, event: Event, *, final: bool = False) -> None:
        """Pass ``event`` on as it is, or as what it is in truth; ``final`` allows no retry."""
        if isinstance(event, TestFinished):
            if event.outcome.is_bad or self._failed:
                self._judge(event, final)
            else:
                self._emit(event)
        elif isinstance(event, FixtureFailed):
            self._take_fixture(event)
        else:
            self._emit(event)

    def due(self, worker: int) -> list[PlannedTest]:
        """Return the tests that ``worker`` has seen fail and that are to run again; once."""
        due = self._due.pop(worker, [])
        return [] if self.stopped_by else due

    def settle(self, stage: str) -> None:
        """The stage is over: what still waits for an attempt ends with the failure it had."""
        self._due.clear()
        for info, _ in list(self._failed.values()):
            if info.stage == stage:
                self._settle(info)
        for key in sorted(self._unseen):
            self._emit_set_up(key)

    def _judge(self, event: TestFinished, final: bool) -> None:
        bad = event.outcome.is_bad
        if bad and not final and self._runs_again(event):
            self._retry(event)
            return
        info, earlier = self._failed.get(event.test.id, (event.test, []))
        if earlier and event.outcome is Outcome.SKIPPED:  # which proves nothing
            self._settle(info, reason=f"attempt {len(earlier) + 1} was skipped: {event.reason}")
            return
        if earlier:
            event = replace(event, attempt=len(earlier) + 1, earlier=tuple(earlier))
        self._finish(event)

    def _runs_again(self, event: TestFinished) -> bool:
        left = self._left.get(event.test.id, 0)
        if not left or self.stopped_by or any(one.type in _ENDS for one in event.failures):
            return False
        wanted = self._wanted(event)
        self._left[event.test.id] = left - 1 if wanted else 0
        return wanted

    def _retry(self, event: TestFinished) -> None:
        attempt = Attempt(
            event.outcome,
            event.started_at,
            event.duration,
            event.failures,
            event.stdout,
            event.stderr,
            event.sql,
            event.worker,
            event.leaks,
            event.attachments,
        )
        for key in _set_ups_of(event):
            if key in self._unseen:  # the first test that tells of it has its output
                self._unseen.remove(key)
                set_up = self._set_ups[key]
                attempt = replace(attempt, stdout=set_up.stdout, stderr=set_up.stderr)
        _, attempts = self._failed.setdefault(event.test.id, (event.test, []))
        attempts.append(attempt)
        self._due[event.worker].append(self._planned[event.test.id])
        self._emit(TestRetried(event.test, len(attempts), attempt))

    def _settle(self, info: TestInfo, reason: str = "") -> None:
        """Make the last attempt of a test its verdict."""
        *earlier, last = self._failed[info.id][1]
        self._finish(
            TestFinished(
                info,
                last.outcome,
                last.started_at,
                last.duration,
                reason,
                last.failures,
                last.stdout,
                last.stderr,
                last.sql,
                last.worker,
                last.leaks,
                len(earlier) + 1,
                tuple(earlier),
                last.attachments,
            )
        )

    def _finish(self, event: TestFinished) -> None:
        self._failed.pop(event.test.id, None)
        for key in _set_ups_of(event):
            self._emit_set_up(key)
        self._emit(event)
        if event.outcome.is_bad:
            self._count_failure()

    def _take_fixture(self, event: FixtureFailed) -> None:
        if event.before_tests and self.active and not self.stopped_by:
            key = (event.worker, event.failure.fixture)
            self._set_ups[key] = event
            self._unseen.add(key)
            return
        self._emit(event)
        if self._failfast or not event.before_tests:  # else its tests count
            self._count_failure()

    def _emit_set_up(self, key: tuple[int, str]) -> None:
        self._unseen.discard(key)
        event = self._set_ups.pop(key, None)
        if event is not None:
            self._emit(event)

    def _count_failure(self) -> None:
        self._failures += 1
        self.on_failure()
        if self._failures == self._limit:
            name = "--failfast" if self._failfast else f"--max-failures={self._limit}"
            self.stopped_by = name
            self.on_stop()


def _set_ups_of(event: TestFinished) -> list[tuple[int, str]]:
    return [(event.worker, failure.fixture) for failure in event.failures if failure.fixture]


def can_be_made_anew(test: unittest.TestCase) -> bool:
    """Whether the test's class makes an equal one of the method's name alone.

    Not so with doctests, and with tests that ``load_tests`` has given parameters.
    """
    try:
        return bool(vars(type(test)(test._testMethodName)) == vars(test))
    except Exception:
        # The constructor, or the comparison of what it has made, is the project's.
        return False
