"""A worker as the coordinator sees it: a process that may die at any time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ..servers import journal
from .channel import Channel, ChannelClosed
from .outputfiles import read_output
from .protocol import Message
from .scheduling import Unit
from .worker import WorkerOptions

STACKS_LIMIT = 100_000  # bytes of faulthandler's dump

# Starts a process that serves the coordinator at the other end of the connection. The channels
# are the coordinator's ends, which a forked process must close.
Launch = Callable[[WorkerOptions, Connection, list[Channel]], BaseProcess]


class WorkerProcess:
    """One process, what it was given to do, and what is known of how far it has come."""

    def __init__(self, options: WorkerOptions, channel: Channel, process: BaseProcess) -> None:
        os.set_blocking(channel.fileno(), False)
        self.number = options.number
        self.channel = channel
        self._options = options
        self._process = process
        self._pidfd = _open_pidfd(process.pid)
        self.ready = False
        self.ending = False  # it was told to end
        self.databases: frozenset[str] = frozenset()  # the aliases of those that it has
        self.spoiled: set[str] = set()  # those that were used outside of any isolation
        self.stage = ""  # whose databases it was told of
        # What it does
        self.unit: Unit | None = None
        self.ahead = False  # the unit is of a stage that has not begun
        self.finished: set[int] = set()  # of the unit's tests
        self.running: int | None = None  # the test's place in the plan
        self.since = time.monotonic()  # when this test, or what is between tests, began
        self.slow_notices = 0
        # How it was ended by force
        self.ended_because = ""
        self.error_type = "WorkerLost"
        self.killed = False

    @property
    def death_fd(self) -> int:
        """Becomes readable when the process has ended.

        Its sentinel is a pipe that processes which the tests have forked may hold open; so
        where there is something better it is used.
        """
        return self._process.sentinel if self._pidfd is None else self._pidfd

    def send(self, message: Message) -> None:
        """Send a message; that the worker is dead is found out elsewhere."""
        try:
            self.channel.send(message)
        except ChannelClosed:
            return

    def run(self, unit: Unit, stage: str, *, ahead: bool = False) -> None:
        self.unit = unit
        self.ahead = ahead
        self.finished = set()
        self._now(None)
        self.send(("run", stage, list(unit.tests)))

    def begin(self, place: int) -> None:
        self._now(place)

    def end(self, place: int) -> None:
        self.finished.add(place)
        self._now(None)

    def idle(self) -> None:
        self.unit = None
        self.ahead = False
        self._now(None)

    def _now(self, running: int | None) -> None:
        self.running = running
        self.since = time.monotonic()
        self.slow_notices = 0

    def dismiss(self) -> None:
        """Have it tear down what it has, and end."""
        self.ending = True
        self.send(("exit",))

    def abort(self, because: str, error_type: str) -> None:
        """End the process; faulthandler dumps the stacks of all its threads before."""
        self.ended_because, self.error_type = because, error_type
        self._signal(signal.SIGABRT)

    def kill(self, because: str = "", error_type: str = "") -> None:
        self.ended_because = because or self.ended_because
        self.error_type = error_type or self.error_type
        self.killed = True
        self._signal(signal.SIGKILL)

    def dies_within(self, seconds: float) -> bool:
        """Wait for the end of the process, but no longer than this; return whether it came."""
        return bool(wait([self.death_fd], seconds))

    def _signal(self, number: int) -> None:
        if self._process.pid is not None and self._process.exitcode is None:
            try:
                os.kill(self._process.pid, number)
            except ProcessLookupError:  # it has just ended
                return

    def bury(self) -> str:
        """Wait for the end of a process that has died; return how it did."""
        self._process.join(10)
        code = self._process.exitcode
        self.channel.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
        if code is None or code >= 0:
            return f"died (exit status {'unknown' if code is None else code})"
        try:
            return f"died (signal {-code}, {signal.Signals(-code).name})"
        except ValueError:  # a real-time signal
            return f"died (signal {-code})"

    def last_output(self) -> tuple[str, str]:
        """Return what a dead worker printed last, to stdout and to stderr."""
        files, limit = self._options.files, self._options.output_limit
        return read_output(files.stdout, limit), read_output(files.stderr, limit)

    def last_requests(self) -> str:
        """Return which requests a dead worker was answering, as a clause; "" for none."""
        return journal.described(journal.read(self._options.files.requests))

    def stacks(self) -> str:
        """Return what faulthandler has dumped."""
        return read_output(self._options.files.stacks, STACKS_LIMIT)


def _open_pidfd(pid: int | None) -> int | None:
    """Linux: what becomes readable when the process ends, whoever its children are."""
    pidfd_open: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    if pidfd_open is None or pid is None:
        return None
    try:
        return pidfd_open(pid)
    except OSError:  # an old kernel, or the process is gone already
        return None
