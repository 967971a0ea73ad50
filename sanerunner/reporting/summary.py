"""What a run came to: the event stream, added up."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from ..events import Event, FixtureFailed, Outcome, RunFinished, RunStarted, TestFinished


class Duration(NamedTuple):
    """How long one test took, in seconds. ``name`` is what unittest's verbose output shows."""

    id: str
    seconds: float
    name: str


class Leaks(NamedTuple):
    """What one test left changed, a line for each thing."""

    id: str
    name: str
    lines: tuple[str, ...]


class _Timing(NamedTuple):
    """A test's duration in the order of the heap: of two equally long, the first is slower."""

    seconds: float
    order: int  # counts down from 0
    duration: Duration


def _counters() -> dict[str, Counter[Outcome]]:
    return defaultdict(Counter)


@dataclass(kw_only=True)
class Summary:
    """Adds up the events of one run; plugins get it in their ``report`` hook.

    A passed test leaves nothing behind but counts; of a bad or flaky one the event is
    kept. Subscribe it before any reporter that reads it. ``keep_durations`` is how many of the
    slowest tests' durations to keep: None for none, 0 for all.
    """

    WANTED: ClassVar[tuple[type[Event], ...]] = (
        RunStarted,
        TestFinished,
        FixtureFailed,
        RunFinished,
    )

    keep_durations: int | None = None

    started: RunStarted | None = field(default=None, init=False)
    finished: RunFinished | None = field(default=None, init=False)
    counts: Counter[Outcome] = field(default_factory=Counter, init=False)
    by_stage: dict[str, Counter[Outcome]] = field(default_factory=_counters, init=False)
    by_kind: dict[str, Counter[Outcome]] = field(default_factory=_counters, init=False)
    #: The tests whose verdict makes the run fail, in the order they ended.
    bad: list[TestFinished] = field(default_factory=list, init=False)
    #: The tests that passed after they had failed, in the order they ended.
    flaky: list[TestFinished] = field(default_factory=list, init=False)
    fixture_failures: list[FixtureFailed] = field(default_factory=list, init=False)
    #: Why tests were not run, and how many for each reason.
    not_run_reasons: Counter[str] = field(default_factory=Counter, init=False)

    #: With ``--detect-leaks``: what tests left changed.
    leaks: list[Leaks] = field(default_factory=list, init=False)

    _timings: list[_Timing] = field(default_factory=list, init=False, repr=False)
    _fixtures_in_verdicts: set[str] = field(default_factory=set, init=False, repr=False)

    def handle_event(self, event: Event) -> None:
        if isinstance(event, TestFinished):
            self._add_test(event)
        elif isinstance(event, FixtureFailed):
            self.fixture_failures.append(event)
        elif isinstance(event, RunStarted):
            self.started = event
        elif isinstance(event, RunFinished):
            self.finished = event

    def _add_test(self, event: TestFinished) -> None:
        outcome, test = event.outcome, event.test
        self.counts[outcome] += 1
        self.by_stage[test.stage][outcome] += 1
        self.by_kind[test.kind][outcome] += 1
        if outcome is Outcome.NOT_RUN:
            self.not_run_reasons[event.reason.removeprefix("not run: ")] += 1
            return
        if event.leaks:
            self.leaks.append(Leaks(test.id, test.name or test.id, event.leaks))
        if outcome.is_bad:
            self.bad.append(event)
            self._fixtures_in_verdicts.update(
                failure.fixture for failure in event.failures if failure.fixture
            )
        if event.flaky:
            self.flaky.append(event)
        if self.keep_durations is not None:
            self._add_duration(event, self.keep_durations)

    def _add_duration(self, event: TestFinished, keep: int) -> None:
        test = event.test
        duration = Duration(test.id, event.duration, test.name or test.id)
        timing = _Timing(event.duration, -self.tests_run, duration)
        if keep == 0 or len(self._timings) < keep:
            heapq.heappush(self._timings, timing)
        else:
            heapq.heappushpop(self._timings, timing)

    @property
    def durations(self) -> list[Duration]:
        """The durations kept, slowest first."""
        return [timing.duration for timing in sorted(self._timings, reverse=True)]

    @property
    def verdicts(self) -> int:
        """How many tests have a verdict, whichever it is."""
        return self.counts.total()

    @property
    def tests_run(self) -> int:
        """How many tests have a verdict other than *not run*."""
        return self.verdicts - self.not_run

    @property
    def without_verdict(self) -> int:
        """How many of the tests that the run began with never got a verdict.

        Anything but 0 at the end means that the run was cut short without saying so.
        """
        return max(0, self.started.total - self.verdicts) if self.started else 0

    @property
    def failures(self) -> int:
        return self.counts[Outcome.FAILED]

    @property
    def errors(self) -> int:
        """Tests that errored, and failed fixtures that no test's verdict shows.

        Those are tear-downs, whose tests' verdicts stand.
        """
        unseen = [
            event
            for event in self.fixture_failures
            if fixture_name(event) not in self._fixtures_in_verdicts
        ]
        return self.counts[Outcome.ERRORED] + len(unseen)

    @property
    def skipped(self) -> int:
        return self.counts[Outcome.SKIPPED]

    @property
    def expected_failures(self) -> int:
        return self.counts[Outcome.EXPECTED_FAILURE]

    @property
    def unexpected_successes(self) -> int:
        return self.counts[Outcome.UNEXPECTED_SUCCESS]

    @property
    def not_run(self) -> int:
        return self.counts[Outcome.NOT_RUN]

    @property
    def stopped_by(self) -> str:
        """Why tests were left out, as the run's last event says; "" if none were."""
        return self.finished.stopped_by if self.finished else ""

    @property
    def successful(self) -> bool:
        """Whether the run ended, nothing failed, and every test that was to run did. Flaky tests
        count only with ``--fail-on-flaky``.
        """
        return (
            self.finished is not None
            and self.finished.successful
            and not self.stopped_by
            and not self.bad
            and not self.fixture_failures
            and not self.not_run
            and not self.without_verdict
        )


def fixture_name(event: FixtureFailed) -> str:
    """Return what the failures of the tests that it kept from running call the fixture."""
    return event.failure.fixture or f"{event.fixture} ({event.owner})"
