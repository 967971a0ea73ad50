"""The JUnit XML report: collects the verdicts of a run and writes them when it has finished."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, TextIO
from xml.dom.minidom import Document, Element

from ..events import Event, FixtureFailed, Outcome, RunFinished, RunStarted, TestFinished
from ..exceptions import UsageError
from .junitcase import (
    Case,
    Suite,
    attachments_text,
    leaks_text,
    set_totals,
    verdict_of,
    verdict_of_failures,
    xml_names,
)
from .junitreruns import as_reported, reruns_of
from .xmltext import cap, clean, write_xml

OUTPUT_LIMIT = 100_000


class JUnitReporter:
    """Writes JUnit XML; its ``handle_event`` is to be subscribed to the run's events.

    ``path`` gets one file of ``<testsuites>``, with a ``<testsuite>`` for each test class.
    ``directory`` gets one file ``TEST-<class>.xml`` for each class, as unittest-xml-reporting
    writes them where ``TEST_OUTPUT_FILE_NAME`` is not set, but without a time in their names.
    Files that an earlier run wrote for other classes stay.

    ``strict`` leaves out what the schema of Jenkins' xUnit plugin 1.104 and later rejects: the
    ``file``, ``line`` and ``timestamp`` of a testcase; also the ``file`` of a suite, which that
    schema allows and Jenkins does not read. ``descriptions`` (``TEST_OUTPUT_DESCRIPTIONS``) adds
    the first line of each test's docstring as a comment. ``verbose`` (``TEST_OUTPUT_VERBOSE``)
    as ``True`` or above 1 prints "Generated XML report: ..." for each file to ``stream``
    (standard error if ``None``). ``output_limit`` is how many characters are kept of a test's
    standard output, of its standard error and of its tracebacks, each.

    Points in time are UTC without an offset, as in JUnit's own reports; parsers that take only
    local times read them. Each file is replaced whole or not at all: an ``OSError`` leaves the
    old one. The parameters' paths are taken from the directory that is current at the start.
    """

    #: The types of events that it must get.
    WANTED: ClassVar[tuple[type[Event], ...]] = (
        RunStarted,
        TestFinished,
        FixtureFailed,
        RunFinished,
    )

    def __init__(
        self,
        *,
        path: Path | None = None,
        directory: Path | None = None,
        strict: bool = False,
        descriptions: bool = False,
        verbose: int | bool = 1,
        output_limit: int = OUTPUT_LIMIT,
        stream: TextIO | None = None,
    ) -> None:
        # Absolute now, since a test may change the current directory.
        self._path = None if path is None else path.absolute()
        self._directory = None if directory is None else directory.absolute()
        self._strict = strict
        self._descriptions = descriptions
        self._verbose = verbose is True or verbose > 1
        self._limit = max(output_limit, 0)
        self._stream = stream
        self._suites: dict[str, Suite] = {}
        self._set_ups: list[FixtureFailed] = []
        self._now = 0.0

    def handle_event(self, event: Event) -> None:
        """Take note of the event; at the end of the run write the report.

        Raises ``OSError`` or ``UsageError`` when the report cannot be written.
        """
        if isinstance(event, RunStarted):
            self._now = event.started_at
        elif isinstance(event, TestFinished):
            self._add_test(event)
        elif isinstance(event, FixtureFailed):
            if event.before_tests:
                self._set_ups.append(self._fitted(event))
            else:
                self._add_fixture(event)
        elif isinstance(event, RunFinished):
            for set_up in self._set_ups:
                self._place_set_up(set_up)
            self._write()

    def _add_test(self, event: TestFinished) -> None:
        test, reruns = event.test, reruns_of(event, limit=self._limit)
        event = as_reported(event)
        classname, name = self._unique(*xml_names(test))
        self._now = event.started_at or self._now
        case = Case(
            classname=classname,
            name=name,
            outcome=event.outcome,
            verdict=verdict_of(event),
            started_at=self._now,
            limit=self._limit,
            duration=event.duration,
            file=test.file,
            line=test.line,
            stdout=event.stdout + leaks_text(event) + attachments_text(event),
            stderr=event.stderr,
            description=test.description if self._descriptions else "",
            fixture=event.failures[0].fixture if event.failures else "",
            reruns=reruns,
        )
        self._suite(classname).cases.append(case)
        self._now += case.elapsed_time

    def _add_fixture(self, event: FixtureFailed) -> None:
        """Add a testcase that nobody collected: without it a failed tear-down looks green."""
        classname, name = self._unique(event.owner, event.fixture)
        suite = self._suite(classname)
        case = Case(
            classname=classname,
            name=name,
            outcome=Outcome.ERRORED,
            verdict=verdict_of_failures((event.failure,), errored=True),
            started_at=self._now,
            limit=self._limit,
            file=suite.file,
            stdout=event.stdout,
            stderr=event.stderr,
        )
        suite.cases.append(case)

    def _place_set_up(self, event: FixtureFailed) -> None:
        """Give a failed set-up's output to the first suite that has its failure.

        A set-up whose failure no test carries gets a testcase of its own.
        """
        fixture = event.failure.fixture
        for suite in self._suites.values():
            if fixture and any(case.is_bad and case.fixture == fixture for case in suite.cases):
                suite.stdout += event.stdout
                suite.stderr += event.stderr
                return
        self._add_fixture(event)

    def _fitted(self, event: FixtureFailed) -> FixtureFailed:
        stdout = clean(cap(event.stdout, self._limit))
        stderr = clean(cap(event.stderr, self._limit))
        return replace(event, stdout=stdout, stderr=stderr)

    def _suite(self, name: str) -> Suite:
        return self._suites.setdefault(name, Suite(name))

    def _unique(self, classname: str, name: str) -> tuple[str, str]:
        """Return both cleaned, and unlike any other testcase's: GitLab drops duplicates."""
        classname, name = clean(classname), clean(name)
        candidate, number = name, 1
        names = self._suite(classname).names
        while candidate in names:
            number += 1
            candidate = f"{name} #{number}"
        names.add(candidate)
        return classname, candidate

    def _write(self) -> None:
        suites = list(self._suites.values())
        if self._path is not None:
            root = Document().createElement("testsuites")
            set_totals(root, suites)
            self._save(self._path, self._elements(suites), root)
        if self._directory is not None:
            taken: set[str] = set()
            for suite in suites:
                path = self._directory / _file_name(suite.name, taken)
                self._save(path, self._elements([suite]))

    def _elements(self, suites: list[Suite]) -> Iterator[Element]:
        """Yield an element for each suite; one at a time, since they are large."""
        for suite in suites:
            document = Document()
            suite.report(document, document, strict=self._strict)
            element = document.documentElement
            assert element is not None
            yield element
            document.unlink()

    def _save(self, path: Path, elements: Iterator[Element], root: Element | None = None) -> None:
        with _replacing(path) as file:
            write_xml(elements, file, root=root)
        if self._verbose:
            print(f"Generated XML report: {path}", file=self._stream or sys.stderr)


