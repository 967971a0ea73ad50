"""Runs a plan under a project's own unittest runner or result class.

A subclass of SaneRunner may set ``test_runner``, or return a ``resultclass`` of its own: its
runner then shows the run, in place of the console reporter, and its result is told everything
that unittest would have told it.
"""

from __future__ import annotations

import unittest
from collections.abc import Mapping
from typing import Any

from django.test.runner import DebugSQLTextTestResult, PDBDebugResult

from .session import Session

_OWN_RESULTS = (None, DebugSQLTextTestResult, PDBDebugResult)


def is_foreign(test_runner: type, arguments: Mapping[str, Any]) -> bool:
    """Whether a project has put its own class in place of unittest's."""
    return (
        test_runner is not unittest.TextTestRunner
        or arguments.get("resultclass") not in _OWN_RESULTS
    )


def run_foreign(
    test_runner: Any, arguments: Mapping[str, Any], session: Session
) -> unittest.TestResult:
    """Let ``test_runner`` run the plan of ``session``; return its result."""
    result: unittest.TestResult = test_runner(**arguments).run(_PlanSuite(session))
    return result


class _PlanSuite(unittest.TestSuite):
    """A suite that runs a whole plan when it is asked to run."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def countTestCases(self) -> int:
        return self._session.plan.total

    def run(self, result: unittest.TestResult, debug: bool = False) -> unittest.TestResult:
        self._session.run(companion=result)
        return result
