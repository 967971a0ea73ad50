"""Runs the tests in worker processes, and survives whatever happens to them.

The coordinator is a loop over the workers' pipes and over what tells that a process has ended.
It waits for these and for the next deadline, and for nothing else.
"""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable

from ..collection.stages import Plan, PlannedStage
from ..events import Event, TestSlow, WorkerStarted
from ..exceptions import WorkerError
from .agenda import Agenda
from .background import Background
from .checking import CheckProcess
from .clones import CloneProvider, WorkerClones
from .crew import Crew
from .deadlines import Deadlines
from .intake import Intake
from .interruption import INTERRUPTED, Interruption
from .losses import Loss
from .process import Launch, WorkerProcess
from .protocol import Message
from .rescue import Rescue
from .retries import Retries
from .scheduling import Unit
from .staff import Staff
from .units import make_units, timeouts
from .worker import WorkerFiles, WorkerOptions

FINISH_SECONDS = 10.0  # for the tear-down of the workers


class ParallelExecutor:
    """``workers`` processes, each of which runs one unit at a time.

    ``launch`` starts a process, ``options(number, files)`` are what it is told. ``timeout`` is in
    seconds, for each test that does not say otherwise; None for no limit. ``show`` is handed
    what tests have printed. ``expected`` knows durations of earlier runs, ``may_split`` whether
    the tests of a class may run in several processes. ``background`` makes databases: until
    those of a stage are there its units that need some wait. While it is busy no process is
    forked, if ``forks`` says that workers are: the fork would inherit a half of what it does.
    ``checks`` run beside the first stage, which does not end before they do.

    With ``speculate`` idle workers begin the next stage while the last tests of one are running;
    what they do is told when that stage begins. They stop if it will not, as a test has failed
    and the run does not ``keep_going``. ``tells_starts``: emit that tests have begun.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        workers: int,
        retries: Retries,
        launch: Launch,
        options: Callable[[int, WorkerFiles], WorkerOptions],
        databases: CloneProvider,
        timeout: float | None = None,
        show: Callable[[str, str], None] = lambda stdout, stderr: None,
        expected: Callable[[str], float | None] = lambda test_id: None,
        may_split: Callable[[type], bool] = lambda test_class: True,
        background: Background | None = None,
        forks: bool = True,
        checks: CheckProcess | None = None,
        speculate: bool = False,
        keep_going: bool = False,
        tells_starts: bool = True,
    ) -> None:
        count = min(workers, plan.total)
        self._retries = retries
        self._emit: Callable[[Event], None] = retries.take
        self._databases = WorkerClones(databases)
        self._show = show
        self._background = background or Background()
        self._background.notify = self.look_again
        self._checks = checks
        self._error: BaseException | None = None  # of the checks
        tests = list(plan)
        self._infos = [planned.info for planned in tests]
        self._crew = Crew(launch=launch, options=options, said=self._take, ended=self._bury)
        places = {info.id: place for place, info in enumerate(self._infos)}
        limits: dict[int, float] = {}
        units: dict[str, list[Unit]] = {}
        for stage in plan.stages:
            limits.update(timeouts(stage, places))
            units[stage.name] = make_units(stage, places, expected=expected, may_split=may_split)
        self._deadlines = Deadlines(
            self._infos, timeout=timeout, timeouts=limits, emit=self._emit_slow
        )
        self._agenda = Agenda(
            units,
            workers=self._crew,
            count=count,
            is_ready=self._background.is_done,
            following=plan.stages if speculate and not retries.active else (),
            keep_going=keep_going,
        )
        retries.on_failure = self._agenda.note_failure
        self._staff = Staff(
            self._crew,
            self._agenda,
            self._databases,
            self._background,
            count=count,
            forks=forks,
        )
        self._rescue = Rescue(tests, agenda=self._agenda, retries=retries, show=show)
        self._finishing = False
        self._looks_again = False
        self.stopped_by = ""
        self._interruption = Interruption(self._stop)
        self._intake = Intake(
            self._infos,
            agenda=self._agenda,
            emit=retries.take,
            show=show,
            end_test=self._rescue.end_test,
            stop=self._stop,
            tells_starts=tells_starts,
        )
        retries.on_stop = lambda: self._stop(retries.stopped_by)

    @property
    def should_stop(self) -> bool:
        return self._agenda.closed

    def start(self) -> None:
        self._crew.open()
        unittest.registerResult(self)  # type: ignore[arg-type]  # only stop() is called
        self._staff.start_all()
        if self._checks is not None:
            self._checks.start()
            self._crew.listen(self._checks.fileno(), self._take_checks)
        self._background.advance()

    def run_stage(self, stage: PlannedStage) -> None:
        ahead = self._agenda.begin(stage)
        if ahead is None or ahead.stage is not stage:
            self._rescue.forget_units()
        try:
            if ahead is not None:
                self._agenda.catch_up(ahead)
            self._staff.refresh(stage)
            self._staff.go_on()
            while not self._agenda.schedule.exhausted or (
                self._checks and not self._agenda.closed
            ):
                self._wait()
        except BaseException as error:
            self._abandon(by_user=isinstance(error, KeyboardInterrupt))
            raise
        finally:
            self._retries.settle(stage.name)
        if self._error is not None:
            raise self._error
        if self._background.has_failed(stage.name) and not self._agenda.closed:
            self._background.wait(stage.name)  # raises the error

    def finish(self) -> None:
        """Let the workers tear down what they have; kill those that do not come to an end."""
        self._finishing = True
        self._agenda.drop_ahead()
        deadline = time.monotonic() + FINISH_SECONDS
        try:
            for worker in self._crew:
                worker.dismiss()
            while self._crew and (left := deadline - time.monotonic()) > 0:
                self._crew.wait(left)
        finally:
            if self._checks is not None:
                self._checks.end()
            unittest.removeResult(self)  # type: ignore[arg-type]
            self._background.mute()
            self._crew.close()

    def release(self) -> None:
        """Wait for databases that are being made for a stage which did not run; drop all."""
        try:
            self._background.close()
        finally:
            self._databases.drop_all()

    def stop(self) -> None:
        """Ctrl-C, the first time: called by unittest's handler of the signal."""
        self._interruption.ask()
        self._crew.wake()

    def look_again(self) -> None:
        """Databases have become ready; any thread may say so."""
        self._looks_again = True
        self._crew.wake()

    # The loop

    def _wait(self) -> None:
        """Wait until something happens, and deal with it."""
        deadline = self._interruption.next(self._deadlines.next(self._crew))
        self._crew.wait(None if deadline is None else max(deadline - time.monotonic(), 0.0))
        if self._looks_again:
            self._looks_again = False
            self._background.look()
            self._staff.go_on()
        now = time.monotonic()
        self._deadlines.look(self._crew, now)
        self._interruption.look(self._crew, now)

    def _emit_slow(self, event: TestSlow) -> None:
        for worker in self._crew:
            if worker.number == event.worker:
                self._agenda.tell(worker, lambda: self._emit(event))

    def _take_checks(self) -> None:
        """The system checks have ended; if they have failed, so has the run."""
        checks, self._checks = self._checks, None
        assert checks is not None
        self._crew.ignore(checks.fileno())
        try:
            checks.finish()
        except Exception as error:
            self._error = error
            self._stop("the system checks have failed")

    def _stop(self, because: str = "") -> None:
        """Begin no further test."""
        self.stopped_by = self.stopped_by or because
        if not self._agenda.closed:
            self._agenda.close()
            self._agenda.drop_ahead()
            for worker in self._crew:
                worker.send(("stop",))

    def _abandon(self, *, by_user: bool) -> None:
        """End all workers at once; the tests that were running have a verdict."""
        self._agenda.close()
        reason = INTERRUPTED if by_user else ("was ended with the run", "WorkerLost")
        for worker in self._crew:
            worker.kill(*reason)
            if worker.running is not None and not worker.ahead:
                self._emit(Loss(worker, "", self._infos[worker.running]).verdict())
            worker.idle()

    # What workers say

    def _take(self, worker: WorkerProcess, message: Message) -> None:
        name = message[0]
        if name == "events":
            for data in message[1:]:
                self._intake.take(worker, data)
        elif name == "done":
            self._end_unit(worker)
            worker.idle()
            self._staff.wake_idle()
        elif name == "ready":
            worker.ready = True
            self._rescue.forget_starts()
            self._emit(WorkerStarted(worker.number, message[1]))
            self._staff.give_work(worker)
        elif name == "output":
            self._agenda.tell(worker, lambda: self._show(message[1], message[2]))
        elif name == "interrupted":
            self.stop()
        elif name == "used":
            worker.spoiled.add(message[1])
        elif name == "request":
            self._databases.give_undeclared(worker, message[1])
        elif name == "failed":
            raise WorkerError(f"Worker {worker.number} failed:\n{message[1]}")

    def _end_unit(self, worker: WorkerProcess) -> None:
        unit = self._agenda.schedule_of(worker).done(worker.number)
        is_alone = len(list(self._crew)) < 2
        self._rescue.run_again(unit, worker.number, avoid=0 if is_alone else worker.number)

    # What happens to workers

    def _bury(self, worker: WorkerProcess, how: str) -> None:
        """A process has ended. If it was not to, its test gets a verdict, and the rest of its
        unit runs in a new one.
        """
        if not worker.ending:
            self._rescue.account_for(worker, how)
        if not self._finishing and self._agenda.is_waiting:
            self._staff.start(worker.number)
