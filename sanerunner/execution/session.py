"""One run in this process: result, executor and run, put together."""

from __future__ import annotations

import os
import sys
import unittest
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pdb import Pdb
from typing import TYPE_CHECKING, Any

from ..behaviors.stock import finds_what_was_left
from ..collection.stages import Plan, PlannedStage
from ..compat import pdb
from ..conf import Config
from ..eventbus import EventBus
from ..events import FixtureFailed, TestFinished, TestStarted
from ..plugins import PluginManager
from ..reporting.terminal import write_text
from .capture import OutputCapture
from .executors import Executor, SerialExecutor
from .results import EventResult, ExcInfo
from .retries import Retries
from .run import TestRun
from .runresult import RunResult
from .safeguards import Alarm
from .sql import QueryLog
from .units import asked, timeout_of

if TYPE_CHECKING:
    from .background import Background
    from .checking import CheckProcess
    from .clones import CloneProvider
    from .process import Launch
    from .worker import WorkerFiles, WorkerOptions


@dataclass(frozen=True)
class Workers:
    """The processes of a parallel run: how many, how they are started, their databases, and
    what makes these meanwhile. ``forks``: whether the processes are forked from this one.
    ``checks``: one more process, of the system checks, if these have not run yet.

    ``durations``: seconds that tests took in earlier runs, by their ids.
    """

    count: int
    launch: Launch
    databases: CloneProvider
    durations: Mapping[str, float] = field(default_factory=dict)
    background: Background | None = None
    forks: bool = True
    checks: CheckProcess | None = None


