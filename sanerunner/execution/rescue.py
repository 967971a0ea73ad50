"""What becomes of the tests of a worker that has died, and of those that are to run again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ..collection.stages import PlannedTest
from ..events import WorkerLost
from ..exceptions import WorkerError
from .agenda import Agenda
from .losses import Loss
from .process import WorkerProcess
from .retries import Retries
from .scheduling import Unit

MAX_DEATHS = 3  # of workers, on one unit or before their first


class Rescue:
    """Gives the test that a worker died of its verdict, and puts the others on the agenda again.

    ``tests`` are those of the plan, in its order. ``show`` is handed what a dead worker has
    printed last.
    """

    def __init__(
        self,
        tests: Sequence[PlannedTest],
        *,
        agenda: Agenda,
        retries: Retries,
        show: Callable[[str, str], None],
    ) -> None:
        self._tests = tests
        self._places = {planned.info.id: place for place, planned in enumerate(tests)}
        self._agenda = agenda
        self._retries = retries
        self._show = show
        self._deaths: Counter[str] = Counter()  # by the unit's owner
        self._early_deaths = 0

    def forget_units(self) -> None:
        """A stage begins of which no unit has run: no worker has died of any."""
        self._deaths.clear()

    def forget_starts(self) -> None:
        """A worker has come up: those that have not before are not counted any more."""
        self._early_deaths = 0

    def account_for(self, worker: WorkerProcess, how: str) -> None:
        """A worker has died that was not to. Raises WorkerError if too many never came up."""
        running = worker.running
        loss = Loss(worker, how, None if running is None else self._tests[running].info)
        lost = WorkerLost(worker.number, loss.reason, loss.what)
        self._agenda.tell(worker, lambda: self._retries.take(lost))
        if loss.stdout or loss.stderr:
            self._agenda.tell(worker, lambda: self._show(loss.stdout, loss.stderr))
        if worker.unit is None:
            self._count_early_death(worker, loss)
            return
        self._agenda.schedule_of(worker).done(worker.number)
        if running is not None:
            self.end_test(worker, running)
            self._agenda.tell(worker, lambda: self._retries.take(loss.verdict()))
        left = worker.unit.without(worker.finished)
        if left.tests:
            self._rescue(left, loss, in_fixture=running is None)
        elif running is None:
            self._agenda.tell(worker, lambda: self._retries.take(loss.tear_down()))
        self.run_again(worker.unit, worker.number)

    def run_again(self, unit: Unit, number: int, *, avoid: int = 0) -> None:
        """Have those tests of a unit that worker ``number`` has seen fail run again, by another
        worker than ``avoid`` if one is free.
        """
        due = {self._places[planned.info.id] for planned in self._retries.due(number)}
        if due and not self._agenda.closed:
            again = replace(unit.without(set(unit.tests) - due), avoid=avoid)
            self._agenda.schedule.put_back(again)

    def end_test(self, worker: WorkerProcess, place: int) -> None:
        """The test at ``place`` has a verdict, and is not needed any more."""
        worker.end(place)
        self._tests[place].release()

    def _rescue(self, left: Unit, loss: Loss, *, in_fixture: bool) -> None:
        """Have what is left of a unit run by a new worker, unless workers die of it."""
        if self._agenda.closed:
            return
        self._deaths[left.owner] += 1
        message = loss.message
        given_up = self._deaths[left.owner] >= MAX_DEATHS
        if not (in_fixture and loss.worker.ended_because):  # else the next would hang as well
            if not given_up:
                self._agenda.schedule_of(loss.worker).put_back(left)
                return
            message = f"{left.owner} is given up after {MAX_DEATHS} workers: {loss.message}"
        for place in left.tests:
            self.end_test(loss.worker, place)
            verdict = loss.verdict_of_other(self._tests[place].info, message)
            self._agenda.tell(loss.worker, partial(self._retries.take, verdict, final=given_up))

    def _count_early_death(self, worker: WorkerProcess, loss: Loss) -> None:
        if not worker.ready:
            self._early_deaths += 1
        if self._early_deaths >= MAX_DEATHS:
            raise WorkerError(
                f"{MAX_DEATHS} workers have died before they could run a test; the last: "
                f"{loss.message}\n{loss.stderr}"
            )
