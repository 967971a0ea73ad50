"""Has the workers of a stage there, and gives those that are idle something to do."""

from __future__ import annotations

from ..collection.stages import PlannedStage
from .agenda import Agenda
from .background import Background
from .clones import WorkerClones
from .crew import Crew
from .process import WorkerProcess


class Staff:
    """Starts ``count`` workers of ``crew``, and hands out what is on the ``agenda``.

    While ``background`` is busy no process is forked, if ``forks`` says that workers are.
    """

    def __init__(
        self,
        crew: Crew,
        agenda: Agenda,
        databases: WorkerClones,
        background: Background,
        *,
        count: int,
        forks: bool,
    ) -> None:
        self._crew = crew
        self._agenda = agenda
        self._databases = databases
        self._background = background
        self._count = count
        self._forks = forks
        self._held_back: set[int] = set()  # workers to be started when nothing is made

    def start_all(self) -> None:
        for number in range(1, self._count + 1):
            self._crew.start(number)

    def start(self, number: int) -> None:
        """Start a worker, now or when the process may fork."""
        if self._forks and self._background.busy:
            self._held_back.add(number)
        else:
            self._crew.start(number)

    def refresh(self, stage: PlannedStage) -> None:
        """Have all workers there; those whose databases are not as the stage needs them anew."""
        for number in range(1, self._count + 1):
            if number not in self._crew and not self._agenda.closed:
                self.start(number)
        for worker in self._crew:
            if worker.unit is None and not self._databases.fit(worker, stage):
                worker.dismiss()

    def go_on(self) -> None:
        """Do what may have had to wait for databases, and have the next ones made."""
        if not self._background.busy:
            held_back, self._held_back = self._held_back, set()
            for number in sorted(held_back):
                if number not in self._crew and self._agenda.is_waiting:
                    self._crew.start(number)
            if not self._agenda.closed:
                self._background.advance()
        stage = self._agenda.stage
        if stage is not None and self._background.has_failed(stage.name):
            self._agenda.schedule.give_up_databases()
        self.wake_idle()

    def wake_idle(self) -> None:
        """Give work to all that have none: what has ended may have kept other units waiting."""
        for worker in self._crew:
            self.give_work(worker)

    def give_work(self, worker: WorkerProcess) -> None:
        """Give the worker a unit, if it can take one and there is one."""
        stage = self._agenda.stage
        if stage is None or not worker.ready or worker.ending or worker.unit is not None:
            return
        unit = self._agenda.schedule.next(worker.number)
        ahead = self._agenda.look_ahead() if unit is None else None
        if ahead is not None and self._databases.fit(worker, ahead.stage):
            stage = ahead.stage
            unit = ahead.schedule.next(worker.number)
        if unit is not None:
            ready = self._background.is_done(stage.name)
            self._databases.give(worker, stage, ready=ready)
            worker.run(unit, worker.stage, ahead=ahead is not None)
