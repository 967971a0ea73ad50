"""Which databases the coordinator gives to which worker, and when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from ..collection.stages import PlannedStage
from .process import WorkerProcess


class CloneProvider(Protocol):
    """Makes the databases of workers."""

    def provide(
        self, worker: int, aliases: Mapping[str, bool], held: Collection[str]
    ) -> dict[str, Any]:
        """Make the databases of ``aliases`` for ``worker``, save those that it holds; return
        what it needs to know of them.
        """

    def drop_all(self) -> None:
        """All workers have ended: drop their databases."""


class WorkerClones:
    """Gives workers the databases of the stage before its first unit."""

    def __init__(self, provider: CloneProvider) -> None:
        self._provider = provider
        self.drop_all = provider.drop_all

    def fit(self, worker: WorkerProcess, stage: PlannedStage) -> bool:
        """Whether what the worker has is as the stage needs it: it is not where tests have used
        a database that their stage did not declare. A new worker has new databases.
        """
        return not worker.spoiled.intersection(stage.databases)

    def give(self, worker: WorkerProcess, stage: PlannedStage, *, ready: bool) -> None:
        """Give what ``stage`` declares, unless the worker has it, or it is not ready."""
        lacks = ready and not worker.databases.issuperset(stage.databases)
        if worker.stage != stage.name or lacks:
            worker.stage = stage.name
            clones = self._provide(worker, stage.databases) if ready else {}
            worker.send(("databases", clones, [*stage.databases, *clones]))

    def give_undeclared(self, worker: WorkerProcess, alias: str) -> None:
        """A test has opened a database that its stage does not declare, and waits for it."""
        clones = self._provide(worker, {alias: False})
        worker.spoiled |= clones.keys()
        worker.send(("databases", clones, None))

    def _provide(self, worker: WorkerProcess, aliases: Mapping[str, bool]) -> dict[str, Any]:
        clones = self._provider.provide(worker.number, aliases, worker.databases)
        worker.databases |= clones.keys()
        return clones
