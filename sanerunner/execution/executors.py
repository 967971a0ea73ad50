"""Who runs the tests of a stage: the protocol, and the serial executor."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from typing import Protocol

from ..collection.stages import PlannedStage
from ..events import Event, WorkerStarted
from ..plugins import PluginManager, tear_down
from .capture import OutputCapture
from .results import EventResult
from .retries import Retries
from .safeguards import Alarm, no_exit
from .suite import FixtureSuite


class Executor(Protocol):
    """Runs stages; every event of its tests goes to the bus."""

    def start(self) -> None:
        """Get ready; called once, before the first stage."""

    def run_stage(self, stage: PlannedStage) -> None:
        """Run the tests of ``stage`` until all have a verdict or it is told to stop.

        Tests without a verdict on return were left out. Raises KeyboardInterrupt when the user
        insists on stopping, with a verdict for the test that was running.
        """

    def finish(self) -> None:
        """End what runs tests; called once, after the last stage. No event comes later."""

    def release(self) -> None:
        """Release what ``start`` took, and wait for what cannot be ended; called once, when the
        reports are complete.
        """

    @property
    def stopped_by(self) -> str:
        """Why no test is to run any more: an error, a database in an unknown state say, or the
        limit of failures; else "".
        """

    @property
    def should_stop(self) -> bool:
        """Whether no further test is to begin (``--failfast``, Ctrl-C, ``stopped_by``)."""


class SerialExecutor:
    """Runs the tests one after the other in this process, as worker 0."""

    def __init__(
        self,
        *,
        emit: Callable[[Event], None],
        plugins: PluginManager,
        result: EventResult,
        capture: OutputCapture,
        retries: Retries,
        capturing: bool = True,
        alarm: Alarm | None = None,
    ) -> None:
        self._emit = emit
        self._plugins = plugins
        self._result = result
        self._capture = capture
        self._retries = retries
        self._capturing = capturing
        retries.on_stop = result.stop
        self._alarm = alarm
        self._teardowns: list[Callable[..., None]] = []

    def start(self) -> None:
        self._emit(WorkerStarted(worker=0, pid=os.getpid()))
        self._teardowns = self._plugins.set_up("worker", worker=0)

    def run_stage(self, stage: PlannedStage) -> None:
        if self._capturing:
            self._capture.start()
        try:
            self._result.begin_stage(stage.name)
            with no_exit(self._result.blame), self._alarm.on() if self._alarm else nullcontext():
                FixtureSuite(self._plugins).run_planned(
                    stage.tests, self._result, lambda: self._retries.due(0)
                )
        except KeyboardInterrupt:
            self._result.interrupt()
            raise
        finally:
            self._capture.stop()
            self._retries.settle(stage.name)

    def finish(self) -> None:
        tear_down(self._teardowns, worker=0)

    def release(self) -> None:
        """Nothing is left."""

    @property
    def stopped_by(self) -> str:
        return self._result.stopped_by or self._retries.stopped_by

    @property
    def should_stop(self) -> bool:
        return self._result.shouldStop
