"""Runs in two processes beside ``DiscoverRunner --parallel 2``: ``python benchmarks/parallel.py``.

overhead: 20,000 empty unit tests; wall and CPU time, and what the coordinator itself adds.
memory: by how much the coordinator grows for each test that has passed.
giant: one class has all the tests, which sleep.
tail: durations with a heavy tail, one class of 30% of the time, which comes last.
failure: the time until a unit test's failure is told, where databases take 5 s to make.
overlap: unit tests of 5 s on both processes, databases that take 5 s to make.
crash: how long it takes until a killed worker is reported, and what it costs the run.
database: tests in a database, on ``--database``.

``--only`` names some of these. Tests sleep where balance is measured, so that other work on the
machine counts less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import servers
from common import SANE, STOCK, compare, cpu_time, machine, manage, project, python, shows, table
from overhead import empty_tests

PARALLEL = "--parallel=2"
FAILFAST = "--failfast"
MAKING = 5.0  # seconds that the slow migration takes

# Runners that write down what the process that they are in has used, at the start and at the end.
NOTING = """
import json, os, resource

def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(open("/proc/self/statm").read().split()[1])
    return {
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        "peak": usage.ru_maxrss * 1024,
    }

class Noting:
    def run_suite(self, suite, **kwargs):
        before = used()
        try:
            return super().run_suite(suite, **kwargs)
        finally:
            with open("used.json", "w") as file:
                json.dump([before, used()], file)
"""
RUNNERS = {  # apart, so that neither imports the other
    "noting.py": NOTING,
    "stock_runner.py": """
        from django.test.runner import DiscoverRunner
        from noting import Noting

        class Runner(Noting, DiscoverRunner): ...
    """,
    "sane_runner.py": """
        from noting import Noting
        from sanerunner import SaneRunner

        class Runner(Noting, SaneRunner): ...
    """,
}
NOTING_STOCK, NOTING_SANE = "--testrunner=stock_runner.Runner", "--testrunner=sane_runner.Runner"

MODELS = """
from django.db import models

class Thing(models.Model):
    name = models.CharField(max_length=50)
"""
SLOW_MIGRATION = f"""
import time
from django.db import migrations, models

class Migration(migrations.Migration):
    operations = [
        migrations.RunPython(lambda apps, schema_editor: time.sleep({MAKING})),
        migrations.CreateModel("Thing", [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=50)),
        ]),
    ]
"""
SLOW = {
    "app/models.py": MODELS,
    "app/migrations/__init__.py": "",
    "app/migrations/0001_initial.py": SLOW_MIGRATION,
}
ROWS = """
from django.test import TestCase
from app.models import Thing

class Rows(TestCase):
    def test_rows(self):
        self.assertEqual(Thing.objects.count(), 0)
"""
FAILING = f"""
import unittest
{ROWS}
class Fails(unittest.TestCase):
    def test_fails(self):
        self.fail("on purpose")
"""
CRASHING = """
import os, pathlib, signal, time, unittest

class Crash(unittest.TestCase):
    def test_a(self):
        if os.environ["DJANGO_SETTINGS_MODULE"] == "crashing":
            pathlib.Path("killed").write_text(str(time.time()))
            os.kill(os.getpid(), signal.SIGKILL)
"""
RECORDER = """
import pathlib, time
from sanerunner import Plugin

class Recorder(Plugin):
    def handle_event(self, event):
        if type(event).__name__ == "WorkerLost":
            pathlib.Path("reported").write_text(str(time.time()))
