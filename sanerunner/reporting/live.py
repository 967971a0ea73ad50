"""Live progress on a terminal.

It is drawn when an event comes, never by a thread of its own: a thread in the process that runs
the tests would disturb them. So the clock stands still while one test runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..events import (
    Event,
    FixtureFailed,
    Outcome,
    RunStarted,
    StageFinished,
    StageStarted,
    TestFinished,
    TestInfo,
    TestRetried,
    TestSlow,
    TestStarted,
    WorkerLost,
)
from .region import REDRAW_AFTER, Region
from .summary import fixture_name
from .terminal import TextOutput
from .text import notice

MIN_BAR, MAX_BAR = 10, 40  # columns

_HEADINGS = {
    Outcome.FAILED: "FAIL",
    Outcome.ERRORED: "ERROR",
    Outcome.UNEXPECTED_SUCCESS: "UNEXPECTED SUCCESS",
}


@dataclass
class _Stage:
    """The stage that runs. ``place`` is "2/4"; ``begun`` is when its first test started."""

    name: str
    place: str
    total: int
    done: int = 0
    begun: float | None = None

    def remaining(self, now: float) -> float | None:
        """Return the seconds left at this stage's pace; None while there is none."""
        if self.begun is None or not self.done or self.done >= self.total:
            return None
        return (now - self.begun) / self.done * (self.total - self.done)


