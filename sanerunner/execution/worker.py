"""A worker: a process that runs the units that the coordinator sends it.

It runs them as the serial executor does, and sends the events. What happens to it is the
coordinator's affair: it does not guard itself.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from ..collection.stages import PlannedTest
from ..events import Event, TestFinished
from ..exceptions import WorkerError
from ..plugins import PluginManager, tear_down
from ..servers.journal import JOURNAL
from .channel import Channel, ChannelClosed
from .outputfiles import FileCapture
from .protocol import EventCodec, Message
from .results import EventResult
from .sql import QueryLog
from .suite import FixtureSuite


@dataclass(frozen=True)
class WorkerFiles:
    """Where a worker leaves what may be needed when it is dead."""

    stdout: Path
    stderr: Path
    stacks: Path  # faulthandler's dump
    requests: Path  # that the live server was answering


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker is told at its start; plain values."""

    number: int
    files: WorkerFiles
    output_limit: int
    failfast: bool = False
    tb_locals: bool = False
    debug_sql: bool = False


class Databases(Protocol):
    """A worker's own databases."""

    def serve(self, request: Callable[[str], None], used: Callable[[str], None]) -> None:
        """From now on ``request(alias)`` for a database that is opened and not there, and tell
        ``used(alias)`` when one is used that the stage does not declare.
        """

    def adopt(self, databases: Mapping[str, Any], declared: Sequence[str] | None) -> None:
        """Use these from now on; ``declared`` are the aliases of the stage that begins."""

    def close(self) -> None:
        """Close all connections; the databases are about to be dropped."""


@dataclass(frozen=True)
class Parts:
    """What a worker works with; the tests are those of the whole plan, in its order."""

    tests: Sequence[PlannedTest]
    plugins: PluginManager
    databases: Databases


class Worker:
    """Serves the coordinator at the other end of ``channel`` until it says "exit"."""

    def __init__(
        self,
        options: WorkerOptions,
        channel: Channel,
        parts: Parts,
        capture: FileCapture,
    ) -> None:
        self._options = options
        self._channel = channel
        self._tests = parts.tests
        self._plugins = parts.plugins
        self._databases = parts.databases
        self._codec = EventCodec([planned.info for planned in parts.tests])
        self._receiving = threading.RLock()
        self._held: list[Message] = []
        self._kept: deque[Message] = deque()  # what came while a database was waited for
        self._result = _WorkerResult(
            emit=self._emit,
            capture=capture,
            queries=QueryLog() if options.debug_sql else None,
            worker=options.number,
        )
        self._result.on_output = self._hand_on
        self._result.failfast = options.failfast
        self._result.tb_locals = options.tb_locals

    def serve(self) -> None:
        number = self._options.number
        self._databases.serve(self._request, lambda alias: self._channel.send(("used", alias)))
        teardowns = self._plugins.set_up("worker", worker=number)
        try:
            self._channel.send(("ready", os.getpid()))
            while (message := self._next())[0] != "exit":
                self._obey(message)
        finally:
            try:
                tear_down(teardowns, worker=number)
            finally:
                self._databases.close()

    def _next(self) -> Message:
        with self._receiving:
            return self._kept.popleft() if self._kept else self._channel.receive()

    def _obey(self, message: Message) -> None:
        name, *arguments = message
        if name == "run":
            self._run(*arguments)
        elif name == "databases":
            self._databases.adopt(*arguments)
        # "stop" has come too late: the unit has ended.

    def _run(self, stage: str, places: Sequence[int]) -> None:
        self._result.begin_stage(stage)
        self._result.shouldStop = False  # "stop" was for the unit before
        try:
            FixtureSuite(self._plugins).run_planned(self._until_told(places), self._result)
        except KeyboardInterrupt:
            self._result.interrupt()
            self._channel.send(("interrupted",))
        self._flush()
        self._result.hand_on_output()
        self._channel.send(("done",))

    def _until_told(self, places: Sequence[int]) -> Iterator[PlannedTest]:
        """The tests, one by one, until the coordinator says "stop"."""
        for place in places:
            with self._receiving:
                if self._channel.has_message():
                    self._kept.append(self._channel.receive())
            if any(message[0] == "stop" for message in self._kept):
                self._result.stop()
                break
            yield self._tests[place]
        self._flush()  # fixtures come next, which may be the end of this process

    def _emit(self, event: Event) -> None:
        """Send an event. A verdict is sent with the start of the next test of the unit: between
        them nothing runs that could end the process.
        """
        message = ("event", self._codec.encode(event))
        if isinstance(event, TestFinished) and not self._held:
            self._held.append(message)
        else:
            self._channel.send(*self._held, message)
            self._held.clear()

    def _hand_on(self, stdout: str, stderr: str) -> None:
        self._flush()
        self._channel.send(("output", stdout, stderr))

    def _flush(self) -> None:
        if self._held:
            self._channel.send(*self._held)
            self._held.clear()

    def _request(self, alias: str) -> None:
        """Wait for a database that a test, in any thread, opens without having declared it."""
        with self._receiving:
            self._channel.send(("request", alias))
            while (message := self._channel.receive())[0] != "databases":
                self._kept.append(message)
            self._databases.adopt(*message[1:])


class _WorkerResult(EventResult):
    """Hands on what was printed between tests, which belongs to none."""

    on_output: Callable[[str, str], None]
    _unit_begins = False

    def begin_stage(self, stage: str) -> None:
        super().begin_stage(stage)
        self._unit_begins = True

    def begin(self, planned: PlannedTest) -> None:
        if self._unit_begins:  # later on nothing runs between tests
            self._unit_begins = False
            self.hand_on_output()
        super().begin(planned)

    def hand_on_output(self) -> None:
        stdout, stderr = self._capture.take()
        if stdout or stderr:
            self.on_output(stdout, stderr)


def run_worker(
    options: WorkerOptions,
    channel: Channel,
    make: Callable[[], Parts],
) -> None:
    """Be a worker: what this process prints goes to files, and Ctrl-C is not its affair."""
    capture = FileCapture(options.files.stdout, options.files.stderr, limit=options.output_limit)
    stacks: IO[str] = options.files.stacks.open("a", encoding="utf-8")  # open to the end
    faulthandler.enable(stacks)
    JOURNAL.write_to(options.files.requests)
    signal.signal(signal.SIGINT, _leave_to_the_coordinator)
    try:
        parts = make()
        capture.take()  # the run has printed the same
        Worker(options, channel, parts, capture).serve()
        channel.send(("bye",))
    except ChannelClosed:  # the coordinator is dead
        os._exit(1)
    except WorkerError as error:
        channel.send(("failed", str(error)))
    except BaseException:
        channel.send(("failed", traceback.format_exc()))


def _leave_to_the_coordinator(signal_number: int, frame: Any) -> None:
    """Do nothing: a terminal sends Ctrl-C to the workers as well."""
