"""``--detect-leaks``: what each test leaves changed."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connections

from ..databases.baseline import Baselines
from ..databases.operations import is_supported
from ..exceptions import LeakError
from ..plugins import Plugin
from . import django_probes, probes
from .probes import Probe

if TYPE_CHECKING:
    from ..reporting.summary import Summary

__unittest = True  # unittest leaves the frames of this module out of tracebacks

MAX_LINES = 10  # for each probe
LEAKS = "_sane_leaks"  # the attribute of a test that carries them to its TestFinished

_BACKENDS = "django.core.cache.backends"
_SEEN_CACHES = {f"{_BACKENDS}.locmem.LocMemCache", f"{_BACKENDS}.dummy.DummyCache"}


class LeaksBehavior(Plugin):
    """Compares what is there after each test with what was there before it.

    It is set up before all other behaviors and torn down after them, so what class fixtures and
    behaviors change is no test's leak. Each test is compared with what it found: a leak is
    reported once. ``fail``: a test that leaks is errored.
    """

    def __init__(self, baselines: Baselines, *, fail: bool = False) -> None:
        self._fail = fail
        self._before: list[Any] = []
        self._probes: Sequence[Probe] = (
            probes.Threads(),  # first: it waits for those that are about to end
            probes.Environment(),
            probes.CurrentDirectory(),
            probes.ImportPath(),
            probes.Logging(),
            probes.WarningFilters(),
            django_probes.Settings(),
            django_probes.Language(),
            django_probes.TimeZone(),
            django_probes.LocalMemoryCaches(),
            django_probes.MediaFiles(),
            django_probes.Rows(baselines.contents),
        )

    def test_setup(self, test: unittest.TestCase) -> None:
        self._before = [probe.snapshot(test) for probe in self._probes]

    def test_teardown(self, test: unittest.TestCase) -> None:
        leaks = [
            line
            for probe, before in zip(self._probes, self._before, strict=True)
            for line in _capped(probe.compare(before, probe.snapshot(test)))
        ]
        self._before = []
        if leaks:
            vars(test)[LEAKS] = tuple(leaks)
            if self._fail:
                lines = "\n".join(f"  {line}" for line in leaks)
                raise LeakError(f"{test.id()} left changed:\n{lines}")

    def report(self, summary: Summary) -> None:
        """Say what cannot be seen."""
        unseen = _unseen()
        if unseen:
            sys.stderr.write(f"Leaks cannot be seen in: {', '.join(unseen)}.\n")


def _capped(lines: Iterable[str]) -> Iterable[str]:
    lines = iter(lines)
    yield from islice(lines, MAX_LINES)
    more = sum(1 for _ in lines)
    if more:
        yield f"… and {more} more"


def _unseen() -> list[str]:
    caches = [
        f"cache {alias!r} ({backend.rpartition('.')[2]})"
        for alias, each in settings.CACHES.items()
        if (backend := str(each.get("BACKEND", ""))) not in _SEEN_CACHES
    ]
    databases = [
        f"database {alias!r} ({connections[alias].vendor})"
        for alias in connections
        if not is_supported(connections[alias])
    ]
    return caches + databases
