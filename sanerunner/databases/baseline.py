"""Baselines: the states that tests start from, and the rewinds between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.apps import apps
from django.db import connections

from ..exceptions import RewindError
from .operations import DatabaseOperations, Rewound, operations_for

#: After migrations and post_migrate: what sane classes start from.
MIGRATED = "migrated"
#: What Django's flush leaves: what stock classes find after one of them has run.
FLUSHED = "flushed"
#: On top of a baseline: a class's committed data.
CHECKPOINT = "checkpoint"


class Repair(NamedTuple):
    """What the rewind of one database found."""

    alias: str
    rewound: Rewound


class Baselines:
    """Puts the databases of a run back, as far as their vendors can.

    A database that is not attached (its vendor has no operations, or rewinding is off) is not
    covered: its tests are isolated in Django's way. With ``verify`` each rewind is followed by
    a comparison of full checksums; RewindError where they differ.
    """

    def __init__(self, *, verify: bool = False) -> None:
        self._verify = verify
        self._operations: dict[str, DatabaseOperations] = {}
        self._held: dict[str, set[str]] = {}
        # alias, state, whether with counters -> the digests to find after a rewind
        self._checksums: dict[tuple[str, str, bool], Mapping[str, str]] = {}

    def attach(self, alias: str) -> None:
        """Take the present content of a database that has just been made as *migrated*."""
        operations = operations_for(connections[alias])
        if operations is None:
            return
        operations.open()
        self._operations[alias] = operations
        self._held[alias] = set()
        self.capture([alias], MIGRATED)

    def detach(self, alias: str, *, dropped: bool) -> None:
        """Let go of a database; ``dropped`` says whether it is to be destroyed now."""
        operations = self._operations.pop(alias, None)
        self._held.pop(alias, None)
        if operations is not None:
            operations.close()
            if dropped:
                operations.discard()

    def covers(self, aliases: Iterable[str]) -> bool:
        """Whether all of these databases can be rewound."""
        return all(alias in self._operations for alias in aliases)

    def holds(self, aliases: Iterable[str], state: str) -> bool:
        return all(state in self._held[alias] for alias in aliases)

    def capture(self, aliases: Iterable[str], state: str) -> None:
        """Take the present content of the databases as ``state``."""
        for alias in aliases:
            self._operations[alias].capture(state)
            self._held[alias].add(state)
            for counters in (True, False) if self._verify else ():
                digests = self._operations[alias].checksums(counters=counters)
                self._checksums[alias, state, counters] = digests

    def forget(self, aliases: Iterable[str], state: str) -> None:
        for alias in aliases:
            if state in self._held.get(alias, ()):
                self._operations[alias].forget(state)
                self._held[alias].discard(state)

    def rewind(self, aliases: Iterable[str], state: str, *, counters: bool = True) -> list[Repair]:
        """Put the databases back to ``state``; return what was repaired."""
        repairs = []
        for alias in aliases:
            rewound = self._operations[alias].rewind(state, counters=counters)
            if self._verify:
                self._compare(alias, state, counters)
            if rewound:
                repairs.append(Repair(alias, rewound))
                _clear_caches(rewound)
        return repairs

    def _compare(self, alias: str, state: str, counters: bool) -> None:
        expected = self._checksums[alias, state, counters]
        found = self._operations[alias].checksums(counters=counters)
        differing = sorted(
            name
            for name in expected.keys() | found.keys()
            if expected.get(name) != found.get(name)
        )
        if differing:
            raise RewindError(
                f"Database {alias!r} differs from its {state} state after a rewind: "
                f"{', '.join(differing[:10])}"
            )


def _clear_caches(rewound: Rewound) -> None:
    """Forget what Django remembers of rows that have just been put back."""
    if apps.is_installed("django.contrib.contenttypes"):
        from django.contrib.contenttypes.models import ContentType

        if rewound.rebuilt or ContentType._meta.db_table in rewound.tables:
            ContentType.objects.clear_cache()
    if apps.is_installed("django.contrib.sites"):
        from django.contrib.sites.models import Site

        if rewound.rebuilt or Site._meta.db_table in rewound.tables:
            Site.objects.clear_cache()