def check_writable(path: Path, *, is_directory: bool = False) -> None:
    """Raise ``UsageError`` unless a report can be written to the path.

    With ``is_directory`` the path is that of a folder for reports. Missing folders are made; a
    report that is there already is not touched.
    """
    target = path / "TEST-.xml" if is_directory else path
    try:
        target = _target(target)
        temporary = _temporary(target)
        os.close(_create(temporary))
        temporary.unlink()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot write the JUnit report {str(path)!r}: {reason}") from error


def _target(path: Path) -> Path:
    """Return the file behind the path's links, in a folder that exists from now on.

    Raises ``OSError`` with a message for users if that cannot be.
    """
    target = Path(os.path.realpath(path))
    for parent in reversed(target.parents):
        if parent.exists() and not parent.is_dir():
            raise NotADirectoryError(0, f"{str(parent)!r} is not a directory")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is a directory")
    if not stat.S_ISREG(mode):  # replacing a device or a pipe would take it from the system
        raise OSError(0, "it is not a regular file")
    return target


def _temporary(target: Path) -> Path:
    return target.with_name(f".junit-{secrets.token_hex(8)}.tmp")


def _create(path: Path) -> int:
    """Return a descriptor of a new file, with the permissions that any new file gets."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """Give a text file that takes the path's place, at once, when the block succeeds."""
    target = _target(path)
    temporary = _temporary(target)
    descriptor = _create(temporary)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _file_name(suite_name: str, taken: set[str]) -> str:
    """Return ``TEST-<class>.xml``, fit for every file system and unlike those taken."""
    stem = re.sub(r'[\\/:*?"<>|\s]', "_", suite_name)
    if len(os.fsencode(stem)) > 200:
        digest = hashlib.sha256(suite_name.encode()).hexdigest()[:12]
        stem = f"{stem[:45]}-{digest}"
    candidate, number = stem, 1
    while candidate.casefold() in taken:  # some file systems do not tell the cases apart
        number += 1
        candidate = f"{stem}-{number}"
    taken.add(candidate.casefold())
    return f"TEST-{candidate}.xml"
