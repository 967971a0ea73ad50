"""Brings together the tests of a run and what a spawned worker has collected."""

from __future__ import annotations

import difflib
import unittest
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from ..collection.kinds import is_failed_import
from ..collection.stages import PlannedTest
from ..exceptions import WorkerError

_SHOWN = 40  # lines


def matched(wanted: Sequence[str], found: Sequence[PlannedTest], number: int) -> list[PlannedTest]:
    """Return the tests with the ids ``wanted``, in this order, from those that worker ``number``
    has found.

    For tests of a module that failed to load in the worker only there is one that says so.
    Raises WorkerError, with the differences, where a test is missing.
    """
    by_id = {planned.info.id: planned for planned in found}
    known = set(wanted)
    failed = {
        name: planned
        for planned in found
        if planned.info.id not in known and (name := _failed_module(planned.test))
    }
    tests = [by_id.get(test_id) or _stand_in(test_id, failed) for test_id in wanted]
    if None in tests:
        raise WorkerError(_differences(wanted, by_id.keys(), number))
    return [test for test in tests if test is not None]


def _failed_module(test: unittest.TestCase | None) -> str:
    """Return the dotted path of what ``test`` stands for; "" if it is no failed import."""
    if test is None or not is_failed_import(test):
        return ""
    return str(test._testMethodName)


def _stand_in(test_id: str, failed: dict[str, PlannedTest]) -> PlannedTest | None:
    for name, planned in failed.items():
        if f".{name}." in f".{test_id}":  # what labels name is known by its last part only
            original: Any = planned.test
            test = type(original)(original._testMethodName, original._exception)
            info = replace(planned.info, id=test_id)
            return PlannedTest(test, info, has_own=planned.has_own)
    return None


def _differences(wanted: Sequence[str], found: Collection[str], number: int) -> str:
    """Say what is missing, and what else was found in the same modules."""
    modules = {_module(test_id) for test_id in wanted if test_id not in found}
    near = [test_id for test_id in found if _module(test_id) in modules]
    lines = [
        line
        for line in difflib.unified_diff(
            sorted(test_id for test_id in wanted if _module(test_id) in modules),
            sorted(near),
            "the run",
            f"worker {number}",
            n=0,
            lineterm="",
        )
        if not line.startswith("@@")
    ]
    more = [f"… and {len(lines) - _SHOWN} lines more"] if len(lines) > _SHOWN else []
    return "\n".join(
        [
            f"Worker {number} has collected other tests than the run. What is collected must not "
            "depend on the process.",
            *lines[:_SHOWN],
            *more,
        ]
    )


def _module(test_id: str) -> str:
    return test_id.rpartition(".")[0].rpartition(".")[0]
