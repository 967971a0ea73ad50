"""How long a run of one test takes to start: ``python benchmarks/starting.py [--database …]``.

A project of 300 models with 93 migration files. Warm: the database was kept by the run before,
``--keepdb`` with both runners. Cold: there is none; it is made by migrating, or taken from the
image cache. *Database phase* is the time from when the runner turns to the databases to when
they are ready: ``setup_databases()`` of Django's runner, the first stage's ``require()`` here.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import generated
import servers
from common import machine, manage, project

PHASE = """
import time
from pathlib import Path

def timed(function):
    def call(*arguments, **options):
        started = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            Path("phase").write_text(str(time.perf_counter() - started))
    return call
"""
STOCK_RUNNER = """
from django.test.runner import DiscoverRunner
from phase import timed

class Stock(DiscoverRunner):
    setup_databases = timed(DiscoverRunner.setup_databases)
"""
SANE_RUNNER = """
from phase import timed
from sanerunner import SaneRunner
from sanerunner.databases.provisioning import Provisioner

class Sane(SaneRunner):
    def setup_databases(self, **options):
        Provisioner.require = timed(Provisioner.require)
        return super().setup_databases(**options)
"""
TESTS = f"""
from django.test import TestCase
from a0.models import Model5

class One(TestCase):
    def test_rows(self):
        self.assertEqual(Model5.objects.count(), {generated.ROWS})
"""
Times = tuple[float, float]  # the database phase, and the whole command


class Benchmark:
    """Projects in ``folder``: each side has settings, and so databases, of its own."""

    def __init__(self, folder: Path, database: str, rounds: int) -> None:
        self._folder = folder
        self._database = database
        self._rounds = rounds
        self._sides = 0

    def side(
        self, runner: str, *arguments: str, options: dict[str, object] | None = None
    ) -> Callable[[], Times]:
        """Return a function that runs the test with a runner of its own settings."""
        self._sides += 1
        module = f"settings_{self._sides}"
        lines = [
            "from settings import *",
            servers.settings(self._database, name=f"{servers.NAME}_{self._sides}"),
            f"TEST_RUNNER = '{runner.lower()}.{runner}'",
            f"SANERUNNER = {options or {}!r}",
        ]
        (self._folder / f"{module}.py").write_text("\n".join(lines) + "\n")
        run = manage(self._folder, "test", "--noinput", f"--settings={module}", *arguments)

        def times() -> Times:
            whole = run()
            return float((self._folder / "phase").read_text()), whole

        return times

    def compare(self, title: str, sides: dict[str, Callable[[], Times]]) -> str:
        """Return a table of medians, with ratios to the first side."""
        found: dict[str, list[Times]] = {name: [] for name in sides}
        for number in range(self._rounds + 1):
            for name, run in sides.items():
                times = run()
                if number:
                    found[name].append(times)
        medians = {
            name: tuple(statistics.median(each) for each in zip(*times, strict=True))
            for name, times in found.items()
        }
        first = next(iter(medians.values()))
        lines = [
            f"| {title} | database phase, ms | that of the first is | whole, ms | of the first |",
            "|---|---|---|---|---|",
        ]
        for name, (phase, whole) in medians.items():
            lines.append(
                f"| {name} | {phase * 1000:.0f} | {first[0] / phase:.1f}× | {whole * 1000:.0f} "
                f"| {whole / first[1]:.2f} |"
            )
        return "\n".join(lines)


def main() -> None:
    from sanerunner.options import OPTIONS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=servers.DATABASES, default="sqlite-file")
    parser.add_argument("--models", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    files = {
        **generated.sources(arguments.models),
        "phase.py": PHASE,
        "stock.py": STOCK_RUNNER,  # apart: Django's side must not import this package
        "sane.py": SANE_RUNNER,
        "app/tests.py": TESTS,
    }
    with (
        servers.server(arguments.database) as version,
        project(files) as folder,
        tempfile.TemporaryDirectory(prefix="benchmark-images-") as images,
    ):
        print(machine([version, f"{arguments.models} models"]), end="\n\n")
        settings = folder / "settings.py"
        settings.write_text(settings.read_text() + generated.installed(arguments.models))
        benchmark = Benchmark(folder, arguments.database, arguments.rounds)
        if arguments.database != "sqlite":  # which cannot be kept
            warm = {
                "Django, --keepdb": benchmark.side("Stock", "--keepdb"),
                "sanerunner, --keepdb": benchmark.side("Sane", "--keepdb"),
            }
            print(benchmark.compare("warm", warm), end="\n\n", flush=True)
        cold = {"Django": benchmark.side("Stock"), "sanerunner": benchmark.side("Sane")}
        if "IMAGE_CACHE" in {option.key for option in OPTIONS}:
            options: dict[str, object] = {"IMAGE_CACHE": images}
            cold["sanerunner, image cache"] = benchmark.side("Sane", options=options)
        print(benchmark.compare("cold", cold))


if __name__ == "__main__":
    import sys

    from common import ROOT

    sys.path.insert(0, str(ROOT))
    main()
