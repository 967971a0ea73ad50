"""Which of the selected tests run, and which first: by shard, by what happened last time,
and by a list."""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..conf import Config
from ..events import Outcome
from ..exceptions import UsageError
from ..parsing import Shard
from ..reporting.history import Recording
from .describing import unique_ids
from .sharding import keep_shard

_FAILED = frozenset(outcome.value for outcome in Outcome if outcome.is_bad)
_AGAIN = _FAILED | {Outcome.NOT_RUN.value}


@dataclass
class Narrowed:
    """The tests that are left, and what to tell the user of it, a line each."""

    tests: list[unittest.TestCase]
    notes: list[str] = field(default_factory=list)


def narrow(tests: Sequence[unittest.TestCase], config: Config, recording: Recording) -> Narrowed:
    """Apply ``--shard``, ``--rerun-failed`` and ``--failed-first``, in this order."""
    narrowed = Narrowed(list(tests))
    if config.shard is not None:
        _keep_shard(narrowed, config.shard, recording)
    if config.rerun_failed:
        _keep_failed(narrowed, recording)
    if config.failed_first:
        narrowed.tests = _failed_first(narrowed.tests, recording)
    return narrowed


def read_ids(path: Path) -> list[str]:
    """Return the ids of tests in a file, one a line. Raises UsageError."""
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--only-from: {str(path)!r} cannot be read: {error}.") from None


def keep_only(tests: Sequence[unittest.TestCase], ids: Sequence[str]) -> list[unittest.TestCase]:
    """Return the tests with these ids, in the order of the ids.

    Raises UsageError for an id that no test has.
    """
    found = dict(zip(unique_ids(tests), tests, strict=True))
    missing = [test_id for test_id in ids if test_id not in found]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise UsageError(
            f"--only-from: no test of this run has the id {', '.join(missing[:5])}{more}."
        )
    return [found[test_id] for test_id in dict.fromkeys(ids)]


def _keep_shard(narrowed: Narrowed, shard: Shard, recording: Recording) -> None:
    total = len(narrowed.tests)
    narrowed.tests = keep_shard(narrowed.tests, shard, recording.durations)
    by = f"recorded durations ({recording.digest})" if recording.durations else "number of tests"
    narrowed.notes.append(f"Shard {shard}: {len(narrowed.tests)} of {total} test(s), by {by}.")


def _keep_failed(narrowed: Narrowed, recording: Recording) -> None:
    if not recording:
        narrowed.notes.append("--rerun-failed: no earlier run is known; all tests run.")
        return
    total = len(narrowed.tests)
    narrowed.tests = [
        test
        for test, test_id in zip(narrowed.tests, unique_ids(narrowed.tests), strict=True)
        if recording.verdicts.get(test_id, Outcome.NOT_RUN.value) in _AGAIN
    ]
    narrowed.notes.append(
        f"--rerun-failed: {len(narrowed.tests)} of {total} test(s) failed, did not run or are new."
    )


def _failed_first(
    tests: Sequence[unittest.TestCase], recording: Recording
) -> list[unittest.TestCase]:
    """Put classes with failed tests first, and in these the failed tests; classes stay whole."""
    failed = {
        id(test)
        for test, test_id in zip(tests, unique_ids(tests), strict=True)
        if recording.verdicts.get(test_id) in _FAILED
    }
    classes = {type(test) for test in tests if id(test) in failed}
    first = [test for test in tests if type(test) in classes]
    order = dict.fromkeys(type(test) for test in first)
    places = {test_class: place for place, test_class in enumerate(order)}
    first.sort(key=lambda test: (places[type(test)], id(test) not in failed))
    return first + [test for test in tests if type(test) not in classes]
