"""What a run tells its reporters: frozen dataclasses of plain values.

No event holds a live exception, test or connection, so that every event can cross a pipe,
be written as a line of JSON and be replayed. Executors and the run emit them; reporters and
plugins only read them.

Units: times are seconds; points in time are seconds since the Unix epoch (UTC).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

_Event = TypeVar("_Event")


class Kind(str, enum.Enum):
    """What a test needs around it, in order of cost; the values of ``test_type``."""

    UNIT = "unit"
    DATABASE = "database"
    DESTRUCTIVE = "destructive"
    HTTP = "http"
    SELENIUM = "selenium"

    __str__ = str.__str__


class Outcome(str, enum.Enum):
    """A test's verdict. Every collected test ends with exactly one."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    SKIPPED = "skipped"
    EXPECTED_FAILURE = "expected failure"
    UNEXPECTED_SUCCESS = "unexpected success"
    NOT_RUN = "not run"

    __str__ = str.__str__
    __hash__ = str.__hash__  # that of Enum is a function in Python, and slow

    #: Whether this outcome makes the stage, and so the run, fail.
    is_bad: bool

    def __init__(self, value: str) -> None:
        self.is_bad = value in ("failed", "errored", "unexpected success")


def _quickly_made(event_type: type[_Event]) -> type[_Event]:
    """Let the constructor of a frozen dataclass set the slots directly.

    That of ``dataclass`` looks up ``object.__setattr__`` for each of them, which takes twice as
    long; what is made for every test should not.
    """
    names: dict[str, Any] = {}
    parameters, lines = ["self"], []
    made_type: Any = event_type
    for each in fields(made_type):
        names[f"set_{each.name}"] = getattr(event_type, each.name).__set__
        names[f"default_{each.name}"] = each.default
        has_default = each.default is not MISSING
        parameters.append(each.name + (f"=default_{each.name}" if has_default else ""))
        lines.append(f"    set_{each.name}(self, {each.name})")
    exec("\n".join([f"def __init__({', '.join(parameters)}):", *lines]), names)
    made = names["__init__"]
    made.__qualname__ = f"{event_type.__qualname__}.__init__"
    made.__annotations__ = made_type.__init__.__annotations__
    made_type.__init__ = made
    return event_type


@_quickly_made
@dataclass(frozen=True, slots=True)
class TestInfo:
    """What is known of a test before it runs.

    ``id`` is ``TestCase.id()``, made unique in the run; ``label`` is what to type after
    ``manage.py test`` to run it again ("" where no label names it). ``file`` is relative to the
    current directory when the test lies below it. ``line`` starts at 1; 0 means unknown.
    ``name`` is what unittest's verbose output shows (``str(test)``), ``description`` the first
    line of the docstring.
    """

    __test__ = False

    id: str
    class_name: str  # dotted path of the class
    method_name: str
    kind: str
    stage: str
    file: str = ""
    line: int = 0
    name: str = ""
    description: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """One exception that a test, a subtest or a fixture raised."""

    is_error: bool  # False for a failed assertion
    type: str  # the exception's class name
    message: str
    traceback: str  # the whole text, as unittest prints it
    subtest: str = ""  # unittest's description of the subtest: "(i=3)" or "[message] (i=3)"
    fixture: str = ""  # "setUpClass (shop.tests.CartTests)" when a fixture, not the test, raised


@dataclass(frozen=True, slots=True)
class RunStarted:
    started_at: float
    total: int
    stages: tuple[str, ...]
    kinds: Mapping[str, int] = field(default_factory=dict)  # how many tests of each kind


@dataclass(frozen=True, slots=True)
class StageStarted:
    stage: str
    total: int
    started_at: float


@dataclass(frozen=True, slots=True)
class DatabaseReady:
    """A test database may be used from now on. ``how`` is "created", "kept" or "rebuilt"."""

    alias: str
    name: str
    how: str
    duration: float


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    worker: int  # 0 is the process that runs the tests when there are no workers
    pid: int


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker has ended that was not to end. ``reason`` says how ("died (signal 9, SIGKILL)",
    "was ended after 60 s in one test"), ``test`` what it was running: the id of a test, the
    class whose fixtures ran, or "".
    """

    worker: int
    reason: str
    test: str = ""


@_quickly_made
@dataclass(frozen=True, slots=True)
class TestStarted:
    __test__ = False

    test: TestInfo
    worker: int = 0


@dataclass(frozen=True, slots=True)
class TestSlow:
    """A test is still running after ``running`` seconds; told again as it goes on."""

    __test__ = False

    test: TestInfo
    running: float
    worker: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a test that failed, and was not the last (``--retries``)."""

    outcome: Outcome
    started_at: float
    duration: float
    failures: tuple[Failure, ...] = ()
    stdout: str = ""
    stderr: str = ""
    sql: str = ""
    worker: int = 0
    leaks: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TestRetried:
    """A test has failed and is to run again. It is no verdict: that comes as TestFinished."""

    __test__ = False

    test: TestInfo
    attempt: int  # which one has failed; counted from 1
    failed: Attempt


@_quickly_made
@dataclass(frozen=True, slots=True)
class TestFinished:
    """The verdict. ``reason`` says why a test was skipped or not run.

    ``attempt`` is the one that decided it, counted from 1; ``earlier`` are those before.
    """

    __test__ = False

    test: TestInfo
    outcome: Outcome
    started_at: float
    duration: float  # by a monotonic clock, in the process that ran the test
    reason: str = ""
    failures: tuple[Failure, ...] = ()
    stdout: str = ""
    stderr: str = ""
    sql: str = ""
    worker: int = 0
    leaks: tuple[str, ...] = ()  # with --detect-leaks: "what: before → after"
    attempt: int = 1
    earlier: tuple[Attempt, ...] = ()
    attachments: tuple[str, ...] = ()  # paths of files, relative to the run's folder if below it

    @property
    def flaky(self) -> bool:
        """Whether the test passed after it had failed."""
        return bool(self.earlier) and not self.outcome.is_bad


@dataclass(frozen=True, slots=True)
class FixtureFailed:
    """A class or module fixture raised.

    The tests that a failed set-up kept from running get their own TestFinished (errored, with
    the same failure); where these run again it is told in their TestRetried only. A failed
    tear-down comes after its tests' verdicts, which stand; the
    stage fails all the same.
    """

    fixture: str  # "setUpClass", "tearDownClass", "setUpModule", "tearDownModule"
    owner: str  # dotted path of the class or module
    failure: Failure
    stage: str
    before_tests: bool  # whether it was a set-up, so that tests could not run
    stdout: str = ""
    stderr: str = ""
    worker: int = 0


@dataclass(frozen=True, slots=True)
class StageFinished:
    stage: str
    successful: bool
    duration: float


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The last event. ``stopped_by`` says why tests were left out ("" if none were)."""

    successful: bool
    duration: float
    stopped_by: str = ""


Event = (
    RunStarted
    | StageStarted
    | DatabaseReady
    | WorkerStarted
    | WorkerLost
    | TestStarted
    | TestSlow
    | TestRetried
    | TestFinished
    | FixtureFailed
    | StageFinished
    | RunFinished
)
