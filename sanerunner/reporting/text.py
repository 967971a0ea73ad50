"""The end of a run as text: failures, commands to run them again, totals.

What unittest's own runner prints too is printed in its words, since people and log scrapers
know them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..events import (
    Attempt,
    Failure,
    Outcome,
    TestFinished,
    TestInfo,
    TestRetried,
    TestSlow,
    WorkerLost,
)
from .summary import Summary, fixture_name
from .terminal import TextOutput

DOUBLE_RULE = "=" * 70
RULE = "-" * 70
MAX_COMMANDS = 20
MAX_MESSAGE = 200  # characters of a failure that is told in one line
SHORTEST_SHOWN = 0.001  # seconds; as unittest, unless verbose


def notice(event: TestSlow | WorkerLost | TestRetried) -> str:
    """Return a line on what is no verdict, but should be known while the run lasts."""
    if isinstance(event, TestRetried):
        why = first_failure(event.failed)
        return f"retried: {event.test.id} failed in attempt {event.attempt}: {why}"
    if isinstance(event, TestSlow):
        where = f" in worker {event.worker}" if event.worker else ""
        return f"slow: {event.test.id} has been running for {event.running:.0f} s{where}"
    what = f" while running {event.test}" if event.test else ""
    return f"worker {event.worker} {event.reason}{what}"


def first_failure(attempt: Attempt) -> str:
    """Return the type and the first line of the message of what an attempt failed by."""
    if not attempt.failures:
        return str(attempt.outcome)
    failure = attempt.failures[0]
    line = failure.message.strip().partition("\n")[0]
    text = f"{failure.type}: {line}" if line else failure.type
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE - 3]}..."


def describe(test: TestInfo, subtest: str = "") -> str:
    """Return unittest's description: the name and, on a line of its own, the docstring's first."""
    name = test.name or test.id
    if subtest:
        name = f"{name} {subtest}"
    return f"{name}\n{test.description}" if test.description else name


@dataclass(kw_only=True)
class Block:
    """One failure under its heading, with what the test printed and asked of the database."""

    flavour: str  # "ERROR" or "FAIL"
    title: str
    traceback: str
    stdout: str = ""
    stderr: str = ""
    sql: str = ""
    attachments: tuple[str, ...] = ()
    tests: int = 0  # how many tests a failed set-up kept from running


@dataclass(kw_only=True)
class TextReport:
    """Writes what is known at the end of a run.

    ``buffer``: show what failed tests printed with their failures. ``durations``: how many of
    the slowest tests to list: None for none, 0 for all. ``rerun_command`` turns a test label into
    a command.
    """

    summary: Summary
    verbosity: int = 1
    buffer: bool = False
    durations: int | None = None
    rerun_command: Callable[[str], str] | None = None

    def write(self, out: TextOutput) -> None:
        self._write_failures(out)
        self._write_commands(out)
        self._write_flaky(out)
        self._write_leaks(out)
        if self.durations is not None:
            self._write_durations(out, self.durations)
        self._write_left_out(out)
        self._write_totals(out)
        out.flush()

    # Failures

    def _write_failures(self, out: TextOutput) -> None:
        blocks = [*self._fixture_blocks(), *self._test_blocks()]
        for flavour in ("ERROR", "FAIL"):
            for block in blocks:
                if block.flavour == flavour:
                    self._write_block(out, block)
        unexpected = [
            event for event in self.summary.bad if event.outcome is Outcome.UNEXPECTED_SUCCESS
        ]
        if unexpected:
            out.line(DOUBLE_RULE)
            for event in unexpected:
                out.write("UNEXPECTED SUCCESS", "bad")
                out.line(f": {describe(event.test)}")

    def _write_block(self, out: TextOutput, block: Block) -> None:
        out.line(DOUBLE_RULE)
        out.write(block.flavour, "bad")
        out.line(f": {block.title}")
        out.line(RULE)
        text = _ended(block.traceback)
        if self.buffer and block.stdout:
            text += f"\nStdout:\n{_ended(block.stdout)}"
        if self.buffer and block.stderr:
            text += f"\nStderr:\n{_ended(block.stderr)}"
        out.line(text)
        if block.attachments:
            out.line("".join(["Attachments:\n", *(f"  {path}\n" for path in block.attachments)]))
        if block.tests:
            out.line(f"{_count(block.tests, 'test')} errored by it.\n")
        if block.sql:
            out.line(RULE)
            out.line(_ended(block.sql))

    def _fixture_blocks(self) -> list[Block]:
        """A block for each failed fixture, however many tests and workers it failed in."""
        blocks: dict[tuple[str, str], Block] = {}

        def block_of(title: str, traceback: str) -> Block:
            block = Block(flavour="ERROR", title=title, traceback=traceback)
            return blocks.setdefault((title, traceback), block)

        for event in self.summary.fixture_failures:
            block = block_of(fixture_name(event), event.failure.traceback)
            block.stdout = block.stdout or event.stdout
            block.stderr = block.stderr or event.stderr
        for finished in self.summary.bad:
            for failure in finished.failures:
                if failure.fixture:
                    block_of(failure.fixture, failure.traceback).tests += 1
        return list(blocks.values())

    def _test_blocks(self) -> Iterator[Block]:
        for event in self.summary.bad:
            own = [failure for failure in event.failures if not failure.fixture]
            if not event.failures and event.outcome is not Outcome.UNEXPECTED_SUCCESS:
                is_error = event.outcome is Outcome.ERRORED
                own = [Failure(is_error, "", event.reason, event.reason)]
            for place, failure in enumerate(own):
                block = Block(
                    flavour="ERROR" if failure.is_error else "FAIL",
                    title=describe(event.test, failure.subtest),
                    traceback=failure.traceback,
                )
                if place == 0:  # the output and SQL are the whole test's: once is enough
                    block.stdout, block.stderr = event.stdout, event.stderr
                    block.sql, block.attachments = event.sql, event.attachments
                yield block

    # Commands

    def _write_commands(self, out: TextOutput) -> None:
        if self.rerun_command is None:
            return
        labels = list(dict.fromkeys(self._labels()))
        if not labels:
            return
        if self.summary.unexpected_successes:  # their list ends without a blank line
            out.line()
        out.line("To run again:")
        for label in labels[:MAX_COMMANDS]:
            out.line(f"  {self.rerun_command(label)}")
        if len(labels) > MAX_COMMANDS:
            out.line(f"  ... and {len(labels) - MAX_COMMANDS} more")
        out.line()

    def _labels(self) -> Iterator[str]:
        """What to type for each bad test; one label for all that the same fixture kept out."""
        owners = {fixture_name(event): event.owner for event in self.summary.fixture_failures}
        for event in self.summary.bad:
            if event.test.label:
                yield _owner(event, owners) or event.test.label
        for fixture in self.summary.fixture_failures:
            if not fixture.before_tests:
                yield fixture.owner

    # Flaky tests, leaks, durations and totals

    def _write_flaky(self, out: TextOutput) -> None:
        if not self.summary.flaky:
            return
        out.line("Flaky, passed after they had failed:")
        for event in self.summary.flaky:
            out.write(f"  {event.test.name or event.test.id}", "caution")
            out.line(f" in attempt {event.attempt}; first {first_failure(event.earlier[0])}")
        out.line()

    def _write_leaks(self, out: TextOutput) -> None:
        """What tests left changed, below the name of each."""
        leaks = self.summary.leaks
        if not leaks:
            return
        out.line(f"Leaks: {_count(len(leaks), 'test')} left something changed", "caution")
        out.line(RULE)
        for leaking in leaks:
            out.line(leaking.name)
            for line in leaking.lines:
                out.line(f"  {line}")
        out.line()

    def _write_durations(self, out: TextOutput, wanted: int) -> None:
        slowest = self.summary.durations
        if wanted:
            slowest = slowest[:wanted]
        if not slowest:
            return
        out.line("Slowest test durations")
        out.line(RULE)
        shortest = 0.0 if self.verbosity > 1 else SHORTEST_SHOWN
        shown = [duration for duration in slowest if duration.seconds >= shortest]
        for duration in shown:
            seconds = f"{duration.seconds:.3f}s"
            out.line(f"{seconds:<10} {duration.name}")
        out.line()
        if len(shown) < len(slowest):
            out.line("(durations < 0.001s were hidden; use -v 2 to show these durations)")

    def _write_left_out(self, out: TextOutput) -> None:
        """One line for each reason for which tests were not run."""
        reasons = self.summary.not_run_reasons
        for reason, number in reasons.items():
            out.line(f"{_count(number, 'test')} not run: {reason or 'no reason given'}", "caution")
        missing = self.summary.without_verdict
        if missing:
            out.line(f"{_count(missing, 'test')} never came to a verdict", "bad")
        stopped_by = self.summary.stopped_by
        if stopped_by and stopped_by not in reasons:
            out.line(f"Stopped: {stopped_by}", "caution")

    def _write_totals(self, out: TextOutput) -> None:
        summary = self.summary
        duration = summary.finished.duration if summary.finished else 0.0
        out.line(RULE)
        out.line(f"Ran {_count(summary.tests_run, 'test')} in {duration:.3f}s")
        out.line()
        if not summary.successful:
            out.write("FAILED", "bad")
        elif not summary.tests_run:
            out.write("NO TESTS RAN", "caution")
        else:
            out.write("OK", "good")
        counts = {
            "failures": summary.failures,
            "errors": summary.errors,
            "skipped": summary.skipped,
            "expected failures": summary.expected_failures,
            "unexpected successes": summary.unexpected_successes,
            "flaky": len(summary.flaky),
            "not run": summary.not_run,
            "no verdict": summary.without_verdict,
        }
        shown = ", ".join(f"{name}={number}" for name, number in counts.items() if number)
        out.line(f" ({shown})" if shown else "")


def _owner(event: TestFinished, owners: dict[str, str]) -> str:
    fixtures = [failure.fixture for failure in event.failures if failure.fixture]
    return owners.get(fixtures[0], "") if fixtures else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _ended(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"
