"""From unittest's results to events."""

from __future__ import annotations

import time
import traceback
import unittest
from collections.abc import Callable
from types import TracebackType
from typing import Any, Union

from ..collection.stages import PlannedTest
from ..events import Event, Failure, FixtureFailed, Outcome, TestFinished, TestInfo, TestStarted
from ..exceptions import RewindError
from .capture import OutputCapture
from .sql import QueryLog

ExcInfo = Union[  # noqa: UP007 (as typeshed spells it)
    tuple[type[BaseException], BaseException, TracebackType], tuple[None, None, None]
]

_FIXTURES_BEFORE_TESTS = frozenset({"setUpClass", "setUpModule"})


class EventResult(unittest.TestResult):
    """Takes what unittest reports of a test and emits one TestFinished for it.

    The suite calls ``begin`` and ``end`` around each test: Django reports errors of a test's
    set-up before ``startTest`` and of its tear-down after ``stopTest``. ``companion`` is a
    project's own result object, told everything as well. ``on_failure`` is called with the
    exception's info (``--pdb``).
    """

    def __init__(
        self,
        *,
        emit: Callable[[Event], None],
        capture: OutputCapture,
        queries: QueryLog | None = None,
        companion: unittest.TestResult | None = None,
        on_failure: Callable[[ExcInfo], None] | None = None,
        worker: int = 0,
    ) -> None:
        super().__init__()
        self._emit = emit
        self._capture = capture
        self._queries = queries
        self._companion = companion
        self._on_failure = on_failure
        self._worker = worker
        self._stage = ""
        self._planned: PlannedTest | None = None
        self.current_class = ""
        self.stopped_by = ""  # what makes further tests meaningless
        self._outcomes: list[Outcome] = []
        self._failures: list[Failure] = []
        self._reason = ""
        self._blocked: dict[str, Failure | str] = {}
        self._started_at = self._clock = 0.0
        #: Whether anybody wants to know that a test has begun.
        self.tells_starts = True

    @property
    def current_test(self) -> str:
        """What runs: a test's id, or the class whose fixtures run; "" for neither."""
        return self._planned.info.id if self._planned else self.current_class

    def running(self) -> tuple[TestInfo, float] | None:
        """Return the test that runs, and when it began by the monotonic clock."""
        return (self._planned.info, self._clock) if self._planned else None

    # Around a stage and around each test

    def begin_stage(self, stage: str) -> None:
        self._stage = stage
        self._blocked.clear()

    def begin(self, planned: PlannedTest) -> None:
        """``planned`` runs now."""
        self._outcomes, self._failures, self._reason = [], [], ""
        self._planned = planned
        self.drop_output()
        if self._queries is not None:
            self._queries.start()
        if self.tells_starts:
            self._emit(TestStarted(planned.info, self._worker))
        self._started_at = time.time()
        self._clock = time.monotonic()

    def drop_output(self) -> None:
        """What was printed before a test is not the test's."""
        self._capture.take()

    def end(self, *, leaks: tuple[str, ...] = (), attachments: tuple[str, ...] = ()) -> None:
        """The test that was begun has ended: emit its verdict, what it left changed, and the
        files that tell more of it.
        """
        assert self._planned is not None
        duration = time.monotonic() - self._clock
        sql = self._queries.stop() if self._queries is not None else ""
        stdout, stderr = self._capture.take()
        outcome = self._verdict()
        info, self._planned = self._planned.info, None
        self._emit(
            TestFinished(
                info,
                outcome,
                self._started_at,
                duration,
                self._reason,
                tuple(self._failures),
                stdout,
                stderr,
                sql,
                self._worker,
                leaks,
                attachments=attachments,
            )
        )
        if self.failfast and outcome.is_bad:
            self.stop()

    def block(self, info: TestInfo) -> None:
        """``info`` cannot run: a fixture of its class or module failed, or skipped it."""
        problem = next(iter(self._blocked.values()), "")
        failed = isinstance(problem, Failure)
        self._emit(
            TestFinished(
                info,
                Outcome.ERRORED if failed else Outcome.SKIPPED,
                time.time(),
                0.0,
                reason="" if isinstance(problem, Failure) else problem,
                failures=(problem,) if isinstance(problem, Failure) else (),
                worker=self._worker,
            )
        )

    def blame(self, error: BaseException) -> None:
        """Something that the running test has started, a thread, has raised ``error``."""
        if self._planned is not None:
            self._outcomes.append(Outcome.ERRORED)
            text = f"{type(error).__name__}: {error}\n"
            self._failures.append(Failure(True, type(error).__name__, _message(error), text))

    def interrupt(self) -> None:
        """The user has interrupted the test that is running."""
        if self._planned is not None:
            self._outcomes.append(Outcome.ERRORED)
            self._failures.append(
                Failure(True, "KeyboardInterrupt", "interrupted", traceback.format_exc())
            )
            self.end()

    def fixture_passed(self, fixture: str) -> None:
        """A fixture of this name begins anew; what an earlier one left blocks nothing now."""
        self._blocked.pop(fixture, None)

    def fixture_failed(self, fixture: str, owner: str, err: ExcInfo) -> None:
        """A class or module fixture raised; tests that wait for it are to be blocked."""
        failure = self._failure(err, None, fixture=f"{fixture} ({owner})")
        before_tests = fixture in _FIXTURES_BEFORE_TESTS
        if before_tests:
            self._blocked.setdefault(fixture, failure)
        stdout, stderr = self._capture.take()
        self._emit(
            FixtureFailed(
                fixture, owner, failure, self._stage, before_tests, stdout, stderr, self._worker
            )
        )
        self._debug(err)
        if self.failfast:
            self.stop()

    def fixture_skipped(self, fixture: str, reason: str) -> None:
        if fixture in _FIXTURES_BEFORE_TESTS:
            self._blocked.setdefault(fixture, reason)

    # What unittest calls

    def startTest(self, test: unittest.TestCase) -> None:
        self.testsRun += 1  # what it buffers in unittest is captured here
        if self._companion is not None:
            self._tell("startTest", test)

    def stopTest(self, test: unittest.TestCase) -> None:
        if self._companion is not None:
            self._tell("stopTest", test)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self._outcomes.append(Outcome.PASSED)
        if self._companion is not None:
            self._tell("addSuccess", test)

    def addError(self, test: unittest.TestCase, err: ExcInfo) -> None:
        self._tell("addError", test, err)
        if is_fixture(test):
            fixture, _, owner = str(test).partition(" ")
            self.fixture_failed(fixture, owner.strip("()"), err)
            return
        self._add(Outcome.ERRORED, test, err)

    def addFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:
        self._tell("addFailure", test, err)
        self._add(Outcome.FAILED, test, err)

    def addSubTest(
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: ExcInfo | None
    ) -> None:
        self._tell("addSubTest", test, subtest, err)
        if err is None or err[0] is None:
            return
        failed = issubclass(err[0], test.failureException)
        label = subtest._subDescription()  # type: ignore[attr-defined]
        self._add(Outcome.FAILED if failed else Outcome.ERRORED, test, err, subtest=label)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self._tell("addSkip", test, reason)
        if is_fixture(test):
            self.fixture_skipped(str(test).partition(" ")[0], reason)
            return
        self._outcomes.append(Outcome.SKIPPED)
        self._reason = self._reason or str(reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:
        self._tell("addExpectedFailure", test, err)
        self._outcomes.append(Outcome.EXPECTED_FAILURE)
        self._failures.append(self._failure(err, test))

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self._tell("addUnexpectedSuccess", test)
        self._outcomes.append(Outcome.UNEXPECTED_SUCCESS)

    def addDuration(self, test: unittest.TestCase, elapsed: float) -> None:
        """Python 3.12 and later; durations are measured around Django's set-up as well."""
        self._tell("addDuration", test, elapsed)

    # Details

    def _add(
        self, outcome: Outcome, test: unittest.TestCase, err: ExcInfo, subtest: str = ""
    ) -> None:
        failure = self._failure(err, test, is_error=outcome is Outcome.ERRORED, subtest=subtest)
        self._outcomes.append(outcome)
        self._failures.append(failure)
        # Tests look here, in tearDown(), for whether they have failed.
        listed = self.errors if failure.is_error else self.failures
        listed.append((test, failure.traceback))
        self._debug(err)

    def _failure(
        self,
        err: ExcInfo,
        test: unittest.TestCase | None,
        *,
        is_error: bool = True,
        subtest: str = "",
        fixture: str = "",
    ) -> Failure:
        if isinstance(err[1], RewindError):
            first_line = _message(err[1]).partition("\n")[0]
            self.stopped_by = self.stopped_by or f"{type(err[1]).__name__}: {first_line}"
            self.stop()
        text = self._exc_info_to_string(err, test or unittest.TestCase())  # type: ignore[attr-defined]
        kind = err[0].__name__ if err[0] is not None else "Exception"
        return Failure(is_error, kind, _message(err[1]), text, subtest, fixture)

    def _verdict(self) -> Outcome:
        if len(self._outcomes) == 1:
            return self._outcomes[0]
        for outcome in _DECIDING_OUTCOMES:
            if outcome in self._outcomes:
                return outcome
        self._reason = "its run() method reported no outcome"
        return Outcome.SKIPPED

    def _tell(self, method: str, *args: Any) -> None:
        if self._companion is None:
            return
        listener = getattr(self._companion, method, None)
        if listener is not None:
            listener(*args)

    def _debug(self, err: ExcInfo) -> None:
        if self._on_failure is not None:
            self._on_failure(err)


# Of several outcomes of one test (of its subtests, of its tear-down), the first here counts.
_DECIDING_OUTCOMES = (
    Outcome.ERRORED,
    Outcome.FAILED,
    Outcome.UNEXPECTED_SUCCESS,
    Outcome.EXPECTED_FAILURE,
    Outcome.SKIPPED,
    Outcome.PASSED,
)


def is_fixture(test: Any) -> bool:
    """Whether unittest reports a class or module fixture in the place of a test."""
    return isinstance(test, unittest.suite._ErrorHolder)  # type: ignore[attr-defined]


def _message(exception: BaseException | None) -> str:
    try:
        return str(exception)
    except Exception as error:
        return f"<str() of the exception raised {type(error).__name__}>"
