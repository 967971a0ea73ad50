"""The parts of a run in several processes, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing import get_start_method
from typing import Any

from .collection.stages import Plan, PlannedStage
from .databases.clones import Clones
from .databases.guard import ConnectionGuard
from .databases.lending import lent_connections
from .databases.provisioning import Provisioner
from .databases.workers import OwnDatabases, WorkerDatabases, leave_inherited
from .exceptions import DatabaseInteractionError
from .execution.background import Background
from .execution.checking import CheckProcess
from .execution.launching import Recipe, check_launcher, launcher
from .execution.session import Workers
from .execution.systemchecks import CheckResult, SystemChecks
from .execution.worker import Parts
from .plugins import PluginManager


def recipe_for(
    runner: type, arguments: Mapping[str, Any], labels: tuple[str, ...], plan: Plan
) -> Recipe:
    """Return how a spawned process makes ``runner`` and collects the tests of ``plan``."""
    return Recipe(
        runner=f"{runner.__module__}.{runner.__qualname__}",
        arguments={**arguments, "parallel": 0},
        labels=labels,
        ids=tuple(planned.info.id for planned in plan),
    )


class Parallelism:
    """The coordinator's side: makes what the workers need, while they run.

    ``count`` processes are started by ``method``, or, with None, as multiprocessing does by
    default; a forked worker calls ``fork()``. ``check(aliases)`` runs the system checks that need
    the databases of a stage, when these have been made. Raises UsageError where a spawned worker
    could not find what it needs.
    """

    def __init__(
        self,
        plan: Plan,
        recipe: Recipe,
        *,
        count: int,
        method: str | None,
        provisioner: Provisioner,
        keepdb: bool,
        check: Callable[[Mapping[str, bool]], None],
        fork: Callable[[], Parts],
    ) -> None:
        method = method or get_start_method()
        self._launch = launcher(method, fork, recipe)
        self._recipe = recipe
        self._count = count
        self._method = method
        self._check = check
        jobs = [
            (stage.name, partial(self._make, stage)) for stage in plan.stages if stage.databases
        ]
        self._background = Background(jobs, lend=lent_connections)
        self._databases = WorkerDatabases(
            provisioner,
            Clones(
                guard=provisioner.guard,
                baselines=provisioner.baselines,
                keepdb=keepdb,
                verbosity=provisioner.verbosity,
            ),
            numbers=range(1, min(count, plan.total) + 1),
            settle=self._background.settle,
        )

    def workers(
        self, durations: Mapping[str, float], checks: CheckProcess | None = None
    ) -> Workers:
        """Return the processes of the run."""
        return Workers(
            self._count,
            self._launch,
            self._databases,
            durations,
            background=self._background,
            forks=self._method == "fork",
            checks=checks,
        )

    def check_process(
        self, checks: SystemChecks, examine: Callable[[], CheckResult | None]
    ) -> CheckProcess:
        """Return the process of the checks that need no database; a forked one calls
        ``examine()``.
        """

        def check_here() -> None:
            self._background.settle()  # it needs a database after all
            checks.take(checks.examine())

        checks.leave()
        launch = check_launcher(self._method, examine, self._recipe)
        return CheckProcess(launch, take=checks.take, again=check_here)

    def prepare(self, stage: PlannedStage) -> None:
        """Wait for the databases of a stage, unless some of its tests can do without."""
        if not stage.has_independent:
            self._background.wait(stage.name)

    def hand_over(self, call: Callable[[], object]) -> None:
        """Call this in the main thread, at once or soon."""
        self._background.hand_over(call)

    def _make(self, stage: PlannedStage) -> None:
        self._databases.make(stage.databases)
        self._check(stage.databases)


def worker_parts(
    plan: Plan,
    plugins: PluginManager,
    provisioner: Provisioner,
    *,
    debug_sql: bool,
    forked: bool,
) -> Parts:
    """Return what a worker works with, in its own process."""
    if forked:
        leave_inherited(provisioner.baselines)
    own = OwnDatabases(provisioner.guard, provisioner.baselines, debug_sql=debug_sql)
    return Parts(list(plan), plugins, own)


def examine_apart(checks: SystemChecks, guard: ConnectionGuard) -> CheckResult | None:
    """In the process of the system checks: run them; None if one needs a database."""
    needed: list[str] = []

    def refuse(alias: str) -> None:
        needed.append(alias)
        raise DatabaseInteractionError(f"A system check has opened database {alias!r}.")

    guard.ask(refuse, lambda alias: None)
    try:
        result = checks.examine()
    except Exception:
        if not needed:
            raise
    return None if needed else result
