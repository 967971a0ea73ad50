"""Full checksums of captured states, which ``--verify-rewind`` compares after each rewind."""

from __future__ import annotations

from collections.abc import Mapping

from ..exceptions import RewindError
from .operations import DatabaseOperations


class Checksums:
    """The digests to find after a rewind."""

    def __init__(self) -> None:
        # alias, state, whether with counters -> the digests
        self._expected: dict[tuple[str, str, bool], Mapping[str, str]] = {}

    def take(self, alias: str, state: str, operations: DatabaseOperations) -> None:
        """Remember the present content of a database as that of ``state``."""
        for counters in (True, False):
            self._expected[alias, state, counters] = operations.checksums(counters=counters)

    def compare(
        self, alias: str, state: str, operations: DatabaseOperations, *, counters: bool
    ) -> None:
        """Raise RewindError where the present content is not that of ``state``."""
        expected = self._expected[alias, state, counters]
        found = operations.checksums(counters=counters)
        differing = sorted(
            name
            for name in expected.keys() | found.keys()
            if expected.get(name) != found.get(name)
        )
        if differing:
            raise RewindError(
                f"a comparison after the rewind finds differences: {', '.join(differing[:10])}"
            )
