"""What is told of tests that a worker's death has hit."""

from __future__ import annotations

import time

from ..events import Failure, FixtureFailed, Outcome, TestFinished, TestInfo
from .process import WorkerProcess


class Loss:
    """The death of a worker: who died, how, of what; with all that it has left."""

    def __init__(self, worker: WorkerProcess, how: str, running: TestInfo | None) -> None:
        self.worker = worker
        self.reason = worker.ended_because or how
        self.stdout, self.stderr = worker.last_output()
        self._stacks = worker.stacks()
        self._running = running
        self._lasted = time.monotonic() - worker.since
        owner = worker.unit.owner if worker.unit else ""
        self.what = running.id if running else owner
        place = self.what if running or not worker.unit else f"the fixtures of {owner}"
        self.message = f"worker {worker.number} {self.reason}"
        if place:
            self.message += f" while running {place}"
        self.message += worker.last_requests()

    def verdict(self) -> TestFinished:
        """Return the verdict of the test that was running."""
        assert self._running is not None
        return TestFinished(
            self._running,
            Outcome.ERRORED,
            time.time() - self._lasted,
            self._lasted,
            failures=(self._failure(self.message),),
            stdout=self.stdout,
            stderr=self.stderr,
            worker=self.worker.number,
        )

    def verdict_of_other(self, info: TestInfo, message: str) -> TestFinished:
        """Return the verdict of a test of the same unit that no worker will run."""
        return TestFinished(
            info,
            Outcome.ERRORED,
            time.time(),
            0.0,
            failures=(self._failure(message),),
            worker=self.worker.number,
        )

    def tear_down(self) -> FixtureFailed:
        """All tests of the unit have their verdicts: it was of a tear-down that it died."""
        assert self.worker.unit is not None
        owner = self.worker.unit.owner
        return FixtureFailed(
            "tearDownClass",
            owner,
            self._failure(self.message, fixture=f"tearDownClass ({owner})"),
            self.worker.stage,
            False,
            self.stdout,
            self.stderr,
            self.worker.number,
        )

    def _failure(self, message: str, fixture: str = "") -> Failure:
        type_name = self.worker.error_type
        stacks = f"\n{self._stacks}" if self._stacks else ""
        text = f"{type_name}: {message}\n{stacks}"
        return Failure(True, type_name, message, text, fixture=fixture)
