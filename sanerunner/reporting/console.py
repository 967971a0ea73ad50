"""The run on the console: progress while it lasts, then the report."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from typing import Literal, Protocol, TextIO

from ..events import (
    Event,
    FixtureFailed,
    Outcome,
    RunFinished,
    StageStarted,
    TestFinished,
    TestRetried,
    TestSlow,
    TestStarted,
    WorkerLost,
)
from .summary import Summary, fixture_name
from .terminal import TextOutput, can_be_live, shows_colors
from .text import RULE, TextReport, describe, notice

Display = Literal["auto", "plain", "live"]

NOT_RUN_SHOWN = 10  # lines for each reason; verbosity 3 has no limit

_STYLES = {
    Outcome.FAILED: "bad",
    Outcome.ERRORED: "bad",
    Outcome.UNEXPECTED_SUCCESS: "bad",
    Outcome.SKIPPED: "caution",
    Outcome.EXPECTED_FAILURE: "caution",
    Outcome.NOT_RUN: "caution",
    Outcome.PASSED: "good",
}
_CHARACTERS = {
    Outcome.PASSED: ".",
    Outcome.FAILED: "F",
    Outcome.ERRORED: "E",
    Outcome.SKIPPED: "s",
    Outcome.EXPECTED_FAILURE: "x",
    Outcome.UNEXPECTED_SUCCESS: "u",
}
_WORDS = {
    Outcome.PASSED: "ok",
    Outcome.FAILED: "FAIL",
    Outcome.ERRORED: "ERROR",
    Outcome.EXPECTED_FAILURE: "expected failure",
    Outcome.UNEXPECTED_SUCCESS: "unexpected success",
    Outcome.NOT_RUN: "not run",
}


class Progress(Protocol):
    """Shows a run while it lasts.

    ``wanted`` are the types of the events that it must get.
    """

    wanted: tuple[type[Event], ...]

    def handle_event(self, event: Event) -> None: ...

    def suspend(self) -> None:
        """Leave the terminal to someone else until a test ends."""

    def close(self) -> None:
        """Leave the terminal for good, at the start of a line. May be called again."""


class ConsoleReporter:
    """Shows progress as events come and, when the run ends, the report.

    ``stream``: where to write; ``sys.stderr``, as it is now, unless given. ``summary``: read when
    the run ends, so it must get each event first. ``buffer``: the report shows what failed tests
    printed. ``durations``: list the N slowest tests; 0 for all, None for none. ``rerun_command``:
    turns a test label into the command that runs it again; without it none is shown. ``color``:
    True or False decides, None leaves it to the environment and the stream. ``display``: "auto"
    is live at verbosity 1 on a terminal unless the environment has CI, "live" always, but for
    verbosity 0; where the stream is no terminal, or too small a one, both are plain.

    Verbosity 0 shows no progress, 1 a character for each test that ran, 2 and 3 a line for each.
    Whatever it is, a run that was stopped, or that left a test without a verdict, ends with
    FAILED.
    """

    def __init__(
        self,
        *,
        summary: Summary,
        stream: TextIO | None = None,
        verbosity: int = 1,
        buffer: bool = False,
        durations: int | None = None,
        rerun_command: Callable[[str], str] | None = None,
        color: bool | None = None,
        display: Display = "auto",
    ) -> None:
        stream = sys.stderr if stream is None else stream
        self._out = TextOutput(stream, color=shows_colors(stream, color))
        self._progress = _make_progress(self._out, verbosity, display)
        #: The types of events that it must get.
        self.wanted = (*self._progress.wanted, RunFinished)
        self._report = TextReport(
            summary=summary,
            verbosity=verbosity,
            buffer=buffer,
            durations=durations,
            rerun_command=rerun_command,
        )

    def handle_event(self, event: Event) -> None:
        try:
            self._progress.handle_event(event)
        except Exception:
            self.close()  # it gets no further event; the terminal must not stay taken
            raise
        if isinstance(event, RunFinished):
            self.close()
            self._report.write(self._out)

    def suspend(self) -> None:
        """Leave the terminal to a debugger; progress comes back when a test ends."""
        self._progress.suspend()

    def close(self) -> None:
        """Give the terminal back, for a run that ends without RunFinished. May be repeated."""
        self._progress.close()


def _make_progress(out: TextOutput, verbosity: int, display: Display) -> Progress:
    if verbosity <= 0:
        return NoProgress()
    suitable = verbosity == 1 and not os.environ.get("CI")  # CI logs keep every redrawn line
    if (display == "live" or (display == "auto" and suitable)) and can_be_live(out.stream):
        from .live import LiveProgress  # rich takes long to import

        return LiveProgress(out)
    return Dots(out) if verbosity == 1 else Lines(out, verbosity)


class NoProgress:
    wanted: tuple[type[Event], ...] = ()

    def handle_event(self, event: Event) -> None:
        """Show nothing."""

    def suspend(self) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing was shown."""