"""


def sleeping(durations: Mapping[str, list[float]]) -> str:
    """Return a module of classes by name, whose tests sleep for so many seconds each."""
    lines = ["import time, unittest"]
    for name, seconds in durations.items():
        lines.append(f"class {name}(unittest.TestCase):")
        lines += [
            f"    def test_{number}(self): time.sleep({each})"
            for number, each in enumerate(seconds)
        ]
    return "\n".join(lines) + "\n"


def heavy_tail(total: float) -> dict[str, list[float]]:
    """Return classes of ten tests each; the last class has 30% of ``total`` seconds, of the
    others the n-th longest a share of 1/n.
    """
    weights = [1 / number for number in range(1, 20)]
    shares = [0.7 * total * weight / sum(weights) for weight in weights]
    classes = {f"C{number:02}": [share / 10] * 10 for number, share in enumerate(reversed(shares))}
    return {**classes, "Last": [0.3 * total / 10] * 10}


class Benchmark:
    def __init__(self, *, rounds: int, classes: int, tests: int, database: str) -> None:
        self._rounds = rounds
        self._classes = classes
        self._tests = tests
        self._database = database

    def overhead(self) -> None:
        total = self._classes * self._tests
        files = {"app/tests.py": empty_tests(self._classes, self._tests), **RUNNERS}
        with project(files) as folder:
            sides = {
                f"{name}{' ' + option if option else ''}": (folder, runner, option)
                for option in ("", PARALLEL)
                for name, runner in (("Django", NOTING_STOCK), ("sanerunner", NOTING_SANE))
            }
            found: dict[str, list[tuple[float, ...]]] = {name: [] for name in sides}
            for number in range(self._rounds + 1):
                for name, (_, runner, option) in sides.items():
                    run = cpu_time(manage(folder, "test", runner, *filter(None, [option])))
                    wall, cpu = run()
                    before, after = json.loads((folder / "used.json").read_text())
                    if number:
                        found[name].append((wall, cpu, after["cpu"] - before["cpu"]))
        medians = {
            name: [statistics.median(each) for each in zip(*values, strict=True)]
            for name, values in found.items()
        }
        print(
            f"| {total:,} empty unit tests | wall, s | of Django's | CPU, s | of Django's "
            "| of it in the first process while tests run, µs a test |\n|---|---|---|---|---|---|"
        )
        for name, (wall, cpu, own) in medians.items():
            base_wall, base_cpu, _ = medians[name.replace("sanerunner", "Django")]
            print(
                f"| {name} | {wall:.2f} | {wall / base_wall:.2f} | {cpu:.2f} "
                f"| {cpu / base_cpu:.2f} | {own / total * 1e6:.0f} |"
            )

    def memory(self) -> None:
        print("| bytes for each passed test | at the end | at the peak |\n|---|---|---|")
        for options in ((), ("--junit=junit.xml",)):
            for name, runner in (("Django", NOTING_STOCK), ("sanerunner", NOTING_SANE)):
                if options and runner == NOTING_STOCK:
                    continue
                grown = [self._growth(tests, runner, options) for tests in (2, self._tests)]
                count = self._classes * (self._tests - 2)
                last, peak = ((more - less) / count for less, more in zip(*grown, strict=True))
                print(f"| {' '.join([name, PARALLEL, *options])} | {last:.0f} | {peak:.0f} |")

    def _growth(self, tests: int, runner: str, options: tuple[str, ...]) -> tuple[float, float]:
        """Return by how much the first process has grown: at the end, at the peak."""
        files = {"app/tests.py": empty_tests(self._classes, tests), **RUNNERS}
        values = []
        with project(files) as folder:
            for _ in range(self._rounds):
                manage(folder, "test", runner, PARALLEL, *options)()
                before, after = json.loads((folder / "used.json").read_text())
                values.append([after[key] - before["memory"] for key in ("memory", "peak")])
        last, peak = (statistics.median(each) for each in zip(*values, strict=True))
        return last, peak

    def giant(self) -> None:
        with project({"app/tests.py": sleeping({"Giant": [0.02] * 200})}) as folder:
            print(self._beside_django(folder, "one class of 200 tests of 20 ms"))

    def tail(self) -> None:
        seconds = 10.0
        with project({"app/tests.py": sleeping(heavy_tail(seconds))}) as folder:
            for count in (2, 4):
                title = f"heavy tail, {count} workers, of a lower bound of {seconds / count:.2f} s"
                print(self._beside_django(folder, title, f"--parallel={count}"), end="\n\n")
        with project({"app/tests.py": sleeping({"One": [0.0], "Two": [0.0]})}) as folder:
            print(self._beside_django(folder, "of it, two tests that do nothing"))

    def failure(self) -> None:
        with project({"app/tests.py": FAILING, **SLOW}) as folder:
            arguments = [FAILFAST, PARALLEL]
            told = {
                "Django": shows(folder, "on purpose", "test", STOCK, *arguments),
                "sanerunner": shows(folder, "on purpose", "test", SANE, *arguments),
            }
            print(table("until the failure is told", self._medians(told), "Django"), end="\n\n")
            ended = {
                "Django": python(folder, "manage.py", "test", STOCK, *arguments, fails=True),
                "sanerunner": python(folder, "manage.py", "test", SANE, *arguments, fails=True),
            }
            print(table("until the command ends", self._medians(ended), "Django"))

    def overlap(self) -> None:
        units = sleeping({f"Unit{number}": [0.1] * 10 for number in range(10)})
        with project({"app/tests.py": units + ROWS, **SLOW}) as folder:
            print(self._beside_django(folder, "5 s of unit tests on 2 workers, 5 s of databases"))

    def crash(self) -> None:
        units = sleeping({f"Unit{number}": [0.02] * 10 for number in range(20)})
        files = {
            "app/tests.py": units + CRASHING,
            "app/recorder.py": RECORDER,
            "crashing.py": "from settings import *\nSANERUNNER = {'PLUGINS': "
            "['app.recorder.Recorder']}\n",
        }
        with project(files) as folder:
            crashing = ["test", SANE, PARALLEL, "--settings=crashing"]
            delays: list[float] = []

            def crash() -> float:
                seconds = python(folder, "manage.py", *crashing, fails=True)()
                killed, reported = (
                    float((folder / name).read_text()) for name in ("killed", "reported")
                )
                delays.append(reported - killed)
                return seconds

            sides = {
                "no worker dies": manage(folder, "test", SANE, PARALLEL),
                "one is killed": crash,
            }
            medians = self._medians(sides)
            print(table("400 tests of 20 ms", medians, "no worker dies"))
        print(
            f"\nReported after {statistics.median(delays) * 1000:.0f} ms; Django waits for ever."
        )

    def database(self) -> None:
        tests = "\n".join(
            f"    def test_{number}(self):\n"
            "        for n in range(10): Thing.objects.create(name=str(n))\n"
            "        self.assertEqual(Thing.objects.count(), 10)"
            for number in range(20)
        )
        classes = "\n".join(f"class Rows{number}(TestCase):\n{tests}" for number in range(50))
        files = {
            "app/tests.py": f"from django.test import TestCase\nfrom app.models import Thing\n"
            f"{classes}\n",
            "app/models.py": MODELS,
        }
        with servers.server(self._database), project(files) as folder:
            for number, runner in enumerate(("stock", "sane")):
                (folder / f"{runner}.py").write_text(
                    "from settings import *\n"
                    + servers.settings(self._database, name=f"{servers.NAME}_{number}")
                )
            sides: dict[str, Callable[[], float]] = {}
            for option in (["--parallel=1"], [PARALLEL]):
                for name, runner, module in (
                    ("Django", STOCK, "stock"),
                    ("sanerunner", SANE, "sane"),
                ):
                    sides[f"{name} {option[0]}"] = manage(
                        folder, "test", "--noinput", runner, f"--settings={module}", *option
                    )
            title = f"1,000 tests of 10 rows, {self._database}"
            print(table(title, self._medians(sides), f"Django {PARALLEL}"))

    def _beside_django(self, folder: Path, title: str, option: str = PARALLEL) -> str:
        sides = {
            "Django": manage(folder, "test", STOCK, option),
            "sanerunner": manage(folder, "test", SANE, option),
        }
        return table(title, self._medians(sides), "Django")

    def _medians(self, sides: Mapping[str, Callable[[], float]]) -> dict[str, float]:
        return compare(sides, self._rounds)


NAMES = ("overhead", "memory", "giant", "tail", "failure", "overlap", "crash", "database")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--classes", type=int, default=1000, help="of empty tests")
    parser.add_argument("--tests", type=int, default=20, help="of each class of empty tests")
    parser.add_argument("--database", choices=servers.DATABASES, default="sqlite")
    arguments = parser.parse_args()
    benchmark = Benchmark(
        rounds=arguments.rounds,
        classes=arguments.classes,
        tests=arguments.tests,
        database=arguments.database,
    )
    print(f"{machine()}, {os.cpu_count()} CPUs", end="\n\n", flush=True)
    for name in arguments.only:
        getattr(benchmark, name)()
        print(flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