class Session:
    """Runs a plan. ``arguments`` are those of ``get_test_runner_kwargs()``, of which
    ``failfast``, ``buffer`` and ``tb_locals`` are obeyed.
    """

    def __init__(
        self,
        plan: Plan,
        config: Config,
        bus: EventBus,
        plugins: PluginManager,
        arguments: Mapping[str, Any],
        *,
        prepare: Callable[[PlannedStage], None],
        workers: Workers | None = None,
        log: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.plan = plan
        self._config = config
        self._bus = bus
        self._plugins = plugins
        self._arguments = arguments
        self._prepare = prepare
        self._workers = workers
        self._log = log
        self._event_result: EventResult | None = None
        self._run: TestRun | None = None
        self._result = RunResult(fail_on_flaky=config.fail_on_flaky)
        self.on_breakpoint: Callable[[], None] = lambda: None
        self._capture = OutputCapture(
            limit=config.output_limit, hide=bool(arguments.get("buffer"))
        )

    @property
    def current_test(self) -> str:
        """What is running: a test's id, or the class whose fixtures run; "" for neither."""
        return self._event_result.current_test if self._event_result else ""

    @property
    def interrupted(self) -> bool:
        return self._run is not None and self._run.interrupted

    @property
    def successful(self) -> bool:
        return self._result.wasSuccessful() and not self._bus.errors and not self.interrupted

    def run(self, companion: unittest.TestResult | None = None) -> RunResult:
        """Run the plan; ``companion`` is told what unittest would tell it, in a serial run."""
        failfast = bool(self._arguments.get("failfast"))
        self._bus.subscribe(self._result.handle_event, TestFinished, FixtureFailed)
        retries = self._retries(failfast, companion)
        if self._workers:
            executor = self._parallel(retries, failfast and not retries.active)
        else:
            executor = self._serial(retries, failfast and not retries.active, companion)
        self._run = TestRun(
            self.plan,
            executor,
            self._bus,
            self._plugins,
            prepare=self._prepare,
            keep_going=self._config.keep_going,
            failfast=failfast,
            fail_on_flaky=self._config.fail_on_flaky,
        )
        breakpoint_hook, sys.breakpointhook = sys.breakpointhook, self._breakpoint
        self._breakpoint_hook = breakpoint_hook
        try:
            self._run.run()
        finally:
            sys.breakpointhook = breakpoint_hook
        return self._result

    def _retries(self, failfast: bool, companion: unittest.TestResult | None) -> Retries:
        if companion is not None and self._config.retries:
            self._log(
                "A project's own test runner or result class hears of each test once: "
                "--retries has no effect."
            )
        retries = Retries(
            () if companion is not None else self.plan,
            emit=self._bus.emit,
            retries=self._config.retries,
            max_failures=self._config.max_failures,
            failfast=failfast,
            wanted=self._should_retry,
        )
        if retries.unusual:
            first, more = retries.unusual[0], len(retries.unusual) - 1
            others = f" and {more} more" if more else ""
            self._log(f"Not retried, since they cannot be made anew: {first}{others}.")
        return retries

    def _should_retry(self, event: TestFinished) -> bool:
        answers, errors = self._plugins.ask("should_retry", event=event)
        self._bus.errors += errors
        return False not in answers

    def _parallel(self, retries: Retries, failfast: bool) -> Executor:
        from .parallel import ParallelExecutor  # a serial run needs none of it
        from .worker import WorkerOptions

        assert self._workers is not None

        def options(number: int, files: WorkerFiles) -> WorkerOptions:
            return WorkerOptions(
                number,
                files,
                output_limit=self._config.output_limit,
                failfast=failfast,
                tb_locals=bool(self._arguments.get("tb_locals")),
                debug_sql=self._config.debug_sql,
            )

        return ParallelExecutor(
            self.plan,
            workers=self._workers.count,
            retries=retries,
            launch=self._workers.launch,
            options=options,
            databases=self._workers.databases,
            timeout=self._config.timeout,
            expected=self._workers.durations.get,
            may_split=self._may_split,
            background=self._workers.background,
            forks=self._workers.forks,
            checks=self._workers.checks,
            speculate=self._config.speculate and not self._plugins.has("stage"),
            keep_going=self._config.keep_going,
            tells_starts=self._bus.wants(TestStarted),
            show=_show_nothing if self._arguments.get("buffer") else _show,
        )

    def _may_split(self, test_class: type) -> bool:
        """Whether each test of a class finds the same database on any worker."""
        config = self._config
        return not finds_what_was_left(
            test_class,
            always_migrated=config.restore == "rewind" and config.baseline == "migrated",
            by_command=config.flush_command is not None,
        )

    def _serial(
        self, retries: Retries, failfast: bool, companion: unittest.TestResult | None
    ) -> Executor:
        alarm = Alarm(
            timeout=None if self._config.pdb else self._config.timeout,
            timeouts={} if self._config.pdb else self._timeouts(),
            emit=retries.take,
        )
        result = self._event_result = EventResult(
            emit=alarm.emit,
            capture=self._capture,
            queries=QueryLog() if self._config.debug_sql else None,
            companion=companion,
            on_failure=self._post_mortem if self._config.pdb else None,
        )
        alarm.running = result.running
        result.tells_starts = alarm.limited or self._bus.wants(TestStarted)
        result.failfast = failfast
        result.tb_locals = bool(self._arguments.get("tb_locals"))
        unittest.registerResult(result)
        return SerialExecutor(
            emit=self._bus.emit,
            plugins=self._plugins,
            result=result,
            capture=self._capture,
            retries=retries,
            capturing=not self._config.pdb,
            alarm=None if self._config.pdb else alarm,
        )

    def _timeouts(self) -> dict[str, float]:
        """Return the time limits of tests that have their own, by their ids."""
        return {
            planned.info.id: seconds
            for planned, seconds in asked(self.plan, timeout_of)
            if seconds is not None
        }

    def _breakpoint(self, *args: Any, **kwargs: Any) -> Any:
        """Leave the terminal to the debugger that ``breakpoint()`` starts."""
        self.on_breakpoint()
        self._capture.show()
        chosen = os.environ.get("PYTHONBREAKPOINT") or "pdb.set_trace"
        if self._breakpoint_hook is sys.__breakpointhook__ and chosen == "pdb.set_trace":
            debugger = Pdb()
            if kwargs.get("header"):
                debugger.message(kwargs["header"])
            debugger.set_trace(sys._getframe().f_back)  # pdb itself would stop in this method
            return None
        return self._breakpoint_hook(*args, **kwargs)

    def _post_mortem(self, err: ExcInfo) -> None:
        self.on_breakpoint()
        print(f"\nOpening PDB: {err[1]!r}")
        pdb.post_mortem(err[2])


def _show(stdout: str, stderr: str) -> None:
    """Print what a test in a worker has printed."""
    for text, stream in ((stdout, sys.stdout), (stderr, sys.stderr)):
        if text:
            write_text(stream, text)
            stream.flush()


def _show_nothing(stdout: str, stderr: str) -> None:
    """``--buffer``: the report shows it."""
