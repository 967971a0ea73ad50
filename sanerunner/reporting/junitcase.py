"""One testcase and one testsuite of a JUnit XML report, made from events.

unittest-xml-reporting's report methods (the same in its releases 3.2 and 4.0) build the nodes.
They take class and name apart at the last dot and the first space, guess a suite's file from its
module, stamp a suite with its last test's time and leave attributes as they come: all that is
put right here.

One testcase has at most one ``<failure>`` or ``<error>``, which tells of all its failures. The
schemas allow several, but Jenkins, Azure and others read only the first.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from xml.dom.minidom import Document, Element

from xmlrunner.result import _TestInfo, _XMLTestResult

from ..events import Failure, Outcome, TestFinished, TestInfo
from .xmltext import cap, clean, comment

MESSAGE_LIMIT = 4_000  # characters of a message attribute; the whole is in the element's text

_RESULTS = {
    Outcome.PASSED: _TestInfo.SUCCESS,
    Outcome.FAILED: _TestInfo.FAILURE,
    Outcome.ERRORED: _TestInfo.ERROR,
    Outcome.SKIPPED: _TestInfo.SKIP,
    Outcome.EXPECTED_FAILURE: _TestInfo.SKIP,
    Outcome.UNEXPECTED_SUCCESS: _TestInfo.FAILURE,
    Outcome.NOT_RUN: _TestInfo.SKIP,
}
# What unittest calls the tests that stand for a module or name that did not load.
_LOADER_CLASSES = frozenset({"unittest.loader._FailedTest", "unittest.loader.ModuleSkipped"})


class Verdict(NamedTuple):
    """The type, message and text of a testcase's ``<failure>``, ``<error>`` or ``<skipped>``."""

    type: str = ""
    message: str = ""
    text: str = ""


class Rerun(NamedTuple):
    """One attempt as an element of a testcase."""

    tag: str
    type: str
    message: str
    text: str
    stdout: str
    stderr: str

    def report(self, document: Document, testcase: Element) -> None:
        """Append the element."""
        element = testcase.appendChild(document.createElement(self.tag))
        element.setAttribute("message", self.message)
        element.setAttribute("type", self.type)
        for tag, text in (
            ("stackTrace", self.text),
            ("system-out", self.stdout),
            ("system-err", self.stderr),
        ):
            if text:
                child = element.appendChild(document.createElement(tag))
                _XMLTestResult._createCDATAsections(document, child, text)


@lru_cache(maxsize=100)
def _timestamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


@lru_cache(maxsize=100)
def _posix(file: str) -> str:
    return clean(Path(file).as_posix())


class Case(_TestInfo):  # type: ignore[misc]
    """A testcase, with the attributes that unittest-xml-reporting's report methods read."""

    def __init__(
        self,
        *,
        classname: str,
        name: str,
        outcome: Outcome,
        verdict: Verdict,
        started_at: float,
        limit: int,
        duration: float = 0,
        file: str = "",
        line: int = 0,
        stdout: str = "",
        stderr: str = "",
        description: str = "",
        fixture: str = "",
        reruns: tuple[Rerun, ...] = (),
    ) -> None:
        # The base class's __init__ wants a live result, test and exception.
        self.classname = classname
        self.name = name
        self.test_name = classname
        self.test_id = f"{classname}.{name}"
        self.outcome = _RESULTS[outcome]
        self.elapsed_time = max(duration, 0)
        self.timestamp = _timestamp(int(started_at))
        self.test_exception_name = clean(verdict.type)
        self.test_exception_message = clean(cap(verdict.message, MESSAGE_LIMIT))
        self.test_exception_info = clean(cap(verdict.text, limit))
        self.test_description = description
        self.stdout = clean(cap(stdout, limit))
        self.stderr = clean(cap(stderr, limit))
        self.doc = comment(description) or None
        # Set on the element by Suite: the report methods would ask for the current directory,
        # which a test may have removed.
        self.filename = None
        self.lineno = None
        self.file = _posix(file) if file else ""
        self.line = line
        self.fixture = fixture
        self.reruns = reruns

    @property
    def is_bad(self) -> bool:
        return self.outcome in (_TestInfo.FAILURE, _TestInfo.ERROR)


