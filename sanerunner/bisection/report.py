"""``--bisect`` and ``--pair``: the search in the plan of a run, and what it comes to."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Collection, Sequence
from typing import Any

from ..collection.stages import Plan
from ..conf import Config
from ..events import TestInfo
from ..exceptions import EXIT_INTERRUPTED, UsageError
from ..execution.runresult import RunResult, TestHandle
from ..reporting.rerun import rerun_command
from .search import find_culprits, find_partner
from .steps import Steps


def find_what_breaks(plan: Plan, config: Config, suspect_ids: Collection[str]) -> RunResult:
    """Search, and say each step and the end of it on standard output.

    ``suspect_ids`` are the tests that TEST names. The result has one failure if TEST has failed
    in the end: alone, or after others. Raises UsageError where no test of the plan is meant, or
    a step comes to no verdict, or this process is a step itself.
    """
    if any(word.startswith("--only-from=") for word in sys.argv):  # else it would never end
        raise UsageError(
            f"{config.search}: this is a step, but the options of its command line do not come to "
            "the runner."
        )
    suspects = [planned.info for planned in plan if planned.info.id in suspect_ids]
    if not suspects:
        raise UsageError(f"{config.search}: {config.suspect!r} names no test of this run.")
    if config.parallel > 1:
        _say(f"{config.search}: each step runs in one process, --parallel has no effect.")
    search = _Search(plan, suspects, str(config.suspect))
    unittest.removeHandler()  # it would only tell the result of a run, of which there is none
    try:
        return search.bisect() if config.bisect else search.pair()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


class _Search:
    def __init__(self, plan: Plan, suspects: Sequence[TestInfo], label: str) -> None:
        self._infos = {planned.info.id: planned.info for planned in plan}
        self._suspects = suspects
        self._label = label
        self._steps = Steps([info.id for info in suspects], _say)

    def bisect(self) -> RunResult:
        ids = list(self._infos)
        before = ids[: ids.index(self._suspects[0].id)]
        if self._steps.fails([]):
            return self._alone()
        if not before or not self._steps.fails(before):
            return self._never(f"after all that runs before it ({_tests(len(before))})")
        return self._guilty(find_culprits(before, self._steps.fails))

    def pair(self) -> RunResult:
        own = {info.id for info in self._suspects}
        order = list(dict.fromkeys(info.stage for info in self._infos.values()))
        last = order.index(self._suspects[0].stage)
        others = [
            info.id
            for info in self._infos.values()
            if info.id not in own and order.index(info.stage) <= last
        ]
        later = len(self._infos) - len(own) - len(others)
        if later:
            _say(f"--pair: {_tests(later)} of later stages never run before it, and are left out.")
        if self._steps.fails([]):
            return self._alone()
        culprits = find_partner(others, self._steps.fails)
        if not culprits:
            return self._never(f"after each other test ({_tests(len(others))})")
        return self._guilty(culprits)

    def _never(self, what: str) -> RunResult:
        _say(f"{self._label} passes, alone and {what}: nothing was found.")
        return RunResult()

    def _alone(self) -> RunResult:
        _say(f"{self._label} fails alone: no other test makes it fail.")
        return self._failed([], "fails alone")

    def _guilty(self, culprits: Sequence[str]) -> RunResult:
        _say(f"{self._label} fails after:")
        for culprit in culprits:
            _say(f"  {culprit}")
        return self._failed(culprits, f"fails after {', '.join(culprits)}")

    def _failed(self, culprits: Sequence[str], message: str) -> RunResult:
        self._say_command([*(self._infos[each] for each in culprits), *self._suspects])
        handle: Any = TestHandle(self._suspects[0])
        result = RunResult()
        result.failures.append((handle, message))
        return result

    def _say_command(self, infos: Sequence[TestInfo]) -> None:
        """The tests in the order of the plan keep it when they are typed in that order."""
        if not all(info.label for info in infos):
            _say("To reproduce it, write these ids into a file, one a line, for --only-from:")
            for info in infos:
                _say(f"  {info.id}")
            return
        going = ["--keep-going"] if len({info.stage for info in infos}) > 1 else []
        command = rerun_command(*going, *(info.label for info in infos))
        _say(f"To reproduce it:\n  {command}")


def _tests(number: int) -> str:
    return "1 test" if number == 1 else f"{number} tests"


def _say(text: str) -> None:
    print(text, flush=True)
