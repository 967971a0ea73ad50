"""What is left to do: of the stage that is running, and of the one that was begun ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..collection.stages import PlannedStage
from .process import WorkerProcess
from .scheduling import Schedule, Unit
from .speculation import Speculation


class Agenda:
    """The schedules of the stages, each made when its stage, or work ahead of it, begins.

    ``units`` are those of each stage, by its name, for ``count`` ``workers``. ``is_ready(stage)``
    says whether the databases of a stage are there. The stages of ``following`` may be begun
    while the last tests of the one before are running; unless one has failed, and the run does
    not ``keep_going``.
    """

    def __init__(
        self,
        units: Mapping[str, Sequence[Unit]],
        *,
        workers: Iterable[WorkerProcess],
        count: int,
        is_ready: Callable[[str], bool],
        following: Iterable[PlannedStage] = (),
        keep_going: bool = False,
    ) -> None:
        self._units = dict(units)
        self._workers = workers
        self._count = count
        self._is_ready = is_ready
        self._following = list(following)
        self._keep_going = keep_going
        self._failed = False  # a test of a stage that has begun
        self._ahead: Speculation | None = None
        self.stage: PlannedStage | None = None
        #: Of the stage that is running.
        self.schedule = Schedule((), workers=1)
        #: Whether no further test is to begin.
        self.closed = False

    def begin(self, stage: PlannedStage) -> Speculation | None:
        """Turn to ``stage``; return what was done ahead, if anything was."""
        self.stage = stage
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.stage is stage:
            self.schedule = ahead.schedule
        else:
            self.schedule = self._schedule_for(stage)
        self.schedule.beside = lambda: self._ahead.schedule.running if self._ahead else ()
        return ahead

    def catch_up(self, ahead: Speculation) -> None:
        """The stage that was begun before begins now."""
        for worker in self._workers:
            worker.ahead = False
        ahead.release()

    def close(self) -> None:
        """Hand out nothing of the stage any more, and begin no other."""
        self.closed = True
        self.schedule.clear()

    @property
    def is_waiting(self) -> bool:
        """Whether there are units to be handed out."""
        ahead = self._ahead is not None and self._may_follow and self._ahead.schedule.waiting
        return bool(self.schedule.waiting or ahead)

    def schedule_of(self, worker: WorkerProcess) -> Schedule:
        return self._ahead.schedule if worker.ahead and self._ahead else self.schedule

    def look_ahead(self) -> Speculation | None:
        """Return the next stage if it may be begun: nothing of the present one is left to do."""
        if self.schedule.waiting or self.closed or not self._may_follow:
            return None
        places = [place for place, each in enumerate(self._following) if each is self.stage]
        if self._ahead is None and places and places[0] + 1 < len(self._following):
            stage = self._following[places[0] + 1]
            self._ahead = Speculation(stage, self._schedule_for(stage))
            self._ahead.schedule.beside = lambda: self.schedule.running
        return self._ahead

    def drop_ahead(self) -> None:
        """The next stage will not run: what was begun of it ends as soon as it can."""
        if self._ahead is not None:
            self._ahead.schedule.clear()
            for worker in self._workers:
                if worker.ahead:
                    worker.send(("stop",))

    def tell(self, worker: WorkerProcess, call: Callable[[], object]) -> None:
        """Call this now, or when the stage that ``worker`` is busy with has begun."""
        if worker.ahead and self._ahead is not None:
            self._ahead.hold(call)
        else:
            call()

    def note_failure(self) -> None:
        """A test of a stage that has begun has failed for good."""
        self._failed = True
        if not self._may_follow:
            self.drop_ahead()

    @property
    def _may_follow(self) -> bool:
        return self._keep_going or not self._failed

    def _schedule_for(self, stage: PlannedStage) -> Schedule:
        return Schedule(
            self._units.pop(stage.name),
            workers=self._count,
            ready=lambda databases: not databases or self._is_ready(stage.name),
        )
