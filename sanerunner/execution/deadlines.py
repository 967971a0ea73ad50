"""Tests that take too long."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..events import TestInfo, TestSlow
from .process import WorkerProcess
from .safeguards import SLOW_SECONDS

ABORT_SECONDS = 2.0  # for the dump of the stacks of a worker that is to end


class Deadlines:
    """Looks at the clock: tells of slow tests, ends workers whose test has no time left.

    ``timeout`` is in seconds, for tests that are not in ``timeouts`` (by place) and for the
    fixtures of a class; None for none.
    """

    def __init__(
        self,
        tests: Sequence[TestInfo],
        *,
        timeout: float | None,
        timeouts: Mapping[int, float],
        emit: Callable[[TestSlow], None],
    ) -> None:
        self._tests = tests
        self._timeout = timeout
        self._timeouts = timeouts
        self._emit = emit

    def next(self, workers: Iterable[WorkerProcess]) -> float | None:
        """Return when to look again, by the monotonic clock; None if nothing is to be seen."""
        times = [
            time
            for worker in workers
            if worker.unit is not None
            for time in (self._slow_at(worker), self._end_at(worker))
        ]
        earliest = min(times, default=math.inf)
        return None if earliest == math.inf else earliest

    def look(self, workers: Iterable[WorkerProcess], now: float) -> None:
        for worker in workers:
            if worker.unit is None:
                continue
            if now >= self._end_at(worker):
                self._end(worker)
            elif now >= self._slow_at(worker):
                worker.slow_notices += 1
                assert worker.running is not None
                test = self._tests[worker.running]
                self._emit(TestSlow(test, now - worker.since, worker.number))

    def _slow_at(self, worker: WorkerProcess) -> float:
        if worker.running is None:
            return math.inf
        return worker.since + SLOW_SECONDS * float(2**worker.slow_notices)

    def _limit(self, worker: WorkerProcess) -> float:
        default = math.inf if self._timeout is None else self._timeout
        return default if worker.running is None else self._timeouts.get(worker.running, default)

    def _end_at(self, worker: WorkerProcess) -> float:
        if worker.killed:
            return math.inf
        grace = ABORT_SECONDS if worker.ended_because else 0.0
        return worker.since + self._limit(worker) + grace

    def _end(self, worker: WorkerProcess) -> None:
        if worker.ended_because:
            worker.kill()
        else:
            limit = self._limit(worker)
            worker.abort(f"was ended after its {limit:g} s were over", "TestTimeout")
