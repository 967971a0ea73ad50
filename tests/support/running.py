"""Runs small test classes in this process, through the executor that a real run uses."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from types import ModuleType
from typing import Any
from unittest import mock

from sanerunner import conf
from sanerunner.behaviors import built_in
from sanerunner.collection.stages import PlannedStage, make_plan
from sanerunner.eventbus import EventBus
from sanerunner.events import Event, FixtureFailed, Outcome, TestFinished
from sanerunner.execution.capture import OutputCapture
from sanerunner.execution.executors import SerialExecutor
from sanerunner.execution.results import EventResult, ExcInfo
from sanerunner.execution.retries import Retries
from sanerunner.execution.run import TestRun
from sanerunner.execution.runresult import RunResult
from sanerunner.parsing import DEFAULT_STAGES
from sanerunner.plugins import Plugin, PluginManager


class Ran:
    """What a small run told: its events, and the result made of them."""

    def __init__(self, events: list[Event], result: RunResult, run: TestRun) -> None:
        self.events = events
        self.result = result
        self.run = run

    @property
    def finished(self) -> dict[str, TestFinished]:
        """The verdict's event of each test, by the method's name, in the order they ended."""
        return {
            event.test.method_name: event
            for event in self.events
            if isinstance(event, TestFinished)
        }

    @property
    def outcomes(self) -> dict[str, Outcome]:
        return {name: event.outcome for name, event in self.finished.items()}

    @property
    def fixtures(self) -> list[FixtureFailed]:
        return [event for event in self.events if isinstance(event, FixtureFailed)]

    def of(self, event_type: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, event_type)]


def tests_of(*classes: type[unittest.TestCase]) -> list[unittest.TestCase]:
    """Return the tests of the classes, in unittest's order."""
    loader = unittest.TestLoader()
    return [
        test
        for test_class in classes
        for test in map(test_class, loader.getTestCaseNames(test_class))
    ]


def run_classes(*classes: type[unittest.TestCase], **options: Any) -> Ran:
    """Run all tests of the classes; ``options`` are those of ``run_tests``."""
    return run_tests(tests_of(*classes), **options)


def run_tests(
    tests: Iterable[unittest.TestCase],
    *,
    plugins: Sequence[Plugin] = (),
    failfast: bool = False,
    keep_going: bool = False,
    retries: int | None = 0,
    max_failures: int = 0,
    wanted: Callable[[TestFinished], bool] = lambda event: True,
    hide: bool = True,
    companion: unittest.TestResult | None = None,
    on_failure: Callable[[ExcInfo], None] | None = None,
    prepare: Callable[[PlannedStage], None] = lambda stage: None,
    subscribers: Iterable[Callable[[Event], None]] = (),
) -> Ran:
    """Run the tests stage by stage. ``hide`` keeps what they print from the terminal."""
    bus, manager, events, summed = EventBus(), PluginManager(plugins), [], RunResult()
    bus.subscribe(events.append)
    bus.subscribe(summed.handle_event)
    for subscriber in subscribers:
        bus.subscribe(subscriber)
    capture = OutputCapture(limit=1000, hide=hide)
    plan = make_plan(tests, DEFAULT_STAGES)
    retrying = Retries(
        plan,
        emit=bus.emit,
        retries=retries,
        max_failures=max_failures,
        failfast=failfast,
        wanted=wanted,
    )
    result = EventResult(
        emit=retrying.take, capture=capture, companion=companion, on_failure=on_failure
    )
    result.failfast = failfast and not retrying.active
    executor = SerialExecutor(
        emit=bus.emit, plugins=manager, result=result, capture=capture, retries=retrying
    )
    run = TestRun(
        plan,
        executor,
        bus,
        manager,
        prepare=prepare,
        keep_going=keep_going,
        failfast=failfast,
    )
    ran = Ran(events, summed, run)
    with manager.active():
        run.run()
    return ran


@contextmanager
def module_of(
    *classes: type[unittest.TestCase], name: str = "tests.made_module", **members: Any
) -> Iterator[ModuleType]:
    """Make a module of the classes, with ``setUpModule`` and the like, while the block lasts."""
    module = ModuleType(name)
    vars(module).update(members)
    for test_class in classes:
        test_class.__module__ = name
        setattr(module, test_class.__name__, test_class)
    with mock.patch.dict(sys.modules, {name: module}):
        yield module


def behaviors(**changes: Any) -> list[Plugin]:
    """Return the built-in behaviors; ``changes`` are fields of the configuration.

    They refuse no query: what stands guard over connections is part of the run around this one.
    """
    config = replace(conf.load({}), **changes)
    return built_in(config, lambda test_name: nullcontext())
