"""Parts of a suite, for machines that run side by side."""

from __future__ import annotations

import unittest
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ..parsing import Shard
from .describing import dotted_name, unique_ids


def keep_shard(
    tests: Sequence[unittest.TestCase], shard: Shard, durations: Mapping[str, float]
) -> list[unittest.TestCase]:
    """Return the tests of one part, in their order.

    Classes stay whole. The longest goes out first, each to the part that has the least so far:
    all depends on the tests and on ``durations`` (id -> seconds) alone, so that parts computed
    on several machines make up the whole. A test that has no duration counts as an average one.
    """
    weights: defaultdict[str, float] = defaultdict(float)
    known = [durations[test_id] for test_id in unique_ids(tests) if test_id in durations]
    average = sum(known) / len(known) if known else 1.0
    for test, test_id in zip(tests, unique_ids(tests), strict=True):
        weights[_unit(test)] += durations.get(test_id, average)
    loads = [0.0] * shard.total
    kept = set()
    for unit in sorted(weights, key=lambda unit: (-weights[unit], unit)):
        place = loads.index(min(loads))
        loads[place] += weights[unit]
        if place == shard.number - 1:
            kept.add(unit)
    return [test for test in tests if _unit(test) in kept]


def _unit(test: unittest.TestCase) -> str:
    """Return what is never divided: a class; the id of what stands for a failed import."""
    name = dotted_name(type(test))
    return test.id() if name.startswith("unittest.loader.") else name
