"""Event streams made by hand: runs that reporters can be shown without running a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sanerunner.events import (
    Attempt,
    Event,
    Failure,
    FixtureFailed,
    Outcome,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    TestFinished,
    TestInfo,
    TestRetried,
    TestStarted,
    WorkerStarted,
)

STARTED_AT = 1_700_000_000.0

EMPTY: list[Event] = [RunStarted(STARTED_AT, 0, ()), RunFinished(True, 0.0)]


def send(events: Iterable[Event], *subscribers: Callable[[Event], None]) -> None:
    """Give each event to every subscriber, in their order."""
    for event in events:
        for subscriber in subscribers:
            subscriber(event)


def test_info(method: str = "test_add", *, case: str = "CartTests", **changes: Any) -> TestInfo:
    class_name = f"shop.tests.{case}"
    values: dict[str, Any] = {
        "id": f"{class_name}.{method}",
        "class_name": class_name,
        "method_name": method,
        "kind": "unit",
        "stage": "unit",
        "file": "shop/tests.py",
        "line": 7,
        "name": f"{method} ({class_name}.{method})",
        "label": f"{class_name}.{method}",
    }
    return TestInfo(**{**values, **changes})


def traceback(exception: str) -> str:
    return (
        "Traceback (most recent call last):\n"
        '  File "shop/tests.py", line 8, in test_add\n'
        "    self.add()\n"
        f"{exception}\n"
    )


def failure(exception: str = "AssertionError: 1 != 2", **changes: Any) -> Failure:
    kind, _, message = exception.partition(": ")
    is_error = kind != "AssertionError"
    values: dict[str, Any] = {
        "is_error": is_error,
        "type": kind,
        "message": message,
        "traceback": traceback(exception),
    }
    return Failure(**{**values, **changes})


def finished(test: TestInfo, outcome: Outcome = Outcome.PASSED, **changes: Any) -> TestFinished:
    values: dict[str, Any] = {"started_at": STARTED_AT, "duration": 0.25}
    return TestFinished(test, outcome, **{**values, **changes})


def attempt(exception: str = "AssertionError: 1 != 2") -> Attempt:
    return Attempt(Outcome.FAILED, STARTED_AT, 0.5, (failure(exception),))


def retried(test: TestInfo, number: int = 1) -> TestRetried:
    return TestRetried(test, number, attempt())


def flaky(test: TestInfo, exception: str = "AssertionError: 1 != 2") -> list[Event]:
    """A test that failed and then passed."""
    verdict = finished(test, attempt=2, earlier=(attempt(exception),))
    return [TestStarted(test), retried(test), TestStarted(test), verdict]


def ran(test: TestInfo, outcome: Outcome = Outcome.PASSED, **changes: Any) -> list[Event]:
    """A test that started and came to a verdict."""
    worker = changes.get("worker", 0)
    return [TestStarted(test, worker), finished(test, outcome, **changes)]


def failed(test: TestInfo, *failures: Failure, **changes: Any) -> list[Event]:
    """A test with these failures, or with one failed assertion."""
    failures = failures or (failure(),)
    is_error = any(one.is_error for one in failures)
    outcome = Outcome.ERRORED if is_error else Outcome.FAILED
    return ran(test, outcome, failures=failures, **changes)


def not_run(tests: Iterable[TestInfo], reason: str) -> list[Event]:
    return [finished(test, Outcome.NOT_RUN, duration=0.0, reason=reason) for test in tests]


def fixture_failed(
    fixture: str, tests: Iterable[TestInfo] = (), *, case: str = "CartTests", **changes: Any
) -> list[Event]:
    """A class fixture that raised and, for a set-up, the tests that it kept from running."""
    owner = f"shop.tests.{case}"
    raised = failure("ValueError: no stock", fixture=f"{fixture} ({owner})")
    values: dict[str, Any] = {"stage": "unit", "before_tests": fixture.startswith("setUp")}
    event = FixtureFailed(fixture, owner, raised, **{**values, **changes})
    verdicts = [finished(test, Outcome.ERRORED, failures=(raised,)) for test in tests]
    return [event, *verdicts]


def stage(name: str, events: Iterable[Event]) -> list[Event]:
    """The events of a stage, between its beginning and its end."""
    events = list(events)
    verdicts = [event for event in events if isinstance(event, TestFinished)]
    broken = any(isinstance(event, FixtureFailed) for event in events)
    successful = not broken and not any(event.outcome.is_bad for event in verdicts)
    return [
        StageStarted(name, len(verdicts), STARTED_AT),
        *events,
        StageFinished(name, successful, 0.5),
    ]


def run(
    *parts: Iterable[Event], stopped_by: str = "", total: int | None = None, workers: int = 0
) -> list[Event]:
    """A whole run of these parts (stages, and the tests of stages that were left out)."""
    events = [event for part in parts for event in part]
    verdicts = [event for event in events if isinstance(event, TestFinished)]
    stages = tuple(dict.fromkeys(event.test.stage for event in verdicts))
    kinds: dict[str, int] = {}
    for event in verdicts:
        kinds[event.test.kind] = kinds.get(event.test.kind, 0) + 1
    successful = all(event.successful for event in events if isinstance(event, StageFinished))
    if total is None:
        total = len(verdicts)
    return [
        RunStarted(STARTED_AT, total, stages, kinds),
        *(WorkerStarted(worker, 1000 + worker) for worker in range(1, workers + 1)),
        *events,
        RunFinished(successful and not stopped_by, 1.5, stopped_by),
    ]


def every_outcome() -> list[Event]:
    """One test of each outcome that a test which ran can have."""
    return run(
        stage(
            "unit",
            [
                *ran(test_info("test_add")),
                *failed(test_info("test_fail"), stdout="total: 3\n", stderr="careful"),
                *failed(test_info("test_raise", description="Raises."), failure("KeyError: 'x'")),
                *ran(test_info("test_skip"), Outcome.SKIPPED, reason="it's late"),
                *ran(test_info("test_known"), Outcome.EXPECTED_FAILURE, failures=(failure(),)),
                *ran(test_info("test_fixed"), Outcome.UNEXPECTED_SUCCESS),
            ],
        )
    )


def failed_stage(left_out: int = 3) -> list[Event]:
    """A stage that failed, and the tests of the next one, which were not run for it."""
    tests = [
        test_info(f"test_{place}", case="OrderTests", stage="database", kind="database")
        for place in range(left_out)
    ]
    return run(
        stage("unit", [*ran(test_info("test_add")), *failed(test_info("test_fail"))]),
        not_run(tests, "stage 'unit' failed"),
        stopped_by="stage 'unit' failed",
    )


def subtests() -> list[Event]:
    """Failed subtests: alone, and together with a failure of the test itself."""
    alone = test_info("test_each", description="Each of them.")
    both = test_info("test_both")
    return run(
        stage(
            "unit",
            [
                *failed(
                    alone,
                    failure(subtest="[odd] (i=1)"),
                    failure("KeyError: 'x'", subtest="(i=3)"),
                    stdout="one\n",
                ),
                *failed(both, failure(subtest="(i=1)"), failure("AssertionError: at the end")),
                *ran(test_info("test_last")),
            ],
        )
    )


def failed_fixtures() -> list[Event]:
    """A set-up that kept two tests from running, and a tear-down that came after one."""
    kept_out = [test_info("test_add"), test_info("test_remove")]
    return run(
        stage(
            "unit",
            [
                *fixture_failed("setUpClass", kept_out, stdout="setting up\n"),
                *ran(test_info("test_pay", case="OrderTests")),
                *fixture_failed("tearDownClass", case="OrderTests"),
            ],
        )
    )
