"""SaneRunner: where the parts of a run are put together."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import unittest
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any

from django.db import connections
from django.test.runner import DiscoverRunner
from django.test.utils import setup_test_environment

from . import conf
from .behaviors import built_in
from .collection import listing
from .collection.selection import select
from .collection.stages import Plan, PlannedStage, arrange, make_plan
from .compat import iter_test_cases
from .databases.baseline import Baselines
from .databases.layout import Layout
from .databases.provisioning import Provisioner
from .eventbus import EventBus
from .exceptions import UsageError
from .execution.foreign import is_foreign, run_foreign
from .execution.runresult import RunResult
from .execution.session import Session
from .execution.systemchecks import SystemChecks
from .plugins import PluginManager, load_plugins
from .reporting.reporters import Reporters

EXIT_INTERRUPTED = 130


class SaneRunner(DiscoverRunner):
    """Django's test runner with kinds, stages and exact reports.

    It takes the arguments of DiscoverRunner and all of its own options by their names
    (``SaneRunner(select="unit", keep_going=True)``); what is not given comes from the
    ``SANERUNNER`` setting. Raises UsageError for a value that cannot be obeyed.
    """

    def __init__(
        self,
        pattern: str | None = None,
        top_level: str | None = None,
        verbosity: int = 1,
        interactive: bool = True,
        **options: Any,
    ) -> None:
        if pattern is not None:
            options["pattern"] = pattern
        if top_level is not None:
            options["top_level"] = top_level
        self.config = conf.load(options)
        if self.config.pdb and self.config.parallel > 1:
            raise UsageError("--pdb needs a run in one process: leave --parallel out.")
        arguments = {**options, **self.config.discover_runner_arguments()}
        super().__init__(verbosity=verbosity, interactive=interactive, **arguments)
        if self.parallel > 1:
            self.log("--parallel has no effect yet: this version runs all tests in one process.")
        self.bus = EventBus()
        rewinds = self.config.restore == "rewind"
        baselines = Baselines(verify=self.config.verify_rewind) if rewinds else None
        self.provisioner = Provisioner(
            baselines=baselines,
            verbosity=verbosity,
            interactive=interactive,
            keepdb=self.keepdb,
            debug_sql=self.debug_sql,
            migrate=self.config.migrate,
            time_keeper=self.time_keeper,
            emit=self.bus.emit,
            current_test=lambda: self._session.current_test if self._session else "",
        )
        behaviors = built_in(self.config, self.provisioner.guard.refusing, baselines)
        self.plugins = PluginManager([*behaviors, *load_plugins(self.config.plugins)])
        self.plugins.call("configure", config=self.config, options=options)
        self.reporters = Reporters(self.config, self.bus, self.plugins, options)
        self._checks = SystemChecks(verbosity)
        self._layout: Layout | None = None
        self._end_standalone: Callable[[], None] = lambda: None
        self._planned_suite: unittest.TestSuite | None = None
        self._plan = Plan([])
        self._session: Session | None = None

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        conf.add_arguments(parser)
        try:
            plugins = PluginManager(load_plugins(conf.plugin_paths()))
        except UsageError as error:
            # Django handles a command's errors only once its options have been read.
            if not getattr(parser, "called_from_command_line", False):
                raise
            parser.exit(error.returncode, f"{type(error).__name__}: {error}\n")
        plugins.call("add_arguments", parser=parser)

    def run_tests(self, test_labels: Sequence[str], **kwargs: Any) -> int:
        """Run the tests and return how many failed; exit with 130 when interrupted.

        No connection reaches a real database before this method returns.
        """
        with self.provisioner.guarded(), self.plugins.active():
            failures = super().run_tests(list(test_labels), **kwargs)
        if self._session is not None and self._session.interrupted:
            sys.exit(EXIT_INTERRUPTED)
        return failures

    def setup_test_environment(self, **kwargs: Any) -> None:
        keep = self.config.debug == "keep" and not self.debug_mode
        setup_test_environment(debug=None if keep else self.debug_mode)
        unittest.installHandler()

    def build_suite(
        self, test_labels: Sequence[str] | None = None, **kwargs: Any
    ) -> unittest.TestSuite:
        """Collect the tests as Django does, keep the selected ones, put them into stages."""
        parallel, self.parallel = self.parallel, 0
        suite = super().build_suite(test_labels, **kwargs)
        self.parallel = parallel
        selection = select(iter_test_cases(suite), self.config)
        tests = selection.tests
        if self.config.select or self.config.deselect:
            self.log(f"Selected {len(tests)} of {sum(selection.found.values())} test(s).")
            if not tests:
                self.log(f"Nothing is left of the tests found: {selection.describe()}.")
        self.plugins.call("modify_collection", tests=tests)
        return self.test_suite(arrange(tests, self.config.stages))

    def get_databases(self, suite: Any) -> dict[str, bool]:  # type: ignore[override]
        """Return the aliases that the tests use -> whether their content is serialized."""
        databases = self._plan_of(suite).databases()
        unused = sorted(set(connections) - set(databases))
        if unused:
            self.log(f"Skipping setup of unused database(s): {', '.join(unused)}.", logging.DEBUG)
        return databases

    def setup_databases(self, **kwargs: Any) -> Layout:  # type: ignore[override]
        """Learn which databases the run uses; each is made when a stage first needs it.

        Called on its own, outside of ``run_tests()``, it makes them at once.
        """
        aliases = kwargs.get("aliases")
        serialized = kwargs.get("serialized_aliases")
        needed = {
            alias: serialized is None or alias in serialized
            for alias in (connections if aliases is None else aliases)
        }
        if self.provisioner.active:
            self._layout = self.provisioner.declare(needed)
            return self._layout
        with ExitStack() as stack:
            stack.callback(self.provisioner.stop)
            self.provisioner.start()
            self._layout = self.provisioner.require(needed)
            self._end_standalone = stack.pop_all().close
        return self._layout

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        """Destroy the databases that were made, or keep them with ``--keepdb``."""
        if isinstance(old_config, Layout):
            self.provisioner.teardown()
            self._end_standalone()
        elif old_config is not None:  # a subclass has made databases in its own way
            super().teardown_databases(old_config, **kwargs)

    def run_checks(self, databases: Iterable[str]) -> None:
        """Run Django's system checks: first those that need no database, and when a stage's
        databases are there, those that do. Raises SystemCheckError.
        """
        if not self.config.list:
            self._checks.run(databases if self._session is not None else ())

    def run_suite(  # type: ignore[override]
        self, suite: unittest.TestSuite, **kwargs: Any
    ) -> unittest.TestResult:
        """Run the stages; return a result made of what all tests reported."""
        plan = self._plan_of(suite)
        if self.config.list:
            return self._list(plan)
        _release_tests(suite)
        if self.config.freeze_gc:
            gc.collect()
            gc.freeze()
        try:
            return self._run(plan)
        finally:
            if self.config.freeze_gc:
                gc.unfreeze()
            shuffler: Any = self._shuffler  # type: ignore[attr-defined]  # not in django-stubs
            if shuffler is not None:
                self.log(f"Used shuffle seed: {shuffler.seed_display}")

    def suite_result(self, suite: unittest.TestSuite, result: Any, **kwargs: Any) -> int:
        """Return how many tests failed; at least 1 if the run was not successful."""
        failures = super().suite_result(suite, result, **kwargs)
        successful = self._session is None or self._session.successful
        return failures if successful else max(failures, 1)

    def log(self, msg: str, level: int | None = None) -> None:
        """Log as Django does; with ``--list=json`` stdout is left to the JSON."""
        if self.config.list != "json":
            super().log(msg, level)

    def _run(self, plan: Plan) -> unittest.TestResult:
        arguments = self.get_test_runner_kwargs()
        foreign = is_foreign(self.test_runner, arguments)
        self.reporters.start(arguments, console=not foreign)
        self._session = session = Session(
            plan, self.config, self.bus, self.plugins, arguments, prepare=self._prepare
        )
        session.on_breakpoint = self.reporters.suspend
        try:
            if foreign:
                return run_foreign(self.test_runner, arguments, session)
            return session.run()
        finally:
            self.reporters.finish()

    def _prepare(self, stage: PlannedStage) -> None:
        """Make the databases of a stage that is about to begin."""
        self.provisioner.require(stage.databases)  # but what a subclass has made in its own way
        if stage.databases:
            self.run_checks(stage.databases)

    def _plan_of(self, suite: unittest.TestSuite) -> Plan:
        if self._planned_suite is not suite:
            self._planned_suite = suite
            self._plan = make_plan(iter_test_cases(suite), self.config.stages)
        return self._plan

    def _list(self, plan: Plan) -> unittest.TestResult:
        layout = self._layout or Layout((), {})
        databases = [database.alias for database in layout.databases]
        describe = listing.as_json if self.config.list == "json" else listing.as_text
        try:
            print(describe(plan, databases), flush=True)
        except BrokenPipeError:  # the reader, "head" say, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return RunResult()


def _release_tests(suite: unittest.TestSuite) -> None:
    """Let go of the tests, as ``TestSuite.run()`` does of each that has run."""
    for index in range(len(list(suite))):
        suite._removeTestAtIndex(index)  # type: ignore[attr-defined]