class Dots:
    """unittest's character for each test; none for those that were not run. An ``R`` for each
    attempt that failed and is not the last.

    A fixture whose failure no test's verdict shows, a tear-down, gets an ``E`` of its own.
    """

    wanted: tuple[type[Event], ...] = (
        StageStarted,
        TestRetried,
        TestFinished,
        FixtureFailed,
        TestSlow,
        WorkerLost,
    )

    def __init__(self, out: TextOutput) -> None:
        self._out = out
        self._closed = False
        self._in_line = False

    def handle_event(self, event: Event) -> None:
        if isinstance(event, TestFinished):
            if event.outcome in _CHARACTERS:
                self._show(_CHARACTERS[event.outcome], _STYLES[event.outcome])
        elif isinstance(event, StageStarted):
            self._end_line()  # what the making of databases prints gets lines of its own
        elif isinstance(event, TestRetried):
            self._show("R", "caution")
        elif isinstance(event, FixtureFailed) and not event.before_tests:
            self._show("E", "bad")
        elif isinstance(event, (TestSlow, WorkerLost)):
            self._end_line()
            self._out.line(notice(event), "caution")
            self._out.flush()

    def _show(self, character: str, style: str) -> None:
        self._out.write(character, "" if style == "good" else style)
        self._out.flush()
        self._in_line = True

    def _end_line(self) -> None:
        if self._in_line:
            self._out.line()
            self._out.flush()
        self._in_line = False

    def suspend(self) -> None:
        """Nothing on the screen is in a debugger's way."""

    def close(self) -> None:
        if not self._closed:
            self._out.line()
            self._closed = True


class Lines:
    """unittest's line for each test.

    A test of this process is named when it starts, so that one which hangs can be seen. Those of
    worker processes run side by side: each gets its line when it ends.
    """

    wanted: tuple[type[Event], ...] = (*Dots.wanted, TestStarted)

    def __init__(self, out: TextOutput, verbosity: int) -> None:
        self._out = out
        self._not_run_limit = NOT_RUN_SHOWN if verbosity < 3 else sys.maxsize
        self._not_run: Counter[str] = Counter()
        self._open = ""  # the id of the test whose name is on the screen without a verdict
        self._closed = False

    def handle_event(self, event: Event) -> None:
        if isinstance(event, TestStarted):
            self._start(event)
        elif isinstance(event, TestFinished):
            self._finish(event)
        elif isinstance(event, TestRetried):
            title = "" if self._continues(event.test.id) else describe(event.test)
            self._show(title, f"{_WORDS[event.failed.outcome]}, to be retried", "caution")
        elif isinstance(event, FixtureFailed):
            self._close_line()
            self._show(fixture_name(event), "ERROR", "bad")
        elif isinstance(event, StageStarted):
            self._close_line()
            noun = "test" if event.total == 1 else "tests"
            self._out.line(f"Stage {event.stage!r} ({event.total} {noun})")
        elif isinstance(event, (TestSlow, WorkerLost)):
            self._close_line()
            self._out.line(notice(event), "caution")
        self._out.flush()

    def _start(self, event: TestStarted) -> None:
        if event.worker == 0:
            self._close_line()
            self._out.write(f"{describe(event.test)} ... ")
            self._open = event.test.id

    def _finish(self, event: TestFinished) -> None:
        if event.outcome is Outcome.NOT_RUN and not self._counts_as_shown(event.reason):
            return
        self._continues(event.test.id)
        subtests = [failure for failure in event.failures if failure.subtest]
        if event.outcome.is_bad:
            for failure in subtests:
                self._close_line()
                title = describe(event.test, failure.subtest)
                self._show(f"  {title}", "ERROR" if failure.is_error else "FAIL", "bad")
        if not (subtests and len(subtests) == len(event.failures) and event.outcome.is_bad):
            self._show_verdict(event)
        if event.sql:
            self._out.write(event.sql if event.sql.endswith("\n") else f"{event.sql}\n")
            self._out.line(RULE)

    def _continues(self, test_id: str) -> bool:
        """Whether the open line is the test's; another's is ended."""
        if self._open != test_id:
            self._close_line()
        return self._open == test_id

    def _show_verdict(self, event: TestFinished) -> None:
        outcome = event.outcome
        word = _WORDS.get(outcome) or f"skipped {event.reason!r}"
        title = "" if self._open == event.test.id else describe(event.test)
        self._show(title, word, _STYLES[outcome])

    def _show(self, title: str, word: str, style: str) -> None:
        """End the open line with a verdict; or write a whole one, if it has a title."""
        if title:
            self._out.write(f"{title} ... ")
        self._out.line(word, style)
        self._open = ""

    def _counts_as_shown(self, reason: str) -> bool:
        self._not_run[reason] += 1
        return self._not_run[reason] <= self._not_run_limit

    def _close_line(self) -> None:
        if self._open:
            self._out.line()
            self._open = ""

    def suspend(self) -> None:
        """Nothing on the screen is in a debugger's way."""

    def close(self) -> None:
        if not self._closed:
            self._close_line()
            self._out.line()
            self._closed = True
