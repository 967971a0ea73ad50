"""SaneRunner: where the parts of a run are put together."""

from __future__ import annotations

import argparse
import logging
import sys
import unittest
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import connections
from django.test.runner import DiscoverRunner
from django.test.utils import setup_test_environment

from . import conf
from .behaviors import built_in
from .behaviors.flush import flush_with
from .collection import listing
from .collection.choosing import choose
from .collection.narrowing import keep_only, read_ids
from .collection.recordings import durations_for, recording_for
from .collection.stages import Plan, PlannedStage, arrange, make_plan
from .compat import iter_test_cases
from .databases.configured import baselines_for, provisioner_for
from .databases.layout import Layout
from .eventbus import EventBus
from .events import DatabaseReady
from .exceptions import EXIT_INTERRUPTED, UsageError
from .execution import garbage
from .execution.foreign import is_foreign, run_foreign
from .execution.runresult import RunResult
from .execution.session import Session, Workers
from .execution.systemchecks import CheckResult, SystemChecks
from .pluginloading import load_plugins
from .plugins import PluginManager
from .reporting.history import History
from .reporting.reporters import Reporters

if TYPE_CHECKING:
    from .execution.worker import Parts
    from .parallelism import Parallelism


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
        alone = self.config.pdb and self.config.parallel > 1
        arguments = {**options, **self.config.discover_runner_arguments()}
        if alone:
            arguments["parallel"] = 0
        super().__init__(verbosity=verbosity, interactive=interactive, **arguments)
        if alone:
            self.log("--pdb: all tests run in one process, --parallel has no effect.")
        self._given = {"verbosity": verbosity, "interactive": interactive, **options}
        self._labels: tuple[str, ...] = ()
        self._narrows = True
        self.bus = EventBus()
        self._baselines = baselines = baselines_for(self.config, self.log)
        self.provisioner = provisioner_for(
            self.config,
            keepdb=self.keepdb,
            created=self._flush_created,
            baselines=baselines,
            verbosity=verbosity,
            interactive=interactive,
            debug_sql=self.debug_sql,
            time_keeper=self.time_keeper,
            emit=self._emit_ready,
            current_test=lambda: self._session.current_test if self._session else "",
        )
        behaviors = built_in(self.config, self.provisioner.guard.refusing, baselines)
        self.plugins = PluginManager([*behaviors, *load_plugins(self.config.plugins)])
        self.plugins.call("configure", config=self.config, options=options)
        self.history = History(self.config.state) if self.config.state is not None else None
        self.reporters = Reporters(self.config, self.bus, self.plugins, options)
        self._checks = SystemChecks(verbosity)
        self._layout: Layout | None = None
        self._end_standalone: Callable[[], None] = lambda: None
        self._planned_suite: unittest.TestSuite | None = None
        self._plan = Plan([])
        self._session: Session | None = None
        self._checks_wait = False
        self._parallelism: Parallelism | None = None  # None if this process runs the tests
        self._suspects: set[str] = set()  # ids of the tests that --bisect or --pair is about

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
            if self.config.prune_databases and not self.config.list:
                for line in self.provisioner.prune():
                    self.log(line)
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
        self._labels = tuple(test_labels or ())
        parallel, self.parallel = self.parallel, 0
        with self._loading():
            collected = self._collect(test_labels, **kwargs)
        self.parallel = parallel
        recording = recording_for(self.config, self.history) if self._narrows else None
        chosen = choose(collected, self.config, recording)
        for note in chosen.notes:
            self.log(note)
        tests = chosen.tests
        self.plugins.call("modify_collection", tests=tests)
        if self.config.only_from is not None:
            tests = keep_only(tests, read_ids(self.config.only_from))
        return self.test_suite(arrange(tests, self.config.stages))

    def get_databases(self, suite: Any) -> dict[str, bool]:  # type: ignore[override]
        """Return the aliases that the tests use -> whether their content is serialized."""
        plan = self._plan_of(suite)
        databases = plan.databases()
        self.provisioner.serialized.unneeded = plan.unserialized()
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
        databases are there, those that do. Raises SystemCheckError. If they are to run beside
        workers the first part waits for these.
        """
        if self.config.list or not self.config.checks:
            return
        apart = self.config.checks_beside and not self.config.searches
        if self._session is not None:
            self._checks.run(databases)
        elif apart and min(self.parallel, self._plan.total) > 1:
            self._checks_wait = True
        else:
            self._checks.run(())

    def run_suite(  # type: ignore[override]
        self, suite: unittest.TestSuite, **kwargs: Any
    ) -> unittest.TestResult:
        """Run the stages; return a result made of what all tests reported."""
        plan = self._plan_of(suite)
        if self.config.list:
            return self._list(plan)
        if self.config.searches:
            from .bisection.report import find_what_breaks  # only then

            return find_what_breaks(plan, self.config, self._suspects)
        _release_tests(suite)
        try:
            return self._run(plan)
        finally:
            garbage.release()
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
        if self._baselines is not None:
            self._baselines.begin()
        arguments = self.get_test_runner_kwargs()
        foreign = is_foreign(self.test_runner, arguments)
        workers = None if foreign else self._workers(plan)
        if self._checks_wait and workers is None:
            self._checks.run(())
        if foreign and self.parallel > 1:
            self.log("A project's own test runner or result class runs all tests in one process.")
        self.reporters.start(arguments, console=not foreign)
        if self.history is not None:
            self.bus.subscribe(self.history.handle_event, *History.WANTED)
        self._session = session = Session(
            plan,
            self.config,
            self.bus,
            self.plugins,
            arguments,
            prepare=self._prepare,
            workers=workers,
            log=self.log,
        )
        session.on_breakpoint = self.reporters.suspend
        try:
            if foreign:
                return run_foreign(self.test_runner, arguments, session)
            return session.run()
        finally:
            self.reporters.finish()

    def _workers(self, plan: Plan) -> Workers | None:
        """Return the processes that are to run the tests; None if it is this one."""
        if min(self.parallel, plan.total) <= 1:
            return None
        from .parallelism import Parallelism, recipe_for  # a serial run needs none of it

        shuffler: Any = self._shuffler  # type: ignore[attr-defined]  # not in django-stubs
        given = {**self._given, "shuffle": shuffler.seed if shuffler else False}
        self._parallelism = Parallelism(
            plan,
            recipe_for(type(self), given, self._labels, plan),
            count=self.parallel,
            method=self.config.start_method,
            provisioner=self.provisioner,
            keepdb=self.keepdb,
            check=self.run_checks,
            fork=self._fork,
        )
        durations = durations_for(self.config, self.history)
        if not self._checks_wait:
            return self._parallelism.workers(durations)
        checks = self._parallelism.check_process(self._checks, self.check_apart)
        return self._parallelism.workers(durations, checks)

    def check_apart(self) -> CheckResult | None:
        """In the process of the system checks: run them; None if one needs a database."""
        from .parallelism import examine_apart

        return examine_apart(self._checks, self.provisioner.guard)

    def _emit_ready(self, event: DatabaseReady) -> None:
        if self._parallelism is None:
            self.bus.emit(event)
        else:
            self._parallelism.hand_over(partial(self.bus.emit, event))

    def _fork(self) -> Parts:
        """In a forked worker: return what it works with."""
        return self._parts(forked=True)

    def join_run(self, labels: Sequence[str]) -> Parts:
        """In a spawned worker: collect the tests of the run, and return what it works with.

        No connection of the process reaches a real database from now on.
        """
        self._narrows = False  # the run has: what it left out is found here, and not run
        self.provisioner.start()
        self.plugins.activate()
        self.setup_test_environment()
        self._plan_of(self.build_suite(list(labels)))
        return self._parts()

    def _parts(self, *, forked: bool = False) -> Parts:
        from .parallelism import worker_parts

        debug_sql = self.config.debug_sql
        return worker_parts(
            self._plan, self.plugins, self.provisioner, debug_sql=debug_sql, forked=forked
        )

    def _collect(self, labels: Sequence[str] | None, **kwargs: Any) -> list[unittest.TestCase]:
        def build(labels: Sequence[str] | None) -> list[unittest.TestCase]:
            suite = super(SaneRunner, self).build_suite(labels, **kwargs)
            return list(iter_test_cases(suite))

        if self.config.suspect is None:
            return build(labels)
        from .bisection.suspects import collect_with_suspect  # only then

        tests, self._suspects = collect_with_suspect(build, labels or (), self.config)
        return tests

    def _loading(self) -> AbstractContextManager[None]:
        return garbage.loading() if self.config.freeze_gc else nullcontext()

    def _prepare(self, stage: PlannedStage) -> None:
        """Make the databases of a stage that is about to begin. Where there are workers they are
        waited for, unless some tests of the stage can do without.
        """
        if self._parallelism is not None:
            self._parallelism.prepare(stage)
            return
        self.provisioner.require(stage.databases)  # but what a subclass has made in its own way
        if self._baselines is not None and stage.commits:
            self._baselines.prepare(stage.databases)
        if stage.databases:
            self.run_checks(stage.databases)

    def _flush_created(self, alias: str) -> None:
        """A database has just been made: FLUSH_TEST_DATABASE_AFTER_INITIAL_SYNCDB."""
        flush_with(self.config.flush_command, None, [alias])

    def _plan_of(self, suite: unittest.TestSuite) -> Plan:
        if self._planned_suite is not suite:
            self._planned_suite = suite
            with self._loading():
                self._plan = make_plan(iter_test_cases(suite), self.config.stages)
        return self._plan

    def _list(self, plan: Plan) -> unittest.TestResult:
        layout = self._layout or Layout((), {})
        databases = [database.alias for database in layout.databases]
        listing.show(plan, databases, self.config.list)
        return RunResult()


def _release_tests(suite: unittest.TestSuite) -> None:
    """Let go of the tests, as ``TestSuite.run()`` does of each that has run."""
    for index in range(len(list(suite))):
        suite._removeTestAtIndex(index)  # type: ignore[attr-defined]