@dataclass
class Suite:
    """The testcases of one class. ``stdout`` and ``stderr`` are those of its set-up."""

    name: str
    cases: list[Case] = field(default_factory=list)
    names: set[str] = field(default_factory=set)  # of its cases
    stdout: str = ""
    stderr: str = ""

    @property
    def file(self) -> str:
        return next((case.file for case in self.cases if case.file), "")

    @property
    def elapsed_time(self) -> float:
        return sum(case.elapsed_time for case in self.cases)

    def count(self, result: int) -> int:
        return sum(case.outcome == result for case in self.cases)

    def report(self, document: Document, parent: Document | Element, *, strict: bool) -> None:
        """Append the suite's element to the parent."""
        element = _XMLTestResult._report_testsuite(self.name, self.cases, document, parent, None)
        element.setAttribute("timestamp", min(case.timestamp for case in self.cases))
        element.setAttribute("hostname", clean(socket.gethostname()))
        _set(element, "file", "" if strict else self.file)
        testcases = element.getElementsByTagName("testcase")
        for testcase, case in zip(testcases, self.cases, strict=True):
            testcase.setAttribute("classname", case.classname)
            testcase.setAttribute("name", case.name)
            if strict:
                testcase.removeAttribute("timestamp")
            else:
                _set(testcase, "file", case.file)
                _set(testcase, "line", str(case.line or ""))
            for rerun in case.reruns:
                rerun.report(document, testcase)
        for tag, text in (("system-out", self.stdout), ("system-err", self.stderr)):
            if text:
                output = element.appendChild(document.createElement(tag))
                _XMLTestResult._createCDATAsections(document, output, text)


def set_totals(root: Element, suites: Sequence[Suite]) -> None:
    """Put the sums of all suites on ``<testsuites>``; no schema has a place for the skipped."""
    root.setAttribute("tests", str(sum(len(suite.cases) for suite in suites)))
    root.setAttribute("failures", str(sum(suite.count(_TestInfo.FAILURE) for suite in suites)))
    root.setAttribute("errors", str(sum(suite.count(_TestInfo.ERROR) for suite in suites)))
    root.setAttribute("time", f"{sum(suite.elapsed_time for suite in suites):.3f}")


def _set(element: Element, name: str, value: str) -> None:
    """Set the attribute, or take it away where there is no value."""
    if value:
        element.setAttribute(name, value)
    elif element.hasAttribute(name):
        element.removeAttribute(name)


def xml_names(test: TestInfo) -> tuple[str, str]:
    """Return the test's classname and name as the report has them.

    The name is what the id has after the class, so it is unique where the id is. A test that
    stands for a module that did not load is told under that module; a doctest under its place.
    """
    if test.class_name in _LOADER_CLASSES and test.method_name:
        return test.method_name, "load"
    prefix = f"{test.class_name}."
    if test.class_name and test.id.startswith(prefix) and test.id != prefix:
        return test.class_name, test.id[len(prefix) :]
    place, _, name = test.id.rpartition(".")
    if place and name and test.class_name.startswith("doctest."):
        return place, name
    return test.class_name or "unknown", test.id or test.method_name or "unknown"


def leaks_text(event: TestFinished) -> str:
    """Return what the test left changed, to stand below what it printed."""
    if not event.leaks:
        return ""
    start = "\n" if event.stdout and not event.stdout.endswith("\n") else ""
    return f"{start}Left changed:\n" + "".join(f"  {line}\n" for line in event.leaks)


def attachments_text(event: TestFinished) -> str:
    """Return the files that tell more of the test, in the form that GitLab and Jenkins read."""
    lines = "".join(f"[[ATTACHMENT|{path}]]\n" for path in event.attachments)
    return f"\n{lines}" if lines else ""


def verdict_of(event: TestFinished) -> Verdict:
    """Return what a report says of the test beyond its names, times and output."""
    if event.outcome is Outcome.PASSED:
        return Verdict()
    if event.outcome is Outcome.SKIPPED:
        return Verdict("skip", event.reason, event.reason)
    if event.outcome is Outcome.NOT_RUN:
        reason = event.reason or str(event.outcome)
        return Verdict("not run", reason, reason)
    if event.outcome is Outcome.UNEXPECTED_SUCCESS:
        message = "unexpected success: the test is marked as an expected failure, but passed"
        return Verdict("UnexpectedSuccess", message, message)
    told = verdict_of_failures(event.failures, errored=event.outcome is Outcome.ERRORED)
    if event.outcome is Outcome.EXPECTED_FAILURE:
        message = f"{event.outcome}: {told.message}" if told.message else str(event.outcome)
        return Verdict("XFAIL", message, told.text)
    return told if told.message else Verdict(message=str(event.outcome))


def verdict_of_failures(failures: Sequence[Failure], *, errored: bool) -> Verdict:
    """Return one verdict on all failures; its type is that of the first that decided it."""
    if not failures:
        return Verdict()
    decisive = [failure for failure in failures if failure.is_error == errored]
    type_ = (decisive or failures)[0].type
    if len(failures) == 1:
        message = _message(failures[0])
    else:
        lines = [f"{failure.type}: {_message(failure)}" for failure in failures]
        message = "\n".join([f"{len(failures)} failures", *lines])
    return Verdict(type_, message, "\n".join(_text(failure) for failure in failures))


def _message(failure: Failure) -> str:
    where = failure.subtest or failure.fixture
    return ": ".join(filter(None, (where, failure.message or failure.type)))


def _text(failure: Failure) -> str:
    """Return the traceback, below the subtest or fixture it comes from."""
    where = failure.subtest or failure.fixture
    flavour = "ERROR" if failure.is_error else "FAIL"
    return f"{flavour}: {where}\n{failure.traceback}" if where else failure.traceback
