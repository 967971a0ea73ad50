"""Who runs what, and when: decided without processes."""

from __future__ import annotations

import itertools
import unittest
from collections.abc import Iterable
from typing import Any, ClassVar

from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings

from sanerunner import DestructiveDatabaseTestCase
from sanerunner.behaviors.stock import finds_what_was_left
from sanerunner.collection.stages import PlannedStage, make_plan
from sanerunner.events import Kind
from sanerunner.exceptions import UsageError
from sanerunner.execution.scheduling import Schedule, Unit
from sanerunner.execution.units import make_units, shares_nothing, timeouts
from sanerunner.parsing import StageDefinition

from ..support.running import module_of, tests_of


def unit(owner: str, *costs: float, first: int = 0, **changes: Any) -> Unit:
    tests = tuple(range(first, first + len(costs)))
    return Unit(owner=owner, tests=tests, costs=costs, **changes)


def simulate(units: Iterable[Unit], workers: int) -> tuple[float, list[tuple[float, float, Unit]]]:
    """Run the units on workers that take exactly what is expected: the time it takes, and when
    each unit ran.
    """
    schedule = Schedule(units, workers=workers)
    now, ran = 0.0, []
    busy: dict[int, tuple[float, float, Unit]] = {}
    while True:
        for worker in range(1, workers + 1):
            if worker not in busy and (taken := schedule.next(worker)):
                busy[worker] = (now, now + taken.cost, taken)
        if not busy:
            break
        worker = min(busy, key=lambda each: busy[each][1])
        ran.append(busy.pop(worker))
        now = ran[-1][1]
        schedule.done(worker)
    assert schedule.exhausted, schedule.waiting
    return now, ran


