"""Which databases a run makes, and in which order."""

from __future__ import annotations

import re
import unittest
from collections.abc import Iterable
from itertools import pairwise
from typing import Any
from unittest import mock

from django.core.exceptions import ImproperlyConfigured
from django.db.utils import ConnectionHandler

from sanerunner.databases import layout
from sanerunner.databases.layout import Layout, TestDatabase, known_mirrors, plan_layout
from sanerunner.exceptions import UsageError

from .support.projects import inner_project
from .support.services import require_postgresql

# The example of Django's documentation, "Controlling creation order for test databases".
CARDS: dict[str, list[str]] = {
    "default": ["diamonds"],
    "diamonds": [],
    "clubs": ["diamonds"],
    "spades": ["diamonds", "hearts"],
    "hearts": ["diamonds", "clubs"],
}


def sqlite(name: str, **test: Any) -> dict[str, Any]:
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "TEST": test}


def card_databases() -> dict[str, Any]:
    return {alias: sqlite(alias, DEPENDENCIES=others) for alias, others in CARDS.items()}


def plan(databases: dict[str, Any], aliases: Iterable[str] | None = None) -> Layout:
    connections = ConnectionHandler(databases)
    with mock.patch.object(layout, "connections", connections):
        return plan_layout(databases if aliases is None else aliases, layout.signatures())


def order(databases: dict[str, Any], aliases: Iterable[str] | None = None) -> list[str]:
    return [database.alias for database in plan(databases, aliases).databases]


class OrderTest(unittest.TestCase):
    def test_example_of_the_documentation(self) -> None:
        for aliases in (list(CARDS), sorted(CARDS), list(reversed(CARDS))):
            with self.subTest(aliases):
                made = order({alias: card_databases()[alias] for alias in aliases})
                self.assertEqual(made[0], "diamonds")
                self.assertEqual(set(made[1:3]), {"default", "clubs"})
                self.assertEqual(made[3:], ["hearts", "spades"])

    def test_only_what_is_used_and_what_that_depends_on(self) -> None:
        self.assertEqual(order(card_databases(), ["clubs"]), ["diamonds", "clubs"])
        self.assertEqual(
            order(card_databases(), ["spades"]), ["diamonds", "clubs", "hearts", "spades"]
        )
        self.assertEqual(order(card_databases(), []), [])

    def test_all_depend_on_default_unless_they_say_otherwise(self) -> None:
        databases = {
            "other": sqlite("o"),
            "free": sqlite("f", DEPENDENCIES=[]),
            "default": sqlite("d"),
        }
        self.assertEqual(order(databases, ["other"]), ["default", "other"])
        self.assertEqual(order(databases, ["free"]), ["free"])
        self.assertEqual(set(order(databases)), {"default", "other", "free"})

    def test_dependency_that_is_no_alias_is_no_obstacle(self) -> None:
        databases = {"default": sqlite("d"), "other": sqlite("o", DEPENDENCIES=["gone"])}
        self.assertEqual(order(databases, ["other"]), ["other"])

    def test_dependency_on_a_mirror_is_one_on_its_primary(self) -> None:
        databases = {
            "other": sqlite("o", DEPENDENCIES=["replica"]),
            "replica": sqlite("d", MIRROR="default"),
            "default": sqlite("d"),
        }
        self.assertEqual(order(databases, ["other"]), ["default", "other"])

    def test_unknown_aliases_are_left_to_others(self) -> None:
        self.assertEqual(order({"default": sqlite("d")}, ["defualt"]), [])


class CircleTest(unittest.TestCase):
    def refused(self, databases: dict[str, Any], aliases: Iterable[str] | None = None) -> str:
        with self.assertRaises(ImproperlyConfigured) as caught:
            plan(databases, aliases)
        self.assertIsInstance(caught.exception, UsageError)
        return str(caught.exception)

    def test_circle_is_named(self) -> None:
        databases = {**card_databases(), "clubs": sqlite("c", DEPENDENCIES=["spades"])}
        message = self.refused(databases)
        self.assertIn('Circular dependency in TEST["DEPENDENCIES"]: ', message)
        names = re.findall(r"\w+", message.partition(": ")[2])
        self.assertEqual(names[0], names[-1])
        self.assertEqual(set(names), {"clubs", "spades", "hearts"})
        for alias, other in pairwise(names):  # "a → b": a depends on b
            self.assertIn(other, databases[alias]["TEST"]["DEPENDENCIES"])

    def test_circle_with_the_implied_default(self) -> None:
        databases = {"default": sqlite("d", DEPENDENCIES=["other"]), "other": sqlite("o")}
        message = self.refused(databases, ["other"])
        self.assertRegex(message, "default → other → default|other → default → other")

    def test_circle_among_unused_aliases_is_no_obstacle(self) -> None:
        databases = {
            "default": sqlite("d"),
            "a": sqlite("a", DEPENDENCIES=["b"]),
            "b": sqlite("b", DEPENDENCIES=["a"]),
        }
        self.assertEqual(order(databases, ["default"]), ["default"])
        self.assertIn("a", self.refused(databases, ["b"]))

    def test_database_that_depends_on_itself(self) -> None:
        same = {
            "default": sqlite("d", NAME="t"),
            "same": sqlite("d", NAME="t", DEPENDENCIES=["default"]),
        }
        self.assertEqual(
            self.refused(same),
            "TEST[\"DEPENDENCIES\"]: 'same' depends on 'default', but they are the same database.",
        )

    def test_circle_of_mirrors(self) -> None:
        databases = {
            "default": sqlite("d"),
            "a": sqlite("d", MIRROR="b"),
            "b": sqlite("d", MIRROR="a"),
        }
        self.assertIn('Circular TEST["MIRROR"]: a → b → a.', self.refused(databases, ["a"]))


