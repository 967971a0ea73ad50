"""One run in this process: result, executor and run, put together."""

from __future__ import annotations

import os
import sys
import unittest
from collections.abc import Callable, Mapping
from pdb import Pdb
from typing import Any

from ..collection.stages import Plan, PlannedStage
from ..compat import pdb
from ..conf import Config
from ..eventbus import EventBus
from ..plugins import PluginManager
from .capture import OutputCapture
from .executors import SerialExecutor
from .results import EventResult, ExcInfo
from .run import TestRun
from .runresult import RunResult
from .sql import QueryLog


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
    ) -> None:
        self.plan = plan
        self._config = config
        self._bus = bus
        self._plugins = plugins
        self._arguments = arguments
        self._prepare = prepare
        self._event_result: EventResult | None = None
        self._run: TestRun | None = None
        self._result = RunResult()
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
        """Run the plan; ``companion`` is told what unittest would tell it."""
        failfast = bool(self._arguments.get("failfast"))
        self._bus.subscribe(self._result.handle_event)
        result = self._event_result = EventResult(
            emit=self._bus.emit,
            capture=self._capture,
            queries=QueryLog() if self._config.debug_sql else None,
            companion=companion,
            on_failure=self._post_mortem if self._config.pdb else None,
        )
        result.failfast = failfast
        result.tb_locals = bool(self._arguments.get("tb_locals"))
        unittest.registerResult(result)
        executor = SerialExecutor(
            emit=self._bus.emit,
            plugins=self._plugins,
            result=result,
            capture=self._capture,
            capturing=not self._config.pdb,
        )
        self._run = TestRun(
            self.plan,
            executor,
            self._bus,
            self._plugins,
            prepare=self._prepare,
            keep_going=self._config.keep_going,
            failfast=failfast,
        )
        breakpoint_hook, sys.breakpointhook = sys.breakpointhook, self._breakpoint
        self._breakpoint_hook = breakpoint_hook
        try:
            self._run.run()
        finally:
            sys.breakpointhook = breakpoint_hook
        return self._result

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