class ScheduleTest(unittest.TestCase):
    def test_longest_expected_first(self) -> None:
        schedule = Schedule([unit("a", 1), unit("b", 5), unit("c", 1, 1)], workers=2)
        owners = []
        for worker in (1, 2, 3):
            taken = schedule.next(worker)
            assert taken is not None
            owners.append(taken.owner)
        self.assertEqual(owners, ["b", "c", "a"])
        self.assertFalse(schedule.exhausted)
        self.assertIsNone(schedule.next(4))
        for worker in (1, 2, 3):
            schedule.done(worker)
        self.assertTrue(schedule.exhausted)

    def test_beside_another_schedule(self) -> None:
        """What runs there counts for groups and serial units."""
        other = Schedule([unit("x", 1, group="g"), unit("y", 1, serial=True)], workers=2)
        schedule = Schedule(
            [unit("a", 3, serial=True), unit("b", 2, group="g"), unit("c", 1)], workers=2
        )
        schedule.beside = lambda: other.running
        other.next(1)
        taken = schedule.next(2)
        assert taken is not None
        self.assertEqual(taken.owner, "c")
        schedule.done(2)
        self.assertIsNone(schedule.next(2))
        other.done(1)
        other.next(1)
        self.assertEqual([each.owner for each in other.running], ["y"])
        self.assertIsNone(schedule.next(2))
        other.done(1)
        for owner in ("b", "a"):
            taken = schedule.next(2)
            assert taken is not None
            self.assertEqual(taken.owner, owner)
            schedule.done(2)

    def test_databases_that_cannot_be_had(self) -> None:
        units = [unit("a", 1, databases=frozenset({"default"})), unit("b", 1)]
        schedule = Schedule(units, workers=1, ready=lambda databases: not databases)
        schedule.give_up_databases()
        self.assertEqual([each.owner for each in schedule.waiting], ["b"])

    def test_one_giant_class_uses_both_workers(self) -> None:
        giant = unit("giant", *[1.0] * 100, splittable=True)
        took, ran = simulate([giant], 2)
        self.assertEqual(took, 50)
        tests = [test for *_, part in ran for test in part.tests]
        self.assertEqual(sorted(tests), list(range(100)))
        self.assertLess(len(ran), 20)

    def test_a_class_with_fixtures_is_never_split(self) -> None:
        giant = unit("giant", *[1.0] * 100)
        took, ran = simulate([giant], 2)
        self.assertEqual([part for *_, part in ran], [giant])
        self.assertEqual(took, 100)

    def test_heavy_tail_is_balanced(self) -> None:
        costs = [30.0, *[70 / n for n in range(1, 20)]]
        for splittable in (False, True):
            with self.subTest(splittable=splittable):
                units = [
                    unit(f"c{n}", *[cost / 10] * 10, splittable=splittable)
                    for n, cost in enumerate(costs)
                ]
                took, _ = simulate(units, 2)
                bound = max(sum(costs) / 2, 0 if splittable else 70)
                self.assertLessEqual(took, 1.1 * bound)

    def test_small_classes_are_not_split_while_there_is_enough_for_all(self) -> None:
        units = [unit(f"c{n}", *[1.0] * 20, splittable=True) for n in range(1000)]
        took, ran = simulate(units, 2)
        self.assertEqual(took, 10_000)
        self.assertLess(len(ran), 1020)

    def test_serial_units_run_alone(self) -> None:
        units = [
            unit("s1", 9, serial=True),
            unit("a", 3),
            unit("s2", 1, serial=True),
            unit("b", 1),
        ]
        took, ran = simulate(units, 2)
        self.assertEqual(took, 13)
        for began, ended, one in ran:
            if one.serial:
                beside = [u for b, e, u in ran if u is not one and b < ended and began < e]
                self.assertEqual(beside, [])

    def test_groups_never_overlap(self) -> None:
        units = [
            unit("g1", 4, group="g"),
            unit("g2", 4, group="g"),
            unit("h1", 2, group="h"),
            unit("a", 5),
            unit("g3", *[1.0] * 4, group="g", splittable=True),
        ]
        took, ran = simulate(units, 3)
        self.assertEqual(took, 12)  # that of the group, which is begun first
        for group in ("g", "h"):
            times = sorted((b, e) for b, e, u in ran if u.group == group)
            for (_, ended), (began, _) in itertools.pairwise(times):
                self.assertLessEqual(ended, began)

    def test_a_group_does_not_keep_others_waiting(self) -> None:
        schedule = Schedule([unit("g1", 9, group="g"), unit("g2", 9, group="g")], workers=2)
        self.assertIsNotNone(schedule.next(1))
        self.assertIsNone(schedule.next(2))
        schedule.done(1)
        self.assertIsNotNone(schedule.next(2))

    def test_the_rest_of_a_unit_is_next(self) -> None:
        schedule = Schedule([unit("a", 1, 1, 1), unit("b", 1, first=3), unit("c", 2)], workers=2)
        schedule.next(1)
        rest = schedule.done(1).without([0, 1])
        self.assertEqual((rest.tests, rest.costs), ((2,), (1,)))
        schedule.put_back(rest)
        self.assertEqual(schedule.next(1), rest)

    def test_units_whose_databases_are_not_there_wait(self) -> None:
        there: set[str] = set()
        schedule = Schedule(
            [unit("db", 9, databases=frozenset({"default"})), unit("a", 1)],
            workers=2,
            ready=lambda databases: databases <= there,
        )
        first = schedule.next(1)
        self.assertEqual(first and first.owner, "a")
        self.assertIsNone(schedule.next(2))
        there.add("default")
        second = schedule.next(2)
        self.assertEqual(second and second.owner, "db")

    def test_clear(self) -> None:
        schedule = Schedule([unit("a", 1), unit("b", 1)], workers=1)
        schedule.next(1)
        schedule.clear()
        schedule.done(1)
        self.assertTrue(schedule.exhausted)


def stage_of(*classes: type[unittest.TestCase]) -> tuple[PlannedStage, dict[str, int]]:
    plan = make_plan(tests_of(*classes), [StageDefinition(tuple(Kind))])
    return plan.stages[0], {planned.info.id: place for place, planned in enumerate(plan)}


class Plain(unittest.TestCase):
    def test_a(self) -> None: ...
    def test_b(self) -> None: ...
    def test_c(self) -> None: ...


