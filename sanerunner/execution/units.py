"""The units of work of a stage, and the attributes by which tests say how they may be run."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from .. import cases
from ..collection.describing import dotted_name
from ..collection.kinds import (
    attribute,
    class_switches,
    databases_of,
    is_failed_import,
    test_method,
)
from ..collection.stages import PlannedStage, PlannedTest
from ..exceptions import UsageError
from .scheduling import Unit

# Where the class fixtures live that do nothing which tests could share.
_STOCK_MODULES = ("unittest.case", "django.test.testcases", f"{cases.__name__}.")
_CLASS_FIXTURES = ("setUpClass", "tearDownClass", "setUpTestData")
_MODULE_FIXTURES = ("setUpModule", "tearDownModule")


def make_units(
    stage: PlannedStage,
    places: Mapping[str, int],
    *,
    expected: Callable[[str], float | None] = lambda test_id: None,
    may_split: Callable[[type], bool] = lambda test_class: True,
) -> list[Unit]:
    """Return the units of ``stage``; ``places`` are those of the tests in the plan, by their id.

    ``expected`` tells how long a test took in earlier runs, in seconds, where that is known;
    what is unknown is expected to take what the others take on average. ``may_split`` is asked
    for classes whose own fixtures are no obstacle.
    Raises UsageError for an attribute (``sane_serial``, ``sane_group``) that cannot be obeyed.
    """
    costs = _costs(stage, expected)
    grouped: dict[tuple[Any, ...], list[tuple[PlannedTest, float]]] = {}
    for planned, cost in zip(stage.tests, costs, strict=True):
        assert planned.test is not None
        test_class: Any = type(planned.test)
        key = (test_class, planned.info.class_name, *_asked_for(planned.test))
        grouped.setdefault(key, []).append((planned, cost))
    return [
        Unit(
            owner=class_name,
            tests=tuple(places[planned.info.id] for planned, _ in members),
            costs=tuple(cost for _, cost in members),
            splittable=shares_nothing(test_class) and may_split(test_class),
            serial=serial,
            group=group,
            databases=_databases(members),
        )
        for (test_class, class_name, serial, group), members in grouped.items()
    ]


def timeouts(stage: PlannedStage, places: Mapping[str, int]) -> dict[int, float]:
    """Return the seconds after which tests are ended that say so with ``sane_timeout``, by
    their place; UsageError where it is no positive number.
    """
    found = {}
    for planned in stage.tests:
        assert planned.test is not None
        seconds = timeout_of(planned.test)
        if seconds is not None:
            found[places[planned.info.id]] = seconds
    return found


def timeout_of(test: unittest.TestCase) -> float | None:
    """Return the ``sane_timeout`` of a test."""
    value = attribute(test, "sane_timeout")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise _wrong(test, "sane_timeout", "a number of seconds above 0", value)
    return float(value)


def retries_of(test: unittest.TestCase) -> int | None:
    """Return the ``sane_retries`` of a test."""
    value = attribute(test, "sane_retries")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong(test, "sane_retries", "a whole number, 0 or more", value)
    return int(value)


@cache
def shares_nothing(test_class: Any) -> bool:
    """Whether the tests of a class share no state that class or module fixtures make."""
    module = sys.modules.get(test_class.__module__)
    if any(hasattr(module, name) for name in _MODULE_FIXTURES):
        return False
    if getattr(test_class, "fixtures", None) or any(
        switch.endswith("_at_end") for switch in class_switches(test_class)
    ):
        return False
    methods = [getattr(test_class, name, None) for name in _CLASS_FIXTURES]
    return all(
        method is None or getattr(method, "__module__", "").startswith(_STOCK_MODULES)
        for method in methods
    )


def _asked_for(test: unittest.TestCase) -> tuple[bool, str]:
    """Return ``sane_serial`` and ``sane_group`` of a test."""
    serial = attribute(test, "sane_serial", False)
    if not isinstance(serial, bool):
        raise _wrong(test, "sane_serial", "True or False", serial)
    group = attribute(test, "sane_group", "")
    if not isinstance(group, str):
        raise _wrong(test, "sane_group", "a string, the group's name", group)
    return serial, group


def _wrong(test: unittest.TestCase, name: str, wanted: str, value: object) -> UsageError:
    method = test_method(test)
    test_class: Any = type(test)
    owner = dotted_name(test_class)
    if hasattr(method, name) and not hasattr(test_class, name):
        owner = f"{owner}.{test._testMethodName}"
    return UsageError(f"{owner}.{name} must be {wanted}, not {value!r}.")


def _costs(stage: PlannedStage, expected: Callable[[str], float | None]) -> list[float]:
    recorded = [expected(planned.info.id) for planned in stage.tests]
    known = [seconds for seconds in recorded if seconds is not None]
    mean = sum(known) / len(known) if known else 1.0
    return [mean if seconds is None else seconds for seconds in recorded]


def _databases(members: list[tuple[PlannedTest, float]]) -> frozenset[str]:
    found: set[str] = set()
    for planned, _ in members:
        assert planned.test is not None
        if not is_failed_import(planned.test):
            found |= databases_of(planned.test)
    return frozenset(found)
