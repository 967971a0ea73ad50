"""What the runner itself costs, beside Django's: ``python benchmarks/overhead.py``.

1. Empty unit tests, serial.
2. Start-up: ``manage.py test`` of one unit test.
3. The garbage collector's work after imports, with and without ``FREEZE_GC``.
"""

from __future__ import annotations

import argparse

from common import SANE, STOCK, compare, machine, manage, project, table


def empty_tests(classes: int, tests: int) -> str:
    methods = "\n".join(f"    def test_{n}(self): pass" for n in range(tests))
    bodies = [f"class Empty{n}(unittest.TestCase):\n{methods}\n" for n in range(classes)]
    return "import unittest\n" + "\n".join(bodies)


# What a large project leaves behind after its imports: many long-lived objects.
LARGE_IMPORTS = "KEPT = [{'key': str(n), 'values': [n]} for n in range({objects})]\n"
ALLOCATING = """
import unittest
import app.large

class Allocates(unittest.TestCase):
    pass

for n in range({tests}):
    def test(self):
        self.rows = [[i] for i in range(20_000)]
    setattr(Allocates, f"test_{{n}}", test)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--tests", type=int, default=20, help="of each class")
    arguments = parser.parse_args()
    rounds = arguments.rounds
    print(machine(), end="\n\n")

    with project({"app/tests.py": empty_tests(arguments.classes, arguments.tests)}) as folder:
        sides = {
            "DiscoverRunner": manage(folder, "test", STOCK),
            "SaneRunner": manage(folder, "test", SANE),
        }
        title = f"{arguments.classes * arguments.tests:,} empty unit tests"
        print(table(title, compare(sides, rounds), "DiscoverRunner"), end="\n\n")

    with project({"app/tests.py": empty_tests(1, 1)}) as folder:
        sides = {
            "DiscoverRunner": manage(folder, "test", STOCK),
            "SaneRunner": manage(folder, "test", SANE),
            "SaneRunner --select=unit": manage(folder, "test", SANE, "--select=unit"),
        }
        print(
            table("one unit test", compare(sides, rounds * 3), "DiscoverRunner", "ms"), end="\n\n"
        )

    files = {
        "app/large.py": LARGE_IMPORTS.replace("{objects}", "1_000_000"),
        "app/tests.py": ALLOCATING.format(tests=300),
    }
    with project(files) as folder:
        sides = {
            "DiscoverRunner": manage(folder, "test", STOCK),
            "SaneRunner": manage(folder, "test", SANE),
            "SaneRunner --no-freeze-gc": manage(folder, "test", SANE, "--no-freeze-gc"),
        }
        print(
            table("allocating beside 3,000,000 objects", compare(sides, rounds), "DiscoverRunner")
        )


if __name__ == "__main__":
    main()