class AliasesTest(unittest.TestCase):
    def test_aliases_of_one_database_are_made_once_by_default_if_it_is_among_them(self) -> None:
        databases = {
            "first": sqlite("d", NAME="t"),
            "second": sqlite("d", NAME="t"),
            "default": sqlite("d", NAME="t"),
        }
        self.assertEqual(
            plan(databases).databases, (TestDatabase(("default", "first", "second")),)
        )
        self.assertEqual(
            plan(databases, ["second", "first"]).databases, (TestDatabase(("first", "second")),)
        )

    def test_in_memory_databases_of_one_name_are_two(self) -> None:
        databases = {"default": sqlite(":memory:"), "other": sqlite(":memory:")}
        self.assertEqual(order(databases), ["default", "other"])

    def test_aliases_of_a_server_database(self) -> None:
        require_postgresql(self)  # or rather its driver
        server = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "db"}
        databases = {"default": server, "same": dict(server), "other": {**server, "NAME": "o"}}
        self.assertEqual(
            plan(databases).databases,
            (TestDatabase(("default", "same")), TestDatabase(("other",))),
        )


class MirrorTest(unittest.TestCase):
    def test_mirror_makes_its_primary_only(self) -> None:
        databases = {"default": sqlite("d"), "replica": sqlite("d", MIRROR="default")}
        made = plan(databases, ["replica"])
        self.assertEqual(made.databases, (TestDatabase(("default",)),))
        self.assertEqual(made.mirrors, {"replica": "default"})

    def test_mirror_of_a_mirror(self) -> None:
        databases = {
            "default": sqlite("d"),
            "far": sqlite("d", MIRROR="replica"),
            "replica": sqlite("d", MIRROR="default"),
        }
        made = plan(databases, ["far"])
        self.assertEqual(made.databases, (TestDatabase(("default",)),))
        self.assertEqual(made.mirrors["far"], "default")

    def test_mirror_of_no_alias_is_an_error_where_it_is_used(self) -> None:
        databases = {"default": sqlite("d"), "replica": sqlite("d", MIRROR="defualt")}
        self.assertEqual(order(databases, ["default"]), ["default"])
        with self.assertRaises(UsageError) as caught:
            plan(databases, ["replica"])
        self.assertEqual(
            str(caught.exception),
            'DATABASES["replica"]["TEST"]["MIRROR"] is \'defualt\', which is no alias; '
            "known: default, replica.",
        )

    def test_known_mirrors_leave_the_broken_out(self) -> None:
        databases = {
            "default": sqlite("d"),
            "good": sqlite("d", MIRROR="default"),
            "bad": sqlite("d", MIRROR="gone"),
            "round": sqlite("d", MIRROR="round"),
        }
        with mock.patch.object(layout, "connections", ConnectionHandler(databases)):
            self.assertEqual(known_mirrors(), {"good": "default"})


class RealRunTest(unittest.TestCase):
    """The order in a run, and its errors, as a user sees them."""

    TESTS = """
        from django.test import TestCase
        from app.models import Thing

        class Cards(TestCase):
            databases = {databases}
            def test_rows(self):
                for alias in self.databases:
                    Thing.objects.using(alias).create(name=alias)
        """

    def run_cards(self, databases: set[str], **changes: list[str]) -> tuple[int, str]:
        settings = "DATABASES = {}\n"
        for alias, others in {**CARDS, **changes}.items():
            settings += (
                f"DATABASES[{alias!r}] = {{'ENGINE': 'django.db.backends.sqlite3', "
                f"'NAME': BASE_DIR / '{alias}.db', 'TEST': {{'DEPENDENCIES': {others!r}}}}}\n"
            )
        project = inner_project(self, self.TESTS.replace("{databases}", repr(databases)), settings)
        outcome = project.test()
        self.assertEqual(list(project.folder.glob("*.db")), [], outcome.output)
        return outcome.returncode, outcome.stderr

    def test_creation_order(self) -> None:
        code, output = self.run_cards(set(CARDS))
        self.assertEqual(code, 0, output)
        made = re.findall("Creating test database for alias '(.*)'", output)
        self.assertEqual(made[0], "diamonds")
        self.assertEqual(set(made[1:3]), {"default", "clubs"})
        self.assertEqual(made[3:], ["hearts", "spades"])
        destroyed = re.findall("Destroying test database for alias '(.*)'", output)
        self.assertEqual(destroyed, made[::-1])

    def test_unused_aliases_are_not_made(self) -> None:
        code, output = self.run_cards({"clubs"})
        self.assertEqual(code, 0, output)
        made = re.findall("Creating test database for alias '(.*)'", output)
        self.assertEqual(made, ["diamonds", "clubs"])

    def test_circle_is_one_line_and_exit_2(self) -> None:
        code, output = self.run_cards({"hearts"}, diamonds=["hearts"])
        self.assertEqual(code, 2, output)
        self.assertNotIn("Traceback", output)
        (line,) = [line for line in output.splitlines() if "Circular" in line]
        self.assertIn("diamonds → hearts", line)
