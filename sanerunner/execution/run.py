"""A run: the stages of a plan, one after the other, until one fails."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..collection.stages import Plan, PlannedStage
from ..eventbus import EventBus
from ..events import (
    Event,
    FixtureFailed,
    Outcome,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    TestFinished,
    TestInfo,
)
from ..plugins import PluginManager, tear_down
from .executors import Executor

INTERRUPTED = "interrupted"


class TestRun:
    """Carries out a plan and sees to it that every test in it gets exactly one verdict.

    ``prepare`` is called before each stage that is to run; it makes the databases that the
    stage needs. What it raises ends the run after the reports are complete.
    """

    __test__ = False

    def __init__(
        self,
        plan: Plan,
        executor: Executor,
        bus: EventBus,
        plugins: PluginManager,
        *,
        prepare: Callable[[PlannedStage], None],
        keep_going: bool = False,
        failfast: bool = False,
        fail_on_flaky: bool = False,
    ) -> None:
        self._plan = plan
        self._executor = executor
        self._bus = bus
        self._plugins = plugins
        self._prepare = prepare
        self._keep_going = keep_going
        self._failfast = failfast
        self._fail_on_flaky = fail_on_flaky
        self._pending = {planned.info.id: planned.info for planned in plan}
        self._failed = False
        self._left_out = False
        self._stage_failed = False
        self.stopped_by = ""
        self.interrupted = False
        bus.subscribe(self._watch, TestFinished, FixtureFailed)

    def run(self) -> None:
        """Run the plan. Raises what kept a stage from starting, after the last event."""
        started = time.monotonic()
        self._bus.emit(
            RunStarted(
                started_at=time.time(),
                total=self._plan.total,
                stages=tuple(stage.name for stage in self._plan.stages),
                kinds=dict(self._plan.kinds()),
            )
        )
        try:
            self._run_stages(started)
        finally:
            self._executor.release()

    def _run_stages(self, started: float) -> None:
        try:
            self._executor.start()
            try:
                for stage in self._plan.stages:
                    self._run_stage(stage)
            finally:
                self._executor.finish()
        except BaseException as error:
            self._failed = True
            self.stopped_by = self.stopped_by or f"{type(error).__name__}: {error}"
            raise
        finally:
            self._leave_out(list(self._pending.values()))
            self._bus.emit(
                RunFinished(
                    successful=not (self._failed or self._left_out or self.interrupted),
                    duration=time.monotonic() - started,
                    stopped_by=self.stopped_by if self._left_out or self.interrupted else "",
                )
            )

    def _run_stage(self, stage: PlannedStage) -> None:
        if self.stopped_by:
            return
        started = time.monotonic()
        self._stage_failed = False
        self._bus.emit(StageStarted(stage.name, len(stage.tests), time.time()))
        try:
            teardowns = self._prepare_stage(stage)
            try:
                self._executor.run_stage(stage)
            except KeyboardInterrupt:
                self.interrupted = True
            finally:
                tear_down(teardowns, stage=stage.name)
        except KeyboardInterrupt:  # while the stage was prepared
            self.interrupted = True
        except BaseException:
            self._stage_failed = True
            raise
        finally:
            self._end_stage(stage, time.monotonic() - started)

    def _end_stage(self, stage: PlannedStage, duration: float) -> None:
        self._note_why_stopped(stage)
        self._leave_out(
            [planned.info for planned in stage.tests if planned.info.id in self._pending]
        )
        successful = not self._stage_failed and not self.interrupted
        self._bus.emit(StageFinished(stage.name, successful=successful, duration=duration))

    def _prepare_stage(self, stage: PlannedStage) -> list[Callable[..., None]]:
        try:
            self._prepare(stage)
            return self._plugins.set_up("stage", stage=stage.name)
        except BaseException as error:
            message = "" if isinstance(error, SystemExit) else str(error).strip()
            first_line = (message or type(error).__name__).splitlines()[0].rstrip(":")
            self.stopped_by = f"stage {stage.name!r} could not start: {first_line}"
            self.interrupted = isinstance(error, KeyboardInterrupt)
            raise

    def _note_why_stopped(self, stage: PlannedStage) -> None:
        if self.stopped_by:
            return
        self.stopped_by = self._executor.stopped_by
        if self.stopped_by:
            return
        by_failfast = self._failfast and self._stage_failed
        if self.interrupted or (self._executor.should_stop and not by_failfast):
            self.interrupted = True
            self.stopped_by = INTERRUPTED
        elif by_failfast:
            self.stopped_by = "--failfast"
        elif self._stage_failed and not self._keep_going:
            self.stopped_by = f"stage {stage.name!r} failed"

    def _leave_out(self, tests: list[TestInfo]) -> None:
        reason = f"not run: {self.stopped_by or 'the executor gave no verdict'}"
        for info in tests:
            self._left_out = True
            self._bus.emit(TestFinished(info, Outcome.NOT_RUN, time.time(), 0.0, reason=reason))

    def _watch(self, event: Event) -> None:
        if isinstance(event, TestFinished):
            self._pending.pop(event.test.id, None)
            bad = event.outcome.is_bad
            if self._fail_on_flaky and event.flaky:  # the run fails; the stage has not
                self._failed = True
        else:
            bad = isinstance(event, FixtureFailed)
        if bad:
            self._stage_failed = self._failed = True