class UnitsTest(unittest.TestCase):
    def test_a_unit_for_each_class(self) -> None:
        class Stock(TestCase):
            databases = {"default", "audit"}

            def test_a(self) -> None: ...

        units = make_units(*stage_of(Plain, Stock))
        self.assertEqual([each.tests for each in units], [(0, 1, 2), (3,)])
        self.assertEqual([each.costs for each in units], [(1.0, 1.0, 1.0), (1.0,)])
        self.assertEqual([len(each.databases) for each in units], [0, 2])

    def test_recorded_durations(self) -> None:
        stage, places = stage_of(Plain)
        recorded = {stage.tests[0].info.id: 4.0, stage.tests[1].info.id: 2.0}
        (only,) = make_units(stage, places, expected=recorded.get)
        self.assertEqual(only.costs, (4.0, 2.0, 3.0))

    def test_serial_and_group(self) -> None:
        class Inner(unittest.TestCase):
            sane_group = "files"

            def test_a(self) -> None: ...
            def test_b(self) -> None: ...

            test_b.sane_group = "mail"  # type: ignore[attr-defined]

            def test_c(self) -> None: ...

            test_c.sane_serial = True  # type: ignore[attr-defined]

        units = make_units(*stage_of(Inner))
        self.assertEqual(
            [(each.tests, each.serial, each.group) for each in units],
            [((0,), False, "files"), ((1,), False, "mail"), ((2,), True, "files")],
        )

    def test_wrong_attributes(self) -> None:
        for name, value, wanted in (
            ("sane_serial", "yes", "must be True or False, not 'yes'"),
            ("sane_group", 3, "must be a string, the group's name, not 3"),
        ):
            broken = type("Broken", (Plain,), {name: value})
            with self.subTest(name), self.assertRaises(UsageError) as caught:
                make_units(*stage_of(broken))
            self.assertIn(f"Broken.{name} {wanted}", str(caught.exception))

    def test_timeouts(self) -> None:
        class Inner(unittest.TestCase):
            sane_timeout = 5

            def test_a(self) -> None: ...
            def test_b(self) -> None: ...

            test_b.sane_timeout = 0.5  # type: ignore[attr-defined]

        self.assertEqual(timeouts(*stage_of(Plain, Inner)), {3: 5.0, 4: 0.5})
        for wrong in (0, -1, "5", True):
            broken = type("Broken", (Plain,), {"sane_timeout": wrong})
            with self.subTest(wrong), self.assertRaisesRegex(UsageError, "seconds above 0"):
                timeouts(*stage_of(broken))

    def test_a_wrong_attribute_of_a_method_names_it(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None: ...

            test_a.sane_timeout = "soon"  # type: ignore[attr-defined]

        with self.assertRaisesRegex(UsageError, r"Inner\.test_a\.sane_timeout must be"):
            timeouts(*stage_of(Inner))


class SharesNothingTest(unittest.TestCase):
    def test_what_may_be_split(self) -> None:
        class Stock(TestCase): ...

        @override_settings(DEBUG=True)
        class Simple(SimpleTestCase): ...

        for test_class in (Plain, Stock, Simple):
            with self.subTest(test_class.__name__):
                self.assertTrue(shares_nothing(test_class))

    def test_what_may_not(self) -> None:
        def method(cls: Any) -> None: ...

        own = classmethod(method)
        for name, value in (
            ("setUpClass", own),
            ("tearDownClass", own),
            ("setUpTestData", own),
            ("fixtures", ["things.json"]),
            ("database_flush_at_end", True),
        ):
            with self.subTest(name):
                self.assertFalse(shares_nothing(type("Inner", (TestCase,), {name: value})))

    def test_module_fixtures(self) -> None:
        for name in ("setUpModule", "tearDownModule"):
            inner = type("Inner", (unittest.TestCase,), {})
            with self.subTest(name), module_of(inner, **{name: lambda: None}):
                self.assertFalse(shares_nothing(inner))

    def test_units_of_classes_that_may_not_be_split(self) -> None:
        for may_split in (True, False):
            (found,) = make_units(*stage_of(Plain), may_split=lambda cls: may_split)  # noqa: B023
            self.assertEqual(found.splittable, may_split)


class FindsWhatWasLeftTest(unittest.TestCase):
    """Whether what a test finds depends on the tests that its worker has run before."""

    def test_stock_classes(self) -> None:
        class Stock(TransactionTestCase): ...

        class Serialized(TransactionTestCase):
            serialized_rollback = True

        class Partly(Serialized):
            available_apps: ClassVar = ["app"]

        class Sane(DestructiveDatabaseTestCase): ...

        class Flushed(Plain):
            database_flush = True

        answers = {
            test_class.__name__: (
                finds_what_was_left(test_class),
                finds_what_was_left(test_class, always_migrated=True),
                finds_what_was_left(test_class, by_command=True),
            )
            for test_class in (Plain, TestCase, Stock, Serialized, Partly, Sane, Flushed)
        }
        self.assertEqual(
            answers,
            {
                "Plain": (False, False, False),
                "TestCase": (False, False, False),
                "Stock": (True, False, True),
                "Serialized": (False, False, True),
                "Partly": (True, False, True),
                "Sane": (False, False, True),
                "Flushed": (True, True, True),
            },
        )
