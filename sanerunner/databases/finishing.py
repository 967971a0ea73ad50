"""What is done with databases when all that are made together are there."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import connections

from ..events import DatabaseReady
from .baseline import MIGRATED, Baselines
from .failures import explained
from .making import DatabaseMaker, Made
from .operations import operations_for


class Finisher:
    """Takes images and baselines, and tells what is ready.

    It comes late, since the migrations of one database may write to another. ``created`` is
    called with each alias whose database was made, not kept; ``emit`` takes the events.
    """

    def __init__(
        self,
        maker: DatabaseMaker,
        *,
        baselines: Baselines | None,
        created: Callable[[str], None] | None,
        emit: Callable[[DatabaseReady], None],
    ) -> None:
        self._maker = maker
        self._baselines = baselines
        self._created = created
        self._emit = emit
        self._unfinished: list[tuple[str, Made, float]] = []

    def add(self, alias: str, made: Made, duration: float) -> None:
        """A database is there, after so many seconds."""
        self._unfinished.append((alias, made, duration))

    def finish(self) -> None:
        """All of them are there."""
        finished, self._unfinished = self._unfinished, []
        for alias, made, _ in finished:
            with explained(alias):
                self._store_image(alias, made)
        others_written = any(made.migrated for _, made, _ in finished)
        for alias, made, duration in finished:
            started = time.monotonic()
            with explained(alias):
                self._finish(alias, made, others_written)
            name = str(connections[alias].settings_dict["NAME"])
            duration += time.monotonic() - started
            self._emit(DatabaseReady(alias, name, made.how, duration))

    def _store_image(self, alias: str, made: Made) -> None:
        """Store an image, with the baseline where that is of use to whoever loads it."""
        if not made.image:
            return
        operations = operations_for(connections[alias])
        if self._baselines is None or operations is None or not operations.images_hold_states:
            self._maker.store_image(alias, made)
            return
        self._baselines.attach(alias)
        with self._baselines.cloning(alias):
            self._maker.store_image(alias, made)

    def _finish(self, alias: str, made: Made, others_written: bool) -> None:
        baselines = self._baselines
        changed = self._created is not None and made.migrated
        if self._created is not None and made.migrated:
            self._created(alias)
        if baselines is not None and made.migrated:
            baselines.attach(alias, loaded=made.loaded, changed=changed)
        elif baselines is not None and others_written:
            baselines.rewind([alias], MIGRATED)
        self._maker.finish(alias, made)
