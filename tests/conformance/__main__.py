"""Drop-in fidelity: the verdicts of Django's own tests under Django's runner and under ours.

python tests/conformance --subset ci
python tests/conformance --database postgresql transactions fixtures
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import django
from comparing import Difference, compare, labels_of, unstable
from drive import RUNNERS, SERVERS, Side, run_sides
from labels import SUBSETS, UnknownLabel, check_labels, subset_labels
from sdist import PreparationError, download, install_requirements, unpack

CACHE = Path(__file__).resolve().parents[2] / ".conformance"
MOST_CLASSES_TO_CONFIRM = 200
MOST_TO_PRINT = 200


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python tests/conformance",
        description="Compare the verdicts of Django's own tests under Django's runner and ours.",
    )
    add = result.add_argument
    add("labels", nargs="*", help="Labels of Django's tests, instead of a subset.")
    add("--subset", choices=sorted(SUBSETS), default="ci", help="ci by default.")
    add("--database", choices=["sqlite", *SERVERS], default="sqlite")
    add("--parallel", metavar="N", default="1", help="Worker processes of our side.")
    add("--minimum", type=int, metavar="N", help="Fail if fewer tests were compared.")
    add("--install", action="store_true", help="Install what Django's tests need, first.")
    add("--cache", type=Path, default=CACHE, help="Where sources and records are kept.")
    add("--timeout", type=float, default=3600, metavar="SECONDS", help="For each side.")
    add("--one-at-a-time", action="store_true", help="Do not run both sides together.")
    add(
        "--confirm",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Run the classes that differ once more, to tell unstable tests.",
    )
    add("--ours", choices=sorted(RUNNERS), default="sane", help='"stock": Django with itself.')
    add("--option", action="append", default=[], help="runtests.py option for both sides.")
    add("--our-option", action="append", default=[], help="runtests.py option for our side.")
    return result


@dataclass
class Comparison:
    """Both sides of one run of some labels."""

    stock: Side
    ours: Side

    @property
    def sides(self) -> list[Side]:
        return [self.stock, self.ours]

    def all_ids(self) -> set[str]:
        return {test_id for side in self.sides for test_id in side.record.entries}

    @property
    def differences(self) -> list[Difference]:
        return compare(self.stock.record, self.ours.record, once=self.ours.runner == "sane")

    def incomplete(self) -> str:
        """Which side did not end its run, and why; empty where both did."""
        for side in self.sides:
            if not side.record.finished:
                return (
                    f"The {side.name} side did not end its run (exit status {side.returncode}, "
                    f"after {side.seconds:.0f} s); the end of {side.log}:\n{side.tail()}"
                )
        return ""

    def exit_statuses_differ(self) -> bool:
        return self.stock.returncode != self.ours.returncode


class Conformance:
    """One call of this script."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.root = options.cache.resolve() / django.__version__
        self.folder = (
            options.cache.resolve() / "runs" / f"{time.strftime('%m%d-%H%M%S')}-{os.getpid()}"
        )
        self.labels: list[str] = list(options.labels)
        self.minimum = 1
        self.trees: dict[str, Path] = {}

    def prepare(self) -> None:
        archive = download(self.options.cache.resolve())
        # Each side has a tree of its own, since some tests write next to themselves.
        for name in ("stock", "ours"):
            self.trees[name] = unpack(archive, self.root / name)
        tests = self.trees["stock"]
        if self.options.install:
            install_requirements(tests, self.options.database)
        if self.labels:
            check_labels(self.labels, tests)
        else:
            self.labels, self.minimum = subset_labels(self.options.subset, tests)
        if self.options.minimum is not None:
            self.minimum = self.options.minimum

    def run(self, labels: list[str], folder: Path) -> Comparison:
        options = self.options

        def side(name: str, runner: str, given: list[str]) -> Side:
            return Side(name, runner, self.trees[name], folder, labels, options.database, given)

        comparison = Comparison(
            side("stock", "stock", ["--parallel=1", *options.option]),
            side(
                "ours",
                options.ours,
                [f"--parallel={options.parallel}", *options.option, *options.our_option],
            ),
        )
        run_sides(comparison.sides, together=not options.one_at_a_time, timeout=options.timeout)
        return comparison

    def judge(self, comparison: Comparison) -> bool:
        """Print what was found; return whether the sides agree."""
        for side in comparison.sides:
            tests = len(side.record.entries)
            print(f"{side.name:>5}: {tests} tests in {side.seconds:.1f} s ({side.runner})")
        differences = comparison.differences
        unsteady = self.confirm(comparison, differences)
        counted = [difference for difference in differences if difference.id not in unsteady]
        _print(
            "Unstable: Django's own runner judged them differently in two runs",
            [difference for difference in differences if difference.id in unsteady],
        )
        _print("Different verdicts", counted)
        compared = len(comparison.all_ids()) - len(unsteady)
        problems = self.problems(comparison, differences, compared)
        for problem in problems:
            print(f"\n{problem}")
        print(f"\n{compared - len(counted)} passed, {len(counted)} failed")
        return not counted and not problems

    def problems(
        self, comparison: Comparison, differences: list[Difference], compared: int
    ) -> list[str]:
        """What is wrong beside single tests."""
        found = []
        if incomplete := comparison.incomplete():
            found.append(incomplete)
        elif not differences and comparison.exit_statuses_differ():
            codes = [side.returncode for side in comparison.sides]
            found.append(f"Exit status: stock {codes[0]}, ours {codes[1]}.")
        if compared < self.minimum:
            found.append(f"Only {compared} tests were compared, not {self.minimum}.")
        return found

    def confirm(self, comparison: Comparison, differences: list[Difference]) -> set[str]:
        """Run the classes that differ again; return the ids that are unstable in themselves."""
        labels = labels_of(differences)
        if not self.options.confirm or comparison.incomplete():
            return set()
        if not 0 < len(labels) <= MOST_CLASSES_TO_CONFIRM:
            return set()
        print(f"Running {len(labels)} classes that differ once more …", flush=True)
        again = self.run(labels, self.folder / "again")
        differing = {difference.id for difference in again.differences}
        gone = [difference.id for difference in differences if difference.id not in differing]
        if gone:
            print("Equal when their classes ran alone:", *gone, sep="\n    ")
        return unstable(differences, comparison.stock.record, again.stock.record)


def _print(title: str, differences: list[Difference]) -> None:
    if differences:
        print(f"\n{title} ({len(differences)}):")
        for difference in differences[:MOST_TO_PRINT]:
            print(difference)
        if len(differences) > MOST_TO_PRINT:
            print(f"… and {len(differences) - MOST_TO_PRINT} more")


def main() -> int:
    conformance = Conformance(parser().parse_args())
    try:
        conformance.prepare()
    except (PreparationError, UnknownLabel) as error:
        print(error, file=sys.stderr)
        return 2
    comparison = conformance.run(conformance.labels, conformance.folder)
    agreed = conformance.judge(comparison)
    if agreed:
        shutil.rmtree(conformance.folder)
    else:
        print(f"Records and logs: {conformance.folder}")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
