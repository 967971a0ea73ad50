"""What Ctrl-C and SIGTERM mean: before the server is ready, while it serves, and at the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interrupted(BaseException):
    """A signal has come before there was anything to stop. Not an Exception, so that code which
    catches these does not go on.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interruption:
    """Takes the signals that ask a process to end.

    First they raise Interrupted in the main thread; from ``serving()`` on a function is called;
    from ``ending()`` on they have no effect: shells, and npm, pass Ctrl-C on to a process
    that has had it already, and taking databases down must not be left half done.
    """

    def __init__(self) -> None:
        self._react: Callable[[int], object] = self._raise

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the signals while the block lasts. For the main thread."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            if before[number] != signal.SIG_IGN or number != getattr(signal, "SIGHUP", None):
                signal.signal(number, self._take)  # with nohup, SIGHUP stays ignored
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def serving(self, react: Callable[[int], object]) -> None:
        """From now on call ``react(number)``, in the main thread."""
        self._react = react

    def ending(self) -> None:
        self._react = lambda number: None

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._react(number)

    def _raise(self, number: int) -> None:
        self.ending()
        raise Interrupted(number)
