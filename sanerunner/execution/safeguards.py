"""What keeps a test from ending, or from holding up, a run in this very process.

Worker processes need none of it: they are watched from outside.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..events import Event, TestFinished, TestInfo, TestSlow, TestStarted
from ..servers.journal import JOURNAL

SLOW_SECONDS = 60.0  # told of after this time, after twice, after four times
AGAIN_SECONDS = 5.0  # after which a test that has caught its TestTimeout gets another
HOPELESS_SECONDS = 30.0  # after which the process is ended: it is not Python that hangs


class ProcessEnded(SystemExit):
    """A test has called ``os._exit()``, or one of the ``os.exec…`` functions."""

    __module__ = "builtins"  # tracebacks name it as they name SystemExit


class TestTimeout(BaseException):
    """A test has no time left. Not an Exception, so that tests do not catch it unawares."""

    __test__ = False
    __module__ = "builtins"


# What else than an Exception a fixture may raise without ending the run.
ENDINGS = (SystemExit, TestTimeout)

_EXITS = ("_exit", "execv", "execve")  # the other exec… functions call these


@contextmanager
def no_exit(on_thread: Callable[[BaseException], None]) -> Iterator[None]:
    """Have ``os._exit()`` and ``os.exec…()`` raise ProcessEnded in this process.

    Processes that a test forks may end as they like. In another thread than the main one the
    exception ends that thread only; ``on_thread`` is told of it.
    """
    pid = os.getpid()
    originals = {name: getattr(os, name) for name in _EXITS}

    def replaced(name: str) -> Callable[..., Any]:
        def end(*args: Any) -> Any:
            if os.getpid() != pid:
                return originals[name](*args)
            given = ", ".join(map(repr, args[:1]))
            error = ProcessEnded(f"os.{name}({given}) would have ended the whole run")
            if threading.current_thread() is not threading.main_thread():
                on_thread(error)
            raise error

        return end

    for name in originals:
        setattr(os, name, replaced(name))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


class Alarm:
    """Interrupts the test of this process that runs too long, by SIGALRM; tells of slow ones.

    ``timeout`` is in seconds, for tests that are not in ``timeouts`` (by id) and for fixtures;
    None for none. A test that Python cannot interrupt, because it waits outside of Python, ends
    the process; the stacks of all threads are on stderr then.
    """

    def __init__(
        self,
        *,
        timeout: float | None,
        timeouts: Mapping[str, float],
        emit: Callable[[Event], None],
    ) -> None:
        #: Returns the test that runs, and when it began by the monotonic clock.
        self.running: Callable[[], tuple[TestInfo, float] | None] = lambda: None
        self._timeout = timeout
        self._timeouts = timeouts
        self._emit = emit
        self._limited = timeout is not None or bool(timeouts)
        self._limit: float | None = None
        self._since = 0.0
        self._slow: tuple[str, int] = ("", 0)  # the test that was told of, and how often
        self._before: Any = None
        self._pid = os.getpid()

    @property
    def emit(self) -> Callable[[Event], None]:
        """What is to emit the events of the tests: where there are limits, they are watched."""
        return self._watch if self._limited else self._emit

    def _watch(self, event: Event) -> None:
        if isinstance(event, TestFinished):
            self._begin(None)
        self._emit(event)
        if isinstance(event, TestStarted):
            self._begin(event.test)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Watch the tests of this block; only where there are such signals, in the main thread."""
        usable = hasattr(signal, "SIGALRM") and (
            threading.current_thread() is threading.main_thread()
        )
        if not usable:
            yield
            return
        self._before = signal.signal(signal.SIGALRM, self._ring)
        self._begin(None)
        if not self._limited:
            signal.setitimer(signal.ITIMER_REAL, SLOW_SECONDS, SLOW_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self._limited:
                faulthandler.cancel_dump_traceback_later()
            signal.signal(signal.SIGALRM, self._before)

    def _begin(self, test: TestInfo | None) -> None:
        if not self._limited:
            return
        self._since = time.monotonic()
        limit = self._timeout if test is None else self._timeouts.get(test.id, self._timeout)
        self._limit = limit
        if limit is None:
            signal.setitimer(signal.ITIMER_REAL, SLOW_SECONDS, SLOW_SECONDS)
            faulthandler.cancel_dump_traceback_later()
        else:
            signal.setitimer(signal.ITIMER_REAL, min(limit, SLOW_SECONDS), AGAIN_SECONDS)
            # Not sys.stderr, which is a capture's.
            faulthandler.dump_traceback_later(
                limit + HOPELESS_SECONDS, exit=True, file=sys.__stderr__ or 2
            )

    def _ring(self, signal_number: int, frame: Any) -> None:
        if os.getpid() != self._pid:
            return
        now = time.monotonic()
        running = self.running()
        if self._limit is not None and now - self._since >= self._limit:
            what = running[0].id if running else "what is around the tests"
            raise TestTimeout(
                f"{what} ran longer than {self._limit:g} s{JOURNAL.describe()}\n\n{stacks()}"
            )
        if running is not None:
            self._tell_if_slow(running[0], now - running[1])

    def _tell_if_slow(self, test: TestInfo, ran: float) -> None:
        notices = self._slow[1] if self._slow[0] == test.id else 0
        if ran >= SLOW_SECONDS * float(2**notices) * 0.99:  # the clocks differ a little
            self._slow = (test.id, notices + 1)
            self._emit(TestSlow(test, ran))


def stacks() -> str:
    """Return the stacks of all threads, as faulthandler writes them."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read()
