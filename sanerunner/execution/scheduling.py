"""Which unit of work goes out next: pure decisions, no processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Unit:
    """The tests of one class, or of a part of it; the smallest thing that is given to a worker.

    ``tests`` are places in the plan. ``costs`` are what each is expected to take: seconds, or 1
    for each where nothing is known of any. ``owner`` is the class's dotted path. A ``splittable``
    unit may be divided: its tests share nothing. A ``serial`` one runs with nothing beside it,
    those of one ``group`` never overlap. ``databases`` must be there before it is handed out.
    ``avoid`` is a worker that gets it only if no other is free; 0 for none.
    """

    owner: str
    tests: tuple[int, ...]
    costs: tuple[float, ...]
    splittable: bool = False
    serial: bool = False
    group: str = ""
    databases: frozenset[str] = frozenset()
    avoid: int = 0

    @property
    def cost(self) -> float:
        return sum(self.costs)

    def part(self, start: int, stop: int | None = None) -> Unit:
        """Return the unit with some of its tests only."""
        return replace(self, tests=self.tests[start:stop], costs=self.costs[start:stop])

    def without(self, finished: Iterable[int]) -> Unit:
        """Return the unit without those of its tests that have ended."""
        gone = set(finished)
        kept = [place for place, test in enumerate(self.tests) if test not in gone]
        return replace(
            self,
            tests=tuple(self.tests[place] for place in kept),
            costs=tuple(self.costs[place] for place in kept),
        )


class Schedule:
    """Hands out units, the longest expected first.

    The tests of a splittable unit are handed out in shares as soon as it is more than one
    worker's part of all that is left, so that the workers end together. Serial units come last,
    one at a time. Of a group, the units are as urgent as all of them together, since they run
    one after the other. ``ready(databases)`` says whether these exist; until they do, only units
    that need none, or others, go out.
    """

    def __init__(
        self,
        units: Iterable[Unit],
        *,
        workers: int,
        ready: Callable[[frozenset[str]], bool] = lambda databases: True,
    ) -> None:
        self._workers = max(workers, 1)
        self._ready = ready
        #: What runs at the same time and belongs to another schedule.
        self.beside: Callable[[], Iterable[Unit]] = lambda: ()
        self._running: dict[int, Unit] = {}
        self._waiting = list(units)
        self._group_costs: defaultdict[str, float] = defaultdict(float)
        for unit in self._waiting:
            self._group_costs[unit.group] += unit.cost
        self._waiting.sort(key=self._urgency)  # the most urgent is the last: popping is cheap
        self._remaining = sum(unit.cost for unit in self._waiting)

    @property
    def exhausted(self) -> bool:
        """Whether every unit was handed out and is done."""
        return not self._waiting and not self._running

    @property
    def waiting(self) -> tuple[Unit, ...]:
        """The units that are still to be handed out."""
        return tuple(self._waiting)

    @property
    def running(self) -> tuple[Unit, ...]:
        """The units that were handed out and are not done."""
        return tuple(self._running.values())

    def next(self, worker: int) -> Unit | None:
        """Return what ``worker`` is to run now; None where nothing may run beside what does."""
        assert worker not in self._running, f"worker {worker} is busy"
        running = [*self._running.values(), *self.beside()]
        if any(unit.serial for unit in running):
            return None
        place = self._choose(worker, running)
        if place is None:
            return None
        unit = self._share(place)
        self._remaining -= unit.cost
        self._running[worker] = unit
        return unit

    def done(self, worker: int) -> Unit:
        """``worker`` has ended its unit, or has died with it; return the unit."""
        return self._running.pop(worker)

    def put_back(self, unit: Unit) -> None:
        """Hand out ``unit``, the rest of one that was begun, before all others."""
        self._waiting.append(unit)
        self._remaining += unit.cost

    def give_up_databases(self) -> None:
        """Hand out no unit that needs databases: they cannot be had."""
        self._waiting = [unit for unit in self._waiting if not unit.databases]
        self._remaining = sum(unit.cost for unit in self._waiting)

    def clear(self) -> None:
        """Hand out nothing any more."""
        self._waiting.clear()
        self._remaining = 0.0

    def _urgency(self, unit: Unit) -> tuple[bool, float]:
        cost = self._group_costs[unit.group] if unit.group else unit.cost
        return (not unit.serial, cost)

    def _choose(self, worker: int, running: list[Unit]) -> int | None:
        """Return the place of the most urgent unit that ``worker`` may run now."""
        others_are_free = len(self._running) < self._workers - 1
        groups = {unit.group for unit in running} - {""}
        for place in range(len(self._waiting) - 1, -1, -1):
            unit = self._waiting[place]
            if unit.serial and running:
                continue
            if unit.avoid == worker and others_are_free:
                continue
            if unit.group not in groups and self._ready(unit.databases):
                return place
        return None

    def _share(self, place: int) -> Unit:
        """Take the unit at ``place``, or a share of it."""
        unit = self._waiting.pop(place)
        fair = self._remaining / self._workers
        if not unit.splittable or unit.cost <= fair or len(unit.tests) == 1:
            return unit
        taken, count = 0.0, 0
        while count < len(unit.tests) - 1 and taken < fair / 2:
            taken += unit.costs[count]
            count += 1
        self._insert(unit.part(count))
        return unit.part(0, count)

    def _insert(self, unit: Unit) -> None:
        urgency = self._urgency(unit)
        place = len(self._waiting)
        while place and self._urgency(self._waiting[place - 1]) > urgency:
            place -= 1
        self._waiting.insert(place, unit)
