"""A test that commits, rewound, beside Django's flush and a rollback: ``python
benchmarks/rewind.py [--database postgresql] [--models 20 100 300] [--durability-off]``.

Each side runs the same tests: of five rows in three tables, and of the same with rows updated
and deleted that a data migration has made. The time of a test is that from its first line to the
first line of the next one, so that all is in it: the test, its tear-down, the next set-up, and
the runner. Milliseconds, medians of interleaved runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import generated
import servers
from common import SANE, STOCK, compare, machine, manage, project, python

TESTS = """
import json, time
from pathlib import Path
from django.test import TestCase, TransactionTestCase
from sanerunner import DestructiveDatabaseTestCase
from a0.models import Model0, Model1, Model2, Model5
from a1.models import Model5 as Other5

class Timed:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.started = []

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        Path("times.json").write_text(json.dumps(cls.started))

def insert(self):
    self.started.append(time.perf_counter())
    first = Model0.objects.create(name="a", slug="a")
    second = Model0.objects.create(name="b", slug="b")
    third = Model1.objects.create(name="c", slug="c", parent=first)
    Model1.objects.create(name="d", slug="d", parent=second)
    Model2.objects.create(name="e", slug="e", parent=third)

def change(self):
    insert(self)
    Model5.objects.filter(value__lt=3).update(note="changed")
    Other5.objects.filter(value=4).delete()

def add(name, base, test, count, **attributes):
    tests = {f"test_{number}": test for number in range(count)}
    attributes = {**attributes, **tests, "__module__": __name__}
    globals()[name] = type(name, (Timed, base), attributes)

"""
VARIANTS = {"Insert": "5 rows in 3 tables", "Change": "and baseline rows"}


@dataclass(frozen=True)
class Side:
    """One way to isolate: a class of tests, and how it is run.

    ``flushes``: a test may take seconds, so there are only a few. Else the first ones are left
    out: prepared statements and triggers are made when some have run.
    """

    name: str
    base: str
    runner: str
    flushes: bool = False
    serialized: bool = False

    def tests(self, models: int) -> int:
        if not self.flushes:
            return 80
        return 4 if models > 150 else 8 if models > 50 else 20

    @property
    def skipped(self) -> int:
        return 1 if self.flushes else 20


SIDES = (
    Side("Rollback", "TestCase", STOCK),
    Side("Flush", "TransactionTestCase", STOCK, flushes=True),
    Side("Serialized", "TransactionTestCase", STOCK, flushes=True, serialized=True),
    Side("Pytest", "TransactionTestCase", "pytest", flushes=True),
    Side("Stock", "TransactionTestCase", SANE),
    Side("Sane", "DestructiveDatabaseTestCase", SANE),
)
TITLES = {
    "Rollback": "TestCase, rollback",
    "Flush": "Django's flush",
    "Serialized": "and serialized_rollback",
    "Pytest": "flush, pytest-django",
    "Stock": "rewind, Django's class",
    "Sane": "rewind, sane class",
}


def tests(models: int, sides: list[Side]) -> str:
    lines = []
    for side, variant in itertools.product(sides, VARIANTS):
        more = ", serialized_rollback=True" if side.serialized else ""
        lines.append(
            f"add('{side.name}{variant}', {side.base}, {variant.lower()}, "
            f"{side.tests(models)}{more})"
        )
    return TESTS + "\n".join(lines) + "\n"


def timed(folder: Path, side: Side, variant: str) -> Callable[[], float]:
    """Return a function that runs a class: -> the median time of its tests, in seconds."""
    name = f"{side.name}{variant}"
    if side.runner == "pytest":
        label = f"app/tests.py::{name}"
        run = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", label)
    else:
        own = ["--restore=rewind"] if side.runner == SANE else []
        run = manage(folder, "test", "--noinput", f"app.tests.{name}", side.runner, *own)

    def median() -> float:
        run()
        started = json.loads((folder / "times.json").read_text())
        each = [after - before for before, after in itertools.pairwise(started)]
        return statistics.median(each[side.skipped :])

    return median


def measure(
    models: int, sides: list[Side], rounds: int, settings: str
) -> dict[str, dict[str, float]]:
    """Return variant -> side -> seconds."""
    files = {**generated.sources(models), "app/tests.py": tests(models, sides)}
    with project(files) as folder:
        path = folder / "settings.py"
        path.write_text(path.read_text() + generated.installed(models) + settings)
        runs = {
            f"{variant} {side.name}": timed(folder, side, variant)
            for variant in VARIANTS
            for side in sides
        }
        medians = compare(runs, rounds, warm=False)
    return {
        variant: {side.name: medians[f"{variant} {side.name}"] for side in sides}
        for variant in VARIANTS
    }


def row(models: int, variant: str, times: Mapping[str, float]) -> str:
    cells = [str(models), VARIANTS[variant]]
    cells += [f"{seconds * 1000:.2f}" for seconds in times.values()]
    for side in ("Stock", "Sane"):
        cells.append(f"{times['Flush'] / times[side]:.0f}×")
        cells.append(f"{times[side] / times['Rollback']:.2f}")
    return f"| {' | '.join(cells)} |"


def growth(results: Mapping[int, Mapping[str, Mapping[str, float]]]) -> str:
    """Return by how much tests take longer in the largest project than in the smallest."""
    small, large = results[min(results)], results[max(results)]
    lines = [f"Growth from {min(results)} to {max(results)} models:"]
    for variant, title in VARIANTS.items():
        each = [
            f"{TITLES[side]} {large[variant][side] / seconds:.2f}"
            for side, seconds in small[variant].items()
        ]
        lines.append(f"{title}: {', '.join(each)}.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=servers.DATABASES, default="sqlite")
    parser.add_argument("--models", type=int, nargs="+", default=[20, 100, 300])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serialized", action="store_true", help="serialized_rollback as well")
    parser.add_argument(
        "--durability-off",
        action="store_true",
        help="for all sides; on MariaDB of the whole server, while this runs",
    )
    arguments = parser.parse_args()
    skipped = {
        "Serialized": not arguments.serialized,
        "Pytest": importlib.util.find_spec("pytest_django") is None,
    }
    sides = [side for side in SIDES if not skipped.get(side.name)]
    durable = not arguments.durability_off
    with servers.server(arguments.database, durable=durable) as version:
        where = "" if durable else ", durability off"
        print(machine([f"{version}{where}"]), end="\n\n")
        titles = [TITLES[side.name] for side in sides]
        for side in ("Django's class", "sane class"):
            titles += [f"{side}: flush is", "of a rollback"]
        print(f"| models | ms for a test: | {' | '.join(titles)} |")
        print("|---" * (len(titles) + 2) + "|")
        results = {}
        settings = servers.settings(arguments.database, durable=durable)
        for models in arguments.models:
            results[models] = measure(models, sides, arguments.rounds, settings)
            for variant, times in results[models].items():
                print(row(models, variant, times), flush=True)
    if len(results) > 1:
        print(f"\n{growth(results)}")


if __name__ == "__main__":
    main()
