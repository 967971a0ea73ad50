"""Which tests ``--bisect`` and ``--pair`` are about, and all that are collected with them."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Sequence

from ..collection.kinds import is_failed_import
from ..conf import Config
from ..exceptions import UsageError

#: Returns the tests of some labels.
Build = Callable[[Sequence[str]], list[unittest.TestCase]]


def collect_with_suspect(
    build: Build, labels: Sequence[str], config: Config
) -> tuple[list[unittest.TestCase], set[str]]:
    """Return the tests of ``labels``, with those of TEST, and the ids of TEST's.

    Raises UsageError where TEST cannot be loaded.
    """
    suspect = str(config.suspect)
    try:
        meant = build([suspect])
    except RuntimeError as error:  # Django's, for a path to a file
        raise UsageError(f"{config.search}: {error}") from None
    if any(map(is_failed_import, meant)):
        raise UsageError(f"{config.search}: {suspect!r} cannot be loaded.")
    ids = {test.id() for test in meant}
    tests = build(labels)
    if not ids <= {test.id() for test in tests}:
        tests = build([*(labels or ["."]), suspect])
    return tests, ids
