"""Runs tests one after the other in this process, with their class and module fixtures."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..attachments import attachments_of
from ..collection.describing import dotted_name
from ..collection.stages import PlannedTest
from ..plugins import Hook, PluginManager
from .results import EventResult
from .safeguards import ENDINGS

__unittest = True  # unittest leaves the frames of this module out of tracebacks

# unittest lets these, from a fixture, end the process, perhaps with success.
PROBLEMS = (Exception, *ENDINGS)


class FixtureSuite(unittest.TestSuite):
    """unittest's own handling of fixtures, with the plugins' hooks around classes and tests.

    Tests that a failed fixture keeps from running are told to the result, one by one; unittest
    leaves them out without a word.
    """

    def __init__(self, plugins: PluginManager) -> None:
        super().__init__()
        self._plugins = plugins
        self._class_teardowns: list[Hook] = []
        self._blocked = False  # the tests of the class, by a fixture that failed

    def run_planned(
        self,
        tests: Iterable[PlannedTest],
        result: EventResult,
        again: Callable[[], Sequence[PlannedTest]] = lambda: (),
    ) -> None:
        """Run ``tests`` until the result says stop, then the pending tear-downs.

        When the tests of a class have run, those that ``again()`` returns run, in a class that is
        set up anew, until it returns none.
        """
        state: Any = result
        try:
            for planned in tests:
                if result.shouldStop:
                    break
                test = planned.take()
                previous = getattr(result, "_previousTestClass", None)
                if previous is not None and type(test) is not previous:
                    self._run_again(again, result)
                    if state.shouldStop:
                        break
                self._run_in_class(test, planned, result)
            self._run_again(again, result)
        finally:
            self._tearDownPreviousClass(None, state)
            self._handleModuleTearDown(state)  # type: ignore[attr-defined]
            result.current_class = ""
            state._previousTestClass = None

    def _run_in_class(
        self, test: unittest.TestCase, planned: PlannedTest, result: EventResult
    ) -> None:
        """Run the test, after the fixtures that come before it."""
        state: Any = result
        test_class = type(test)
        if test_class is not getattr(result, "_previousTestClass", None):
            result.current_class = dotted_name(test_class)
            self._tearDownPreviousClass(test, state)
            self._handleModuleFixture(test, state)
            self._handleClassSetUp(test, state)
            state._previousTestClass = test_class
            self._blocked = getattr(test_class, "_classSetupFailed", False) or getattr(
                result, "_moduleSetUpFailed", False
            )
        if self._blocked:
            result.block(planned.info)
        else:
            self._run_test(test, planned, result)

    def _run_again(self, again: Callable[[], Sequence[PlannedTest]], result: EventResult) -> None:
        state: Any = result
        while not state.shouldStop and (tests := again()):
            self._end_class(result)
            for planned in tests:
                if state.shouldStop:
                    break
                self._run_in_class(planned.take(), planned, result)

    def _end_class(self, result: Any) -> None:
        """Tear the class down, and have unittest believe that another one of its module came
        after it: so the class is set up anew, and the module only if its set-up failed.
        """
        previous: Any = result._previousTestClass
        self._tearDownPreviousClass(None, result)
        failed = getattr(result, "_moduleSetUpFailed", False)
        other = type("Between", (), {"__module__": previous.__module__})
        result._previousTestClass = None if failed else other

    def _run_test(
        self, test: unittest.TestCase, planned: PlannedTest, result: EventResult
    ) -> None:
        result.begin(planned)
        try:
            teardowns = self._plugins.set_up_test(test)
        except unittest.SkipTest as skip:
            result.addSkip(test, str(skip))
        except PROBLEMS:
            result.addError(test, sys.exc_info())
        else:
            try:
                test(result)
            except ENDINGS:  # from Django's own set-up of the test
                result.addError(test, sys.exc_info())
            finally:
                for teardown in teardowns:
                    try:
                        teardown(test=test)
                    except PROBLEMS:
                        result.addError(test, sys.exc_info())
        result.end(leaks=vars(test).get("_sane_leaks", ()), attachments=attachments_of(test))

    def _handleModuleFixture(self, test: Any, result: Any) -> None:
        if self._get_previous_module(result) != type(test).__module__:  # type: ignore[attr-defined]
            result.fixture_passed("setUpModule")
        try:
            super()._handleModuleFixture(test, result)  # type: ignore[misc]
        except ENDINGS:
            result._moduleSetUpFailed = True
            result.fixture_failed("setUpModule", type(test).__module__, sys.exc_info())

    def _handleClassSetUp(self, test: Any, result: Any) -> None:
        test_class: Any = type(test)
        if test_class is getattr(result, "_previousTestClass", None):
            return
        result.fixture_passed("setUpClass")
        if not self._skips_fixtures(test_class, result):
            try:
                self._class_teardowns = self._plugins.set_up("class", test_class=test_class)
            except unittest.SkipTest as skip:
                test_class._classSetupFailed = True
                result.fixture_skipped("setUpClass", str(skip))
                return
            except PROBLEMS:
                test_class._classSetupFailed = True
                result.fixture_failed("setUpClass", dotted_name(test_class), sys.exc_info())
                return
        try:
            super()._handleClassSetUp(test, result)  # type: ignore[misc]
        except ENDINGS:
            test_class._classSetupFailed = True
            result.fixture_failed("setUpClass", dotted_name(test_class), sys.exc_info())
            test_class.doClassCleanups()

    def _tearDownPreviousClass(self, test: Any, result: Any) -> None:
        previous: Any = getattr(result, "_previousTestClass", None)
        if previous is type(test):
            return
        try:
            super()._tearDownPreviousClass(test, result)  # type: ignore[misc]
        except ENDINGS:
            result.fixture_failed("tearDownClass", dotted_name(previous), sys.exc_info())
            previous.doClassCleanups()
        teardowns, self._class_teardowns = self._class_teardowns, []
        for teardown in teardowns:
            try:
                teardown(test_class=previous)
            except PROBLEMS:
                result.fixture_failed("tearDownClass", dotted_name(previous), sys.exc_info())

    @staticmethod
    def _skips_fixtures(test_class: Any, result: Any) -> bool:
        return bool(
            getattr(result, "_moduleSetUpFailed", False)
            or getattr(test_class, "__unittest_skip__", False)
        )
