"""The plan of a run: stages, and the order inside a stage."""

from __future__ import annotations

import itertools
import json
import sys
import unittest
from types import ModuleType
from typing import Any
from unittest import mock

from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.test.runner import DiscoverRunner

from sanerunner import SaneRunner
from sanerunner.collection import listing
from sanerunner.collection.kinds import classify
from sanerunner.collection.stages import arrange, make_plan
from sanerunner.events import Kind
from sanerunner.parsing import DEFAULT_STAGES, parse_stages

from .support.running import tests_of

MODULE = "made_stages"


def made_classes() -> list[type]:
    """Classes of all bases with four tests each; some methods are of a kind of their own."""
    bases: tuple[type, ...] = (unittest.TestCase, SimpleTestCase, TestCase, TransactionTestCase)
    classes = []
    for number, base in itertools.product(range(3), bases):
        members: dict[str, Any] = {f"test_{letter}": lambda self: None for letter in "abcd"}

        def test_own_kind(self: Any) -> None: ...

        test_own_kind.test_type = "http"  # type: ignore[attr-defined]
        members["test_bc_own_kind"] = test_own_kind
        library = base.__module__.partition(".")[0].title()
        name = f"Class{(number * 5) % 3}{library}{base.__name__}{number}"
        classes.append(type(name, (base,), {**members, "__module__": MODULE}))
    return classes


class OrderTest(unittest.TestCase):
    def setUp(self) -> None:
        module = ModuleType(MODULE)
        for made in made_classes():
            setattr(module, made.__name__, made)
        patch = mock.patch.dict(sys.modules, {MODULE: module})
        patch.start()
        self.addCleanup(patch.stop)
        settings = override_settings(SANERUNNER={})
        settings.enable()
        self.addCleanup(settings.disable)

    def built(self, runner_class: type[DiscoverRunner], **options: Any) -> list[Any]:
        return list(runner_class(verbosity=0, **options).build_suite([MODULE]))

    def test_djangos_order_inside_a_stage(self) -> None:
        for options in (
            {},
            {"reverse": True},
            {"shuffle": 1},
            {"shuffle": 20231},
            {"shuffle": 7, "reverse": True},
        ):
            with self.subTest(options):
                stock = self.built(DiscoverRunner, **options)
                sane = self.built(SaneRunner, **options)
                self.assertEqual(len(sane), 60)
                for definition in DEFAULT_STAGES:
                    in_stage = [
                        [test.id() for test in tests if classify(test) in definition.kinds]
                        for tests in (stock, sane)
                    ]
                    self.assertEqual(in_stage[0], in_stage[1])

    def test_shuffling_changes_the_order(self) -> None:
        orders = {
            tuple(test.id() for test in self.built(SaneRunner, shuffle=seed)) for seed in (1, 2, 3)
        }
        self.assertEqual(len(orders), 3)

    def test_selection_does_not_change_the_order(self) -> None:
        everything = self.built(SaneRunner, shuffle=5)
        selected = self.built(SaneRunner, shuffle=5, select="database")
        self.assertEqual(
            [test.id() for test in selected],
            [test.id() for test in everything if classify(test) is Kind.DATABASE],
        )

    def test_stages_come_in_their_order(self) -> None:
        for options in ({}, {"reverse": True}, {"shuffle": 3}):
            kinds = [classify(test) for test in self.built(SaneRunner, **options)]
            places = [list(Kind).index(kind) for kind in kinds]
            stages = [{0: 0, 1: 1, 2: 2, 3: 2, 4: 3}[place] for place in places]
            self.assertEqual(stages, sorted(stages))
        runner_stages = "selenium/http,destructive/database/unit"
        kinds = [classify(test) for test in self.built(SaneRunner, stages=runner_stages)]
        self.assertEqual(kinds[-1], Kind.UNIT)
        self.assertIn(kinds[0], (Kind.HTTP, Kind.DESTRUCTIVE))

    def test_classes_stay_together(self) -> None:
        for options in ({}, {"shuffle": 11}):
            plan = make_plan(self.built(SaneRunner, **options), DEFAULT_STAGES)
            for stage in plan.stages:
                names = [planned.info.class_name for planned in stage.tests]
                runs = [name for name, _ in itertools.groupby(names)]
                self.assertEqual(len(runs), len(set(runs)), stage.name)

    def test_a_method_of_its_own_kind_splits_its_class(self) -> None:
        plan = make_plan(self.built(SaneRunner), DEFAULT_STAGES)
        by_stage = {
            stage.name: [
                planned.info.method_name
                for planned in stage.tests
                if planned.info.class_name == f"{MODULE}.Class0DjangoTestCase0"
            ]
            for stage in plan.stages
        }
        self.assertEqual(
            {name: methods for name, methods in by_stage.items() if methods},
            {
                "database": ["test_a", "test_b", "test_c", "test_d"],
                "destructive,http": ["test_bc_own_kind"],
            },
        )


