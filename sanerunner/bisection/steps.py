"""One step of a search: a run of some tests, and of the suspect after them, in a process."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from django.utils.autoreload import get_child_arguments

from ..events import Outcome
from ..exceptions import UsageError
from ..reporting.history import History

# Said after the command line's own options, whose place they take. ONLY_FROM decides on tests
# and order; nothing may keep the suspect from its turn.
_OPTIONS = (
    "--parallel=0",
    "--keep-going",
    "--no-failfast",
    "--no-retries",
    "--max-failures=0",
    "--no-rerun-failed",
    "--no-failed-first",
    "--shard=1/1",
    "--no-reverse",
    "--no-pdb",
    "--progress=plain",
)
_BAD = frozenset(outcome.value for outcome in Outcome if outcome.is_bad)
_TAIL = 20  # lines of the output of a step that came to nothing


class Steps:
    """Runs the command line of this process again and again, for some tests only.

    ``suspects`` are the ids of the tests that may fail, as one: the suspect fails if one of them
    does. ``say`` is told each step. ``steps`` is how many there were.
    """

    def __init__(self, suspects: Sequence[str], say: Callable[[str], None]) -> None:
        self._suspects = list(suspects)
        self._say = say
        self.steps = 0

    def fails(self, before: Sequence[str]) -> bool:
        """Run ``before``, then the suspect; return whether it failed.

        Raises UsageError where the step came to no verdict.
        """
        self.steps += 1
        with tempfile.TemporaryDirectory(prefix="sanerunner-") as folder:
            command = self._command(Path(folder), before)
            returncode, output = _run(command)
            verdicts = History(Path(folder)).read().verdicts
        outcomes = [verdicts.get(suspect, Outcome.NOT_RUN.value) for suspect in self._suspects]
        if Outcome.NOT_RUN.value in outcomes:
            raise UsageError(_no_verdict(command, returncode, output))
        failed = not _BAD.isdisjoint(outcomes)
        self._say(f"Step {self.steps}: {_after(before)}: {'FAILS' if failed else 'passes'}")
        return failed

    def _command(self, folder: Path, before: Sequence[str]) -> list[str]:
        tests = folder / "tests"
        tests.write_text("\n".join([*before, *self._suspects]), encoding="utf-8")
        own = (f"--only-from={tests}", f"--state={folder}", f"--junit={folder / 'junit.xml'}")
        return [*get_child_arguments(), *_OPTIONS, *own]


def _run(command: Sequence[str]) -> tuple[int, str]:
    """Return the exit status and the output."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            output, _ = process.communicate()
        except KeyboardInterrupt:
            process.communicate()  # interrupted as well, it takes its databases down
            raise
        return process.returncode, output


def _after(before: Sequence[str]) -> str:
    if not before:
        return "alone"
    return f"after {before[0]}" if len(before) == 1 else f"after {len(before)} tests"


def _no_verdict(command: Sequence[str], returncode: int, output: str) -> str:
    tail = "\n".join(f"  {line}" for line in output.strip().splitlines()[-_TAIL:])
    return (
        f"A step ended with status {returncode} and no verdict. {Path(sys.argv[0]).name} must "
        f"hand the options of its command line to the runner.\n{shlex.join(command)}\n{tail}"
    )
