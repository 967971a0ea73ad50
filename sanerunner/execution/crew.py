"""The worker processes of a run: started, listened to, buried."""

from __future__ import annotations

import os
import selectors
import shutil
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from pathlib import Path

from .channel import Channel
from .process import Launch, WorkerProcess
from .protocol import Message
from .worker import WorkerFiles, WorkerOptions

DYING_SECONDS = 0.5  # for a process that says nothing any more


class Crew:
    """Waits for whatever a worker says or does.

    ``said(worker, message)`` is called for each message, ``ended(worker, how)`` when a process
    has ended and all that it said was told.
    """

    def __init__(
        self,
        *,
        launch: Launch,
        options: Callable[[int, WorkerFiles], WorkerOptions],
        said: Callable[[WorkerProcess, Message], None],
        ended: Callable[[WorkerProcess, str], None],
    ) -> None:
        self._launch = launch
        self._options = options
        self._said = said
        self._ended = ended
        self._workers: dict[int, WorkerProcess] = {}
        self._started = 0

    def __iter__(self) -> Iterator[WorkerProcess]:
        return iter(list(self._workers.values()))

    def __contains__(self, number: int) -> bool:
        return number in self._workers

    def __bool__(self) -> bool:
        return bool(self._workers)

    def open(self) -> None:
        # Not a TemporaryDirectory: what a test forks might remove it, at its end.
        self._folder = Path(tempfile.mkdtemp(prefix="sanerunner-"))
        self._selector = selectors.DefaultSelector()
        self._wake_up, self._waker = os.pipe()
        for fd in (self._wake_up, self._waker):
            os.set_blocking(fd, False)
        self._selector.register(
            self._wake_up, selectors.EVENT_READ, lambda: os.read(self._wake_up, 100)
        )

    def close(self) -> None:
        """Kill what still runs, and remove what was written."""
        for worker in self:
            worker.kill()
            self._forget(worker)
        self._selector.close()
        os.close(self._wake_up)
        os.close(self._waker)
        shutil.rmtree(self._folder)

    def start(self, number: int) -> None:
        """Start a worker, which says "ready" when it is."""
        self._started += 1
        names = ("out", "err", "stacks", "requests")
        files = [self._folder / f"{self._started}.{name}" for name in names]
        for path in files:
            path.touch(mode=0o600)
        options = self._options(number, WorkerFiles(*files))
        ours, theirs = Pipe()
        channel = Channel(ours)
        try:
            process = self._launch(options, theirs, [*(each.channel for each in self), channel])
        finally:
            theirs.close()
        worker = WorkerProcess(options, channel, process)
        self._workers[number] = worker
        self.listen(channel.fileno(), lambda: self._heard(worker))
        self.listen(worker.death_fd, lambda: self._died(worker))

    def wait(self, seconds: float | None) -> None:
        """Wait until something happens, but no longer than this; None is for ever."""
        for key, _ in self._selector.select(seconds):
            key.data()

    def wake(self) -> None:
        """End a ``wait()``; for signal handlers."""
        os.write(self._waker, b"!")

    def listen(self, fd: int, callback: Callable[[], None]) -> None:
        """In ``wait()``, call back when there is something to read."""
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def ignore(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def _heard(self, worker: WorkerProcess) -> None:
        self._listen_to(worker)
        if worker.channel.closed and self._workers.get(worker.number) is worker:
            self.ignore(worker.channel.fileno())
            if not worker.dies_within(DYING_SECONDS):
                worker.kill("has closed its connection to the run")  # as os.exec…() does

    def _listen_to(self, worker: WorkerProcess) -> None:
        for message in worker.channel.available():
            self._said(worker, message)

    def _died(self, worker: WorkerProcess) -> None:
        if self._workers.get(worker.number) is worker:
            self._listen_to(worker)
            self._ended(worker, self._forget(worker))

    def _forget(self, worker: WorkerProcess) -> str:
        del self._workers[worker.number]
        self.ignore(worker.channel.fileno())
        self.ignore(worker.death_fd)
        return worker.bury()
