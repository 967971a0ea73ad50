"""One comparison from beginning to end: prepare, run both sides, look closer, report."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import django
from comparing import Difference, changed, compare, labels_of
from drive import Side, run_sides
from labels import DELIBERATE, MINIMA, TIMED, ZOO, add_zoo, check_labels, subset_labels
from sdist import download, install_requirements, unpack

MOST_CLASSES_TO_CONFIRM = 200
MOST_TO_PRINT = 200
MOST_EXCUSED = 0.01  # of all tests; more would mean that little was compared

UNSTABLE = "Unstable: Django's own runner gave two verdicts in two runs"
BUSY = "Measures seconds: both runners gave one verdict when it ran alone"
ORDER = "Depends on order: Django's own runner gives our verdict in our order"


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

    def differences(self) -> list[Difference]:
        once = self.ours.runner == "sane"
        return compare(self.stock.record, self.ours.record, once=once)

    def incomplete(self) -> str:
        """Which side did not end its run, and why; empty where both did."""
        for side in self.sides:
            if not side.record.finished:
                return (
                    f"The side {side.name!r} did not end its run (exit status "
                    f"{side.returncode}, after {side.seconds:.0f} s); the end of {side.log}:\n"
                    f"{side.tail()}"
                )
        return ""

    def problems(self, differences: list[Difference]) -> list[str]:
        """What is wrong beside single tests."""
        if incomplete := self.incomplete():
            return [incomplete]
        if not differences and self.stock.returncode != self.ours.returncode:
            codes = [side.returncode for side in self.sides]
            return [f"Exit status: stock {codes[0]}, ours {codes[1]}."]
        return []


@dataclass(frozen=True)
class Judgement:
    """What a comparison came to."""

    compared: int
    failed: int
    problems: list[str]


class Conformance:
    """One call of the script. ``options`` are those of ``__main__.parser``."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.cache: Path = options.cache.resolve()
        self.folder = self.cache / "runs" / f"{time.strftime('%m%d-%H%M%S')}-{os.getpid()}"
        self.groups: list[list[str]] = []  # of labels; each group runs in processes of its own
        self.minimum = 1
        self.trees: dict[str, Path] = {}

    def prepare(self) -> None:
        """Fetch and unpack Django's tests; raises PreparationError or UnknownLabel."""
        archive = download(self.cache)
        # Each side has a tree of its own, since some tests write next to themselves.
        for name in ("stock", "ours"):
            self.trees[name] = unpack(archive, self.cache / django.__version__ / name)
            add_zoo(self.trees[name])
        tests = self.trees["stock"]
        if self.options.install:
            install_requirements(tests, self.options.database)
        labels: list[str] = self.options.labels
        if labels:
            check_labels(labels, tests)
            self.groups = [labels]
        else:
            self.groups = [[ZOO], subset_labels(self.options.subset, tests)]
            self.minimum = MINIMA[self.options.subset]
        if self.options.minimum is not None:
            self.minimum = self.options.minimum

    def run(self) -> bool:
        """Run both sides and print what was found; return whether they agree."""
        compared = failed = 0
        problems: list[str] = []
        for number, labels in enumerate(self.groups, 1):
            judged = self._judge(labels, self.folder / str(number))
            compared += judged.compared
            failed += judged.failed
            problems += judged.problems
        if compared < self.minimum:
            problems.append(f"Only {compared} tests were compared, not {self.minimum}.")
        for problem in problems:
            print(f"\n{problem}")
        agreed = not failed and not problems
        if agreed:
            shutil.rmtree(self.folder)
        else:
            print(f"\nRecords and logs: {self.folder}")
        print(f"\n{compared - failed} passed, {failed} failed")
        return agreed

    def _judge(self, labels: list[str], folder: Path) -> Judgement:
        comparison = self._compare(labels, folder)
        for side in comparison.sides:
            tests = len(side.record.entries)
            print(f"{side.name:>5}: {tests} tests in {side.seconds:.1f} s ({side.runner})")
        differences = comparison.differences()
        excused = self._excused(comparison, differences)
        for reason in dict.fromkeys(excused.values()):
            _print(reason, [each for each in differences if excused.get(each.id) == reason])
        counted = [difference for difference in differences if difference.id not in excused]
        _print("Different verdicts", counted)
        tests = len(comparison.all_ids())
        problems = comparison.problems(differences)
        if len(excused) > max(MOST_EXCUSED * tests, 20):
            problems.append(f"{len(excused)} of {tests} differences are excused: too many.")
        return Judgement(tests - len(excused), len(counted), problems)

    def _side(self, name: str, runner: str, labels: list[str], folder: Path) -> Side:
        given = list(self.options.option)
        if name == "ours":
            given += [f"--parallel={self.options.parallel}", *self.options.our_option]
        else:
            given += ["--parallel=1"]
        return Side(name, runner, self.trees[name], folder, labels, self.options.database, given)

    def _compare(self, labels: list[str], folder: Path) -> Comparison:
        comparison = Comparison(
            self._side("stock", "stock", labels, folder),
            self._side("ours", self.options.ours, labels, folder),
        )
        together = not self.options.one_at_a_time
        run_sides(comparison.sides, together=together, timeout=self.options.timeout)
        return comparison

    def _excused(self, comparison: Comparison, differences: list[Difference]) -> dict[str, str]:
        """Return the ids of differences that do not count -> why."""
        found = {each.id: DELIBERATE[each.id] for each in differences if each.id in DELIBERATE}
        left = [difference for difference in differences if difference.id not in found]
        if not left or not self.options.confirm or comparison.incomplete():
            return found
        found.update(self._unstable(comparison, left))
        left = [difference for difference in left if difference.id not in found]
        if left and self.options.parallel == "1":
            found.update(dict.fromkeys(self._order_dependent(comparison, left), ORDER))
        return found

    def _unstable(self, comparison: Comparison, differences: list[Difference]) -> dict[str, str]:
        """Run the classes that differ alone; return unstable ids -> what is unstable."""
        labels = labels_of(differences)
        folder = comparison.stock.folder / "alone"
        if len(labels) > MOST_CLASSES_TO_CONFIRM:
            return {}
        print(f"Running the {len(labels)} classes that differ alone …", flush=True)
        again = self._compare(labels, folder)
        differing = {difference.id for difference in again.differences()}
        gone = [difference.id for difference in differences if difference.id not in differing]
        if gone:
            print("Equal when their classes run alone:", *gone, sep="\n    ")
        found = dict.fromkeys((test_id for test_id in gone if test_id in TIMED), BUSY)
        found.update(dict.fromkeys(changed(differences, again.stock.record), UNSTABLE))
        return found

    def _order_dependent(self, comparison: Comparison, differences: list[Difference]) -> list[str]:
        """Run the stock side in our side's order; return the ids it judges as ours did then."""
        print("Running Django's own runner in our order …", flush=True)
        folder = comparison.stock.folder / "ordered"
        side = self._side("stock", "stock", comparison.stock.labels, folder)
        side.order = comparison.ours.record_path
        run_sides([side], together=False, timeout=self.options.timeout)
        entries = side.record.entries
        return [
            difference.id
            for difference in differences
            if difference.id in entries
            and entries[difference.id].verdict == difference.ours.verdict
        ]


def _print(title: str, differences: list[Difference]) -> None:
    if not differences:
        return
    print(f"\n{title} ({len(differences)}):")
    for difference in differences[:MOST_TO_PRINT]:
        print(difference)
    if len(differences) > MOST_TO_PRINT:
        print(f"… and {len(differences) - MOST_TO_PRINT} more")