class LiveProgress:
    """The stage, a bar, counts, times and the current test, below all that tests print.

    Failed tests are named above it as they happen, and stay. ``console`` and ``clock`` (seconds,
    monotonic) are for tests.
    """

    wanted: tuple[type[Event], ...] = (
        RunStarted,
        StageStarted,
        TestStarted,
        TestFinished,
        FixtureFailed,
        TestRetried,
        TestSlow,
        WorkerLost,
        StageFinished,
    )

    def __init__(
        self,
        out: TextOutput,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._console = console or Console(
            file=out.stream, force_terminal=True, no_color=not out.color, legacy_windows=False
        )
        self._clock = clock
        self._region = Region(out.stream, width=lambda: self._console.width, clock=clock)
        self._stages: tuple[str, ...] = ()
        self._stage: _Stage | None = None
        self._running: dict[str, TestInfo] = {}
        self._failed = 0
        self._skipped = 0
        self._named_fixtures: set[str] = set()
        self._started_at = clock()
        self._suspended = False
        self._status_line = ("", 0)
        self._rendered_at = 0.0
        self._rendered_width = 0

    def handle_event(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._stages = event.stages
            self._started_at = self._clock()
            self._region.guard((sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__))
        elif isinstance(event, StageStarted):
            self._stage = _Stage(event.stage, self._place(event.stage), event.total)
            self._draw(at_once=True)
        elif isinstance(event, TestStarted):
            self._start(event.test)
            self._draw()
        elif isinstance(event, TestFinished):
            self._suspended = False
            was_running = self._running.pop(event.test.id, None) is not None
            named = self._finish(event)
            if named or not was_running:  # else the next test is about to start
                self._draw(at_once=named)
        elif isinstance(event, FixtureFailed):
            self._fail_fixture(event)
            self._draw(at_once=True)
        elif isinstance(event, (TestSlow, WorkerLost, TestRetried)):
            if isinstance(event, TestRetried):
                self._suspended = False
                self._running.pop(event.test.id, None)
            self._region.start_line()
            self._out.line(_one_line(notice(event)), "caution")
            self._draw(at_once=True)
        elif isinstance(event, StageFinished):
            self._draw(at_once=True)

    def suspend(self) -> None:
        """Erase the display until a test ends."""
        self._suspended = True
        self._region.hide()

    def close(self) -> None:
        """Erase the display and let go of the streams."""
        self._stage = None
        self._region.release()

    def _place(self, stage: str) -> str:
        if stage not in self._stages:
            return ""
        return f"{self._stages.index(stage) + 1}/{len(self._stages)}"

    def _start(self, test: TestInfo) -> None:
        self._running[test.id] = test
        if self._stage and self._stage.begun is None:
            self._stage.begun = self._clock()

    def _finish(self, event: TestFinished) -> bool:
        """Count the verdict; return whether something was written above the display."""
        if self._stage and event.test.stage == self._stage.name:
            self._stage.done += 1
        if event.outcome is Outcome.SKIPPED:
            self._skipped += 1
        if not event.outcome.is_bad:
            return False
        self._failed += 1
        fixtures = [failure.fixture for failure in event.failures if failure.fixture]
        if fixtures:
            return self._name_fixture(fixtures[0])
        return self._name(_HEADINGS[event.outcome], event.test.name or event.test.id)

    def _fail_fixture(self, event: FixtureFailed) -> None:
        self._name_fixture(fixture_name(event))
        if not event.before_tests:  # the tests that a set-up errors are counted themselves
            self._failed += 1

    def _name_fixture(self, fixture: str) -> bool:
        if fixture in self._named_fixtures:
            return False
        self._named_fixtures.add(fixture)
        return self._name("ERROR", fixture)

    def _name(self, heading: str, name: str) -> bool:
        """Write a line above the display, for good."""
        self._region.start_line()
        self._out.write(heading, "bad")
        self._out.line(f": {_one_line(name)}")
        return True

    # Drawing

    def _draw(self, *, at_once: bool = False) -> None:
        """Draw the current test, always: it may be the one that hangs. The rest costs more."""
        if self._suspended or self._stage is None:
            return
        now = self._clock()
        width = max(1, self._console.width - 1)  # a full last column wraps on some terminals
        if at_once or now - self._rendered_at >= REDRAW_AFTER or width != self._rendered_width:
            self._rendered_at, self._rendered_width = now, width
            with self._console.capture() as capture:
                status = self._status(self._stage, width)
                self._console.print(status, width=width, no_wrap=True, overflow="ellipsis")
            line = capture.get().rstrip("\n")
            self._status_line = (line, cell_len(Text.from_ansi(line).plain))
        current = _cropped(self._current(), width)
        self._region.draw([self._status_line, (current, cell_len(current))])

    def _status(self, stage: _Stage, width: int) -> RenderableType:
        head = Text(stage.name, style="bold")
        if stage.place:
            head.append(f" ({stage.place})", style="not bold")
        tail = self._counts(stage)
        tail.append(f"  {self._times(stage)}", style="dim")
        room = min(MAX_BAR, width - head.cell_len - tail.cell_len - 4)
        if room < MIN_BAR:
            return Text.assemble(head, "  ", tail)
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(1, stage.total), completed=stage.done, width=room)
        if self._failed:
            bar.complete_style = bar.finished_style = "red"
        row.add_row(head, bar, tail)
        return row

    def _counts(self, stage: _Stage) -> Text:
        counts = Text(f"{stage.done}/{stage.total}")
        if self._failed:
            counts.append("  ").append(f"{self._failed} failed", style="bold red")
        if self._skipped:
            counts.append("  ").append(f"{self._skipped} skipped", style="yellow")
        return counts

    def _times(self, stage: _Stage) -> str:
        now = self._clock()
        text = _clock_time(now - self._started_at)
        remaining = stage.remaining(now)
        return text if remaining is None else f"{text}, ~{_clock_time(remaining)} left"

    def _current(self) -> str:
        """The test that has been running longest: of several, the one to wait for."""
        for test in self._running.values():
            others = len(self._running) - 1
            name = _one_line(test.name or test.id)
            return f"(+{others}) {name}" if others else name
        return ""


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _one_line(name: str) -> str:
    """Return the name without what would move the cursor."""
    return "".join(c if c.isprintable() else " " for c in name)


def _cropped(line: str, width: int) -> str:
    if cell_len(line) <= width:
        return line
    return f"{set_cell_size(line, width - 3)}..."
