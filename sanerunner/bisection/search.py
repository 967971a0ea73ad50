"""Which tests make another one fail: the search, apart from how a step is run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

#: Runs tests in this order, then the suspect; returns whether the suspect failed.
Fails = Callable[[Sequence[str]], bool]


def find_culprits(tests: Sequence[str], fails: Fails) -> list[str]:
    """Return those of ``tests``, in their order, that together make the suspect fail.

    ``tests``, not empty, are known to make it fail, and none at all known not to. They are halved
    as long as one half does it alone. Where it takes tests of both, the shortest beginning that
    does it ends with a test that is needed; the search goes on before that. The last failing step
    ran exactly what is returned, or that with nothing left to take away.
    """
    needed: list[str] = []
    left = list(tests)
    while True:
        left = _halve(left, needed, fails)
        if len(left) == 1:
            return [*left, *needed]
        length = _shortest(left, needed, fails)
        needed.insert(0, left[length - 1])
        left = left[: length - 1]


def _halve(tests: list[str], needed: list[str], fails: Fails) -> list[str]:
    """Return what is left when neither half makes it fail."""
    while len(tests) > 1:
        half = len(tests) // 2
        for part in (tests[:half], tests[half:]):
            if fails([*part, *needed]):
                tests = part
                break
        else:
            return tests
    return tests


def _shortest(tests: list[str], needed: list[str], fails: Fails) -> int:
    """Return how many tests, from the first on, it takes; the first half is not enough."""
    too_few, enough = len(tests) // 2, len(tests)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if fails([*tests[:middle], *needed]):
            enough = middle
        else:
            too_few = middle
    return enough


def find_partner(tests: Iterable[str], fails: Fails) -> list[str]:
    """Return the first of ``tests`` that makes the suspect fail all by itself, if any."""
    for test in tests:
        if fails([test]):
            return [test]
    return []
