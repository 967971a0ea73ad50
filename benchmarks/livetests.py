"""A test of one GET, over a live server: ``python benchmarks/livetests.py [--database postgresql]
[--models 100] [--tests 60]``.

The same test as HttpTestCase, as Django's LiveServerTestCase that is taken over, and as
LiveServerTestCase under Django's runner. The page counts the rows that the test has committed. The
time of a test is that from its first line to the first line of the next one, so that all is in
it: the test, its tear-down, the next set-up, and the runner. *A class* is one of five such tests
as part of a run: its share of starting and stopping the server is in it. Milliseconds, medians of
interleaved runs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import generated
import servers
from common import SANE, STOCK, compare, machine, manage, project, table

CLASSES = 4
FLUSHED_TESTS = 8  # each takes as long as many others

URLS = """
from django.http import HttpResponse
from django.urls import path
from a0.models import Model0

urlpatterns = [path("count/", lambda request: HttpResponse(str(Model0.objects.count())))]
"""

TESTS = """
import json, time
from pathlib import Path
from urllib.request import urlopen
from django.test import LiveServerTestCase
from sanerunner import HttpTestCase
from a0.models import Model0

def get(self):
    started.append(time.perf_counter())
    Model0.objects.create(name="a", slug="a")
    with urlopen(self.live_server_url + "/count/") as response:
        assert response.read() == b"1"

started = []

def tearDownModule():
    Path("times.json").write_text(json.dumps(started))

def add(name, base, count):
    tests = {f"test_{number}": get for number in range(count)}
    globals()[name] = type(name, (base,), {**tests, "__module__": __name__})

"""

SIDES = {
    "LiveServerTestCase, Django's runner": ("Live", STOCK),
    "LiveServerTestCase, taken over": ("Live", SANE),
    "HttpTestCase": ("Http", SANE),
}


def sources(tests: int) -> dict[str, str]:
    """Return the tests: modules with one class of many tests, and with many classes of five."""
    one = [f"add('LiveTest', LiveServerTestCase, {FLUSHED_TESTS})"]
    one += [f"add('LiveManyTest', LiveServerTestCase, {tests})"]
    one += [f"add('HttpTest', HttpTestCase, {tests})"]
    many = [
        f"add('{name}{number}Test', {base}, 5)"
        for number in range(CLASSES)
        for name, base in (("Live", "LiveServerTestCase"), ("Http", "HttpTestCase"))
    ]
    return {
        "app/urls.py": URLS,
        "app/tests.py": TESTS + "\n".join(one) + "\n",
        "app/test_classes.py": TESTS + "\n".join(many) + "\n",
    }


def tests_of(folder: Path, name: str, runner: str) -> Callable[[], float]:
    """Return a function that runs a class: -> the median time of its tests, in seconds."""
    many = "Many" if name == "Live" and runner == SANE else ""
    run = manage(folder, "test", "--noinput", f"app.tests.{name}{many}Test", runner)

    def median() -> float:
        run()
        return statistics.median(between(folder, each=1))

    return median


def classes_of(folder: Path, name: str, runner: str) -> Callable[[], float]:
    """Return a function that runs classes of five tests: -> the median time of a class."""
    run = manage(folder, "test", "--noinput", "-k", f"test_classes.{name}", "app", runner)

    def median() -> float:
        run()
        return statistics.median(between(folder, each=5))

    return median


def between(folder: Path, *, each: int) -> list[float]:
    """Return the seconds between tests; ``each`` is 5 for those between every fifth."""
    started = json.loads((folder / "times.json").read_text())[::each]
    skipped = len(started) // 4  # statements are prepared, triggers made
    return [after - before for before, after in itertools.pairwise(started[skipped:])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=servers.DATABASES, default="postgresql")
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--tests", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    files = {**generated.sources(arguments.models), **sources(arguments.tests)}
    with servers.server(arguments.database, durable=True) as version, project(files) as folder:
        path = folder / "settings.py"
        more = generated.installed(arguments.models) + servers.settings(arguments.database)
        path.write_text(
            f"{path.read_text()}{more}\nROOT_URLCONF = 'app.urls'\nSTATIC_URL = 's/'\n"
        )
        print(machine([version, f"{arguments.models} models"]), end="\n\n")
        against = next(iter(SIDES))
        for title, measure in (("a test", tests_of), ("a class of 5 tests", classes_of)):
            runs = {side: measure(folder, *how) for side, how in SIDES.items()}
            medians = compare(runs, arguments.rounds, warm=False)
            print(table(title, medians, against, unit="ms"), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
