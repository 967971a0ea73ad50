"""Django's own runner, recording the verdict of every test. Runs in the stock side's process."""

from __future__ import annotations

import unittest
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.util import strclass

from django.conf import settings
from django.test.runner import DiscoverRunner
from django.test.utils import iter_test_cases  # type: ignore[attr-defined]
from recording import RecordWriter, execution_order

NAME = "_conformance_name"  # attribute of a test whose id is not the only one of its kind

_writer: RecordWriter | None = None


def writer() -> RecordWriter:
    """The record of this process's run; opened on first use, since workers never write it."""
    global _writer
    if _writer is None:
        _writer = RecordWriter(settings.CONFORMANCE_RECORD)
    return _writer


def describe(err: Any) -> str:
    """ "AssertionError: 1 != 2" of an exception triple."""
    return f"{err[0].__name__}: {err[1]}"


class RecordingResult(unittest.TextTestResult):
    """Writes down each verdict as unittest hands it over.

    A test may get several (a subtest fails, then tearDown errors), and also after stopTest();
    the reader of the record puts them together.
    """

    def _record(self, test: Any, verdict: str, reason: str = "") -> None:
        if isinstance(test, unittest.TestCase):
            # A subtest that calls skipTest() comes here itself, not by way of addSubTest().
            test = getattr(test, "test_case", test)
            name = getattr(test, NAME, test.id())
            writer().verdict(name, verdict, reason, strclass(type(test)))
        else:
            writer().fixture(test.id(), verdict, reason)  # unittest.suite._ErrorHolder

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self._record(test, "passed")

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self._record(test, "errored", describe(err))

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._record(test, "failed", describe(err))

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._record(test, "skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._record(test, "expected failure", describe(err))

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self._record(test, "unexpected success")

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            failed = issubclass(err[0], test.failureException)
            self._record(test, "failed" if failed else "errored", describe(err))


class StockRunner(DiscoverRunner):
    """DiscoverRunner with a result that records."""

    def get_resultclass(self) -> Any:
        return RecordingResult

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        seen: Counter[str] = Counter()
        for test in iter_test_cases(suite):
            seen[test.id()] += 1
            if seen[test.id()] > 1:  # numbered as SaneRunner does
                setattr(test, NAME, f"{test.id()}[{seen[test.id()]}]")
            name = getattr(test, NAME, test.id())
            writer().collected(name, strclass(type(test)), type(test).__module__)
        if settings.CONFORMANCE_ORDER:
            suite = self._ordered(suite)
        return super().run_suite(suite, **kwargs)

    def _ordered(self, suite: Any) -> Any:
        """The suite in the order of another run; tests that it had not come last."""
        order = execution_order(Path(settings.CONFORMANCE_ORDER))
        tests = sorted(
            iter_test_cases(suite),
            key=lambda test: order.get(getattr(test, NAME, test.id()), len(order)),
        )
        return self.test_suite(tests)

    def run_tests(self, test_labels: Any, **kwargs: Any) -> int:
        failures = super().run_tests(test_labels, **kwargs)
        writer().finished()
        return failures