class PlanTest(unittest.TestCase):
    def samples(self) -> list[unittest.TestCase]:
        members: dict[str, Any] = {"test_it": lambda self: None}
        return tests_of(
            type("Serialized", (TransactionTestCase,), {**members, "serialized_rollback": True}),
            type("Destroys", (TransactionTestCase,), {**members, "databases": {"audit"}}),
            type("Rows", (TestCase,), {**members, "databases": "__all__"}),
            type("Plain", (unittest.TestCase,), members),
        )

    def test_arrange(self) -> None:
        names = [type(test).__name__ for test in arrange(self.samples(), DEFAULT_STAGES)]
        self.assertEqual(names, ["Plain", "Rows", "Serialized", "Destroys"])

    def test_stages_without_tests_are_left_out(self) -> None:
        plan = make_plan(self.samples(), DEFAULT_STAGES)
        self.assertEqual(
            [stage.name for stage in plan.stages], ["unit", "database", "destructive,http"]
        )
        self.assertEqual(plan.total, 4)
        self.assertEqual(plan.kinds(), {"unit": 1, "database": 1, "destructive": 2})
        self.assertEqual(make_plan([], DEFAULT_STAGES).stages, [])

    def test_databases_of_stages_and_run(self) -> None:
        plan = make_plan(self.samples(), DEFAULT_STAGES)
        self.assertEqual(
            [stage.databases for stage in plan.stages],
            [
                {},
                {"default": False, "replica": False, "audit": False},
                {"default": True, "audit": False},
            ],
        )
        self.assertEqual(plan.databases(), {"default": True, "replica": False, "audit": False})

    def test_what_is_known_of_a_test(self) -> None:
        (planned,) = make_plan([PlanTest("test_what_is_known_of_a_test")], DEFAULT_STAGES)
        info = planned.info
        name = f"{__name__}.PlanTest.test_what_is_known_of_a_test"
        self.assertEqual((info.id, info.label), (name, name))
        self.assertEqual(info.class_name, f"{__name__}.PlanTest")
        self.assertEqual((info.kind, info.stage), ("unit", "unit"))
        with open(info.file, encoding="utf-8") as file:
            self.assertIn("test_what_is_known_of_a_test", file.readlines()[info.line - 1])

    def test_ids_are_unique(self) -> None:
        test = "test_ids_are_unique"
        plan = make_plan([PlanTest(test), PlanTest(test), PlanTest(test)], DEFAULT_STAGES)
        ids = [planned.info.id.rpartition(".")[2] for planned in plan]
        self.assertEqual(ids, [test, f"{test}[2]", f"{test}[3]"])

    def test_a_test_is_let_go_of_when_it_is_taken(self) -> None:
        (planned,) = make_plan([PlanTest("test_arrange")], DEFAULT_STAGES)
        first = planned.take()
        self.assertIsNone(planned.test)
        again = planned.take()
        self.assertEqual((type(again), again.id()), (PlanTest, first.id()))
        self.assertIsNot(again, first)

    def test_a_test_that_was_released_can_be_taken(self) -> None:
        (planned,) = make_plan([PlanTest("test_arrange")], DEFAULT_STAGES)
        planned.release()
        self.assertIsNone(planned.test)
        self.assertIsInstance(planned.take(), PlanTest)

    def test_listing(self) -> None:
        plan = make_plan(self.samples(), parse_stages("unit,database/destructive,http/selenium"))
        text = listing.as_text(plan, ["default", "audit"])
        self.assertIn("Stage 1: unit,database (2 tests)\n", text)
        self.assertRegex(text, r"\n  destructive +1  \S+Destroys\n")
        self.assertTrue(text.endswith("\n4 tests; databases: default, audit"), text)
        self.assertTrue(listing.as_text(make_plan([], ()), []).endswith("databases: none"))
        data = json.loads(listing.as_json(plan, ["default"]))
        self.assertEqual((data["total"], data["databases"]), (4, ["default"]))
        self.assertEqual(data["stages"][0]["kinds"], ["unit", "database"])
        self.assertEqual(data["stages"][1]["databases"], ["audit", "default"])
        listed = [
            test for stage in data["stages"] for each in stage["classes"] for test in each["tests"]
        ]
        self.assertEqual(sorted(listed), sorted(planned.info.id for planned in plan))
