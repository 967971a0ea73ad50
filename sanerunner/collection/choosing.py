"""Which of the collected tests run."""

from __future__ import annotations

import unittest
from collections.abc import Iterable

from ..conf import Config
from ..reporting.history import Recording
from .narrowing import Narrowed, narrow
from .selection import select


def choose(
    collected: Iterable[unittest.TestCase], config: Config, recording: Recording | None
) -> Narrowed:
    """Apply the options that choose kinds, and those that go by what earlier runs have recorded;
    these not where ``recording`` is None.
    """
    selection = select(collected, config)
    chosen = Narrowed(selection.tests)
    if config.select or config.deselect:
        total = selection.found.total()
        chosen.notes.append(f"Selected {len(chosen.tests)} of {total} test(s).")
        if not chosen.tests:
            chosen.notes.append(f"Nothing is left of the tests found: {selection.describe()}.")
    if recording is not None:
        narrowed = narrow(chosen.tests, config, recording)
        chosen = Narrowed(narrowed.tests, chosen.notes + narrowed.notes)
    return chosen
