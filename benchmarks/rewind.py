"""A test that commits, rewound, beside Django's flush and a rollback:
``python benchmarks/rewind.py [--database sqlite|postgresql|mariadb] [--models 20 100]``.

Each side runs the same tests of five rows in three tables; the time of one test is the
difference between a run of many and a run of few, divided by their number.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from common import SANE, STOCK, compare, machine, manage, project

ROOT = Path(__file__).resolve().parent.parent
FEW, MANY = 5, 85

MODEL = """
class Model{n}(models.Model):
    name = models.CharField(max_length=100)
    parent = models.ForeignKey("Model{parent}", models.CASCADE, null=True)
"""
TESTS = """
from django.test import TestCase, TransactionTestCase
from app.models import Model0, Model1, Model2
from sanerunner import DestructiveDatabaseTestCase

def write(self):
    first = Model0.objects.create(name="a")
    second = Model0.objects.create(name="b")
    third = Model1.objects.create(name="c", parent=first)
    Model1.objects.create(name="d", parent=second)
    Model2.objects.create(name="e", parent=third)

def tests(count):
    return {{f"test_{{n}}": write for n in range(count)}}

{classes}
"""
BASES = ("TestCase", "TransactionTestCase", "DestructiveDatabaseTestCase")


def sources(models: int) -> dict[str, str]:
    bodies = [MODEL.format(n=n, parent=max(n - 1, 0)) for n in range(models)]
    classes = [
        f"{base}{count} = type('{base}{count}', ({base},), {{**tests({count}), "
        f"'__module__': __name__}})"
        for base in BASES
        for count in (FEW, MANY)
    ]
    return {
        "app/models.py": "from django.db import models\n" + "".join(bodies),
        "app/tests.py": TESTS.format(classes="\n".join(classes)),
    }


def database_settings(database: str) -> str:
    sys.path.insert(0, str(ROOT))
    if database == "sqlite":
        return ""
    from importlib import import_module

    entry = import_module(f"tests.settings.{database}").DATABASES["default"]
    return f"\nDATABASES = {{'default': { ({**entry, 'NAME': 'sane_benchmark'})!r}}}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--models", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(machine([arguments.database]), end="\n\n")
    print("| models | rollback | Django's flush | rewind, Django's class | rewind, sane class |")
    print("|---|---|---|---|---|")
    sides = {
        "rollback": ("TestCase", [STOCK]),
        "flush": ("TransactionTestCase", [STOCK]),
        "rewind": ("TransactionTestCase", [SANE, "--restore=rewind"]),
        "sane": ("DestructiveDatabaseTestCase", [SANE, "--restore=rewind"]),
    }
    for models in arguments.models:
        with project(sources(models)) as folder:
            settings = folder / "settings.py"
            settings.write_text(settings.read_text() + database_settings(arguments.database))
            runs = {
                (side, count): manage(folder, "test", "--noinput", f"app.tests.{base}{count}", *on)
                for side, (base, on) in sides.items()
                for count in (FEW, MANY)
            }
            named = {f"{side} {count}": run for (side, count), run in runs.items()}
            medians = compare(named, arguments.rounds)
        each = {
            side: (medians[f"{side} {MANY}"] - medians[f"{side} {FEW}"]) / (MANY - FEW) * 1000
            for side in sides
        }
        cells = [f"{milliseconds:.2f} ms" for milliseconds in each.values()]
        print(f"| {models} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
