"""Ctrl-C: the tests that are running may end, for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .process import WorkerProcess

GRACE_SECONDS = 5.0  # for the running tests after the first Ctrl-C
INTERRUPTED = ("was interrupted", "KeyboardInterrupt")


class Interruption:
    """Calls ``stop()`` when the user has asked for an end, and kills workers that do not come to
    theirs.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._asked = False
        self._grace_ends: float | None = None
        self._killed = False

    def ask(self) -> None:
        """The user wants an end; for signal handlers."""
        self._asked = True

    def next(self, deadline: float | None) -> float | None:
        """Return when to look again, by the monotonic clock: at ``deadline`` or before."""
        if self._grace_ends is None or self._killed:
            return deadline
        return min(self._grace_ends, deadline or self._grace_ends)

    def look(self, workers: Iterable[WorkerProcess], now: float) -> None:
        if self._asked and self._grace_ends is None:
            self._grace_ends = now + GRACE_SECONDS
            self._stop()
        if self._grace_ends is not None and now >= self._grace_ends and not self._killed:
            self._killed = True
            for worker in workers:
                worker.kill(*INTERRUPTED)
