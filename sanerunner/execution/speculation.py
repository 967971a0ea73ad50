"""The next stage, of which idle workers begin units while the last tests of one are running."""

from __future__ import annotations

from collections.abc import Callable

from ..collection.stages import PlannedStage
from .scheduling import Schedule


class Speculation:
    """What is done ahead of ``stage``, and said by nobody until the stage begins."""

    def __init__(self, stage: PlannedStage, schedule: Schedule) -> None:
        self.stage = stage
        self.schedule = schedule
        self._held: list[Callable[[], object]] = []

    def hold(self, call: Callable[[], object]) -> None:
        """Call this when the stage begins; never, if it does not."""
        self._held.append(call)

    def release(self) -> None:
        """The stage begins: say all that was held back, in its order."""
        held, self._held = self._held, []
        for call in held:
            call()
