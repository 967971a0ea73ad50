"""From events to a ``unittest.TestResult`` of the whole run."""

from __future__ import annotations

import unittest
from collections.abc import Iterable
from typing import Any

from ..events import Event, Failure, FixtureFailed, Outcome, TestFinished, TestInfo


class TestHandle:
    """Stands for a test in the lists of RunResult: named as the test, nothing more."""

    __test__ = False

    def __init__(self, info: TestInfo) -> None:
        self.info = info

    def id(self) -> str:
        return self.info.id

    def shortDescription(self) -> str | None:
        return self.info.description or None

    def __str__(self) -> str:
        return self.info.name


class FixtureHandle:
    """Stands for a class or module fixture in the lists of RunResult."""

    def __init__(self, name: str) -> None:
        self._name = name

    def id(self) -> str:
        return self._name

    __str__ = id

    def shortDescription(self) -> str | None:
        return None


class RunResult(unittest.TestResult):
    """The whole run as a ``unittest.TestResult``, made from its events.

    A list holds each test once. ``not_run`` are the tests that were left out, with the reason;
    a run with such tests was not successful. ``flaky`` are those that passed after they had
    failed, with their first failure; with ``fail_on_flaky`` a run with such was not successful.
    """

    def __init__(self, *, fail_on_flaky: bool = False) -> None:
        super().__init__()
        self._fail_on_flaky = fail_on_flaky
        self.not_run: list[tuple[TestHandle, str]] = []
        self.flaky: list[tuple[TestHandle, str]] = []

    def handle_event(self, event: Event) -> None:
        if isinstance(event, TestFinished):
            self._add(event)
        elif isinstance(event, FixtureFailed) and not event.before_tests:
            handle: Any = FixtureHandle(event.failure.fixture)
            self.errors.append((handle, event.failure.traceback))

    def _add(self, event: TestFinished) -> None:
        outcome = event.outcome
        if outcome is Outcome.NOT_RUN:
            self.not_run.append((TestHandle(event.test), event.reason))
            return
        self.testsRun += 1
        if event.flaky:
            self.flaky.append((TestHandle(event.test), _texts(event.earlier[0].failures)))
        if outcome is Outcome.PASSED:
            return
        handle: Any = TestHandle(event.test)
        text = _texts(event.failures)
        if outcome is Outcome.FAILED:
            self.failures.append((handle, text))
        elif outcome is Outcome.ERRORED:
            self.errors.append((handle, text))
        elif outcome is Outcome.SKIPPED:
            self.skipped.append((handle, event.reason))
        elif outcome is Outcome.EXPECTED_FAILURE:
            self.expectedFailures.append((handle, text))
        else:
            self.unexpectedSuccesses.append(handle)

    def wasSuccessful(self) -> bool:
        failed_by_flaky = self._fail_on_flaky and self.flaky
        return super().wasSuccessful() and not self.not_run and not failed_by_flaky


def _texts(failures: Iterable[Failure]) -> str:
    return "\n".join(failure.traceback for failure in failures)
