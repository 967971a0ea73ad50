"""``classify``: which kind a test is of, and which databases it uses."""

from __future__ import annotations

import doctest
import unittest
from typing import Any

from django.test import LiveServerTestCase, SimpleTestCase, TestCase, TransactionTestCase

from sanerunner import (
    DatabaseTestCase,
    DestructiveDatabaseTestCase,
    NoCleanupDatabaseTestCase,
    NonIsolatedDatabaseTestCase,
    NonIsolatedDestructiveDatabaseTestCase,
    SaneTestCase,
    TemplateTagTestCase,
    UnitTestCase,
)
from sanerunner.collection.kinds import (
    attribute,
    classify,
    databases_of,
    is_failed_import,
    switched_on,
)
from sanerunner.events import Kind
from sanerunner.exceptions import UsageError


def a_test(*bases: type, on_method: dict[str, Any] | None = None, **members: Any) -> Any:
    """Return a test of a new class; ``on_method`` are attributes of its method."""

    def test_it(self: unittest.TestCase) -> None:
        """Nothing."""

    vars(test_it).update(on_method or {})
    test_class: Any = type("Made", bases or (unittest.TestCase,), {**members, "test_it": test_it})
    return test_class("test_it")


def kind(*bases: type, **members: Any) -> Kind:
    return classify(a_test(*bases, **members))


class BaseClassTest(unittest.TestCase):
    def test_bases_of_django_and_unittest(self) -> None:
        for base, expected in (
            (unittest.TestCase, Kind.UNIT),
            (SimpleTestCase, Kind.UNIT),
            (TestCase, Kind.DATABASE),
            (TransactionTestCase, Kind.DESTRUCTIVE),
            (LiveServerTestCase, Kind.HTTP),
        ):
            with self.subTest(base.__name__):
                self.assertEqual(kind(base), expected)

    def test_simple_test_case_with_databases(self) -> None:
        self.assertEqual(kind(SimpleTestCase, databases={"default"}), Kind.DATABASE)
        self.assertEqual(kind(SimpleTestCase, databases="__all__"), Kind.DATABASE)
        self.assertEqual(kind(SimpleTestCase, databases=set()), Kind.UNIT)

    def test_live_server_with_a_browser(self) -> None:
        for name in ("browser", "selenium", "driver", "playwright"):
            with self.subTest(name):
                self.assertEqual(kind(LiveServerTestCase, **{name: None}), Kind.SELENIUM)

    def test_classes_of_the_library(self) -> None:
        for base, expected in (
            (SaneTestCase, Kind.UNIT),
            (UnitTestCase, Kind.UNIT),
            (TemplateTagTestCase, Kind.UNIT),
            (DatabaseTestCase, Kind.DATABASE),
            (NoCleanupDatabaseTestCase, Kind.DATABASE),
            (NonIsolatedDatabaseTestCase, Kind.DATABASE),
            (DestructiveDatabaseTestCase, Kind.DESTRUCTIVE),
            (NonIsolatedDestructiveDatabaseTestCase, Kind.DESTRUCTIVE),
        ):
            with self.subTest(base.__name__):
                self.assertEqual(kind(base), expected)

    def test_doctest(self) -> None:
        found = doctest.DocTestParser().get_doctest(">>> 1\n1\n", {}, "name", "file.py", 1)
        self.assertEqual(classify(doctest.DocTestCase(found)), Kind.UNIT)

    def test_what_failed_to_load(self) -> None:
        loader = unittest.TestLoader()
        (failed,) = loader.loadTestsFromName("tests.nothing_of_this_name")
        assert isinstance(failed, unittest.TestCase)
        self.assertTrue(is_failed_import(failed))
        self.assertEqual(classify(failed), Kind.UNIT)
        self.assertEqual(databases_of(failed), frozenset())


class AttributeTest(unittest.TestCase):
    def test_behavior_attributes(self) -> None:
        for name, expected in (
            ("selenium_start", Kind.SELENIUM),
            ("start_live_server", Kind.HTTP),
            ("database_flush", Kind.DESTRUCTIVE),
            ("database_flush_at_end", Kind.DESTRUCTIVE),
            ("database_single_transaction", Kind.DATABASE),
            ("database_single_transaction_at_end", Kind.DATABASE),
            ("no_database_interaction", Kind.UNIT),
        ):
            with self.subTest(name):
                self.assertEqual(kind(**{name: True}), expected)
                self.assertEqual(kind(on_method={name: True}), expected)
                self.assertEqual(kind(**{name: False}), Kind.UNIT)

    def test_the_dearest_of_several_counts(self) -> None:
        self.assertEqual(kind(database_single_transaction=True, start_live_server=True), Kind.HTTP)
        self.assertEqual(kind(no_database_interaction=True, database_flush=True), Kind.DESTRUCTIVE)

    def test_attributes_win_over_bases(self) -> None:
        self.assertEqual(kind(TestCase, database_flush=True), Kind.DESTRUCTIVE)
        self.assertEqual(kind(TransactionTestCase, no_database_interaction=True), Kind.UNIT)

    def test_only_true_counts(self) -> None:
        """A mock, or a method of that name, is no wish."""
        self.assertEqual(kind(database_flush=lambda self: None), Kind.UNIT)
        self.assertEqual(kind(database_flush=1), Kind.UNIT)

    def test_test_type_wins_over_all(self) -> None:
        self.assertEqual(kind(TransactionTestCase, test_type="unit"), Kind.UNIT)
        self.assertEqual(kind(test_type="http", database_flush=True), Kind.HTTP)

    def test_spellings_of_test_type(self) -> None:
        for value, expected in (
            ("unit", Kind.UNIT),
            ("UNIT", Kind.UNIT),
            (Kind.HTTP, Kind.HTTP),
            ("destructivedatabase", Kind.DESTRUCTIVE),
            ("browser", Kind.SELENIUM),
        ):
            with self.subTest(value):
                self.assertEqual(kind(test_type=value), expected)

    def test_test_type_that_is_no_text_is_something_else(self) -> None:
        self.assertEqual(kind(TestCase, test_type=object()), Kind.DATABASE)

    def test_unknown_test_type_names_the_class_and_lists_the_kinds(self) -> None:
        for test in (a_test(test_type="dtabase"), a_test(on_method={"test_type": "dtabase"})):
            with self.assertRaises(UsageError) as caught:
                classify(test)
            self.assertEqual(
                str(caught.exception),
                f"{__name__}.Made.test_type: unknown kind 'dtabase' (did you mean 'database'?); "
                "known: unit, database, destructive, http, selenium.",
            )


class MethodTest(unittest.TestCase):
    def test_method_wins_over_class(self) -> None:
        self.assertEqual(kind(test_type="database", on_method={"test_type": "http"}), Kind.HTTP)
        self.assertEqual(
            kind(test_type="database", on_method={"no_database_interaction": True}), Kind.UNIT
        )
        self.assertEqual(kind(TestCase, on_method={"database_flush": True}), Kind.DESTRUCTIVE)

    def test_method_without_attributes_takes_its_class(self) -> None:
        self.assertEqual(kind(test_type="http", on_method={"tags": {"slow"}}), Kind.HTTP)

    def test_attribute(self) -> None:
        test = a_test(colour="red", on_method={"colour": "blue"})
        self.assertEqual(attribute(test, "colour"), "blue")
        self.assertEqual(attribute(a_test(colour="red"), "colour"), "red")
        self.assertEqual(attribute(a_test(on_method={"x": 1}, colour="red"), "colour"), "red")
        self.assertIsNone(attribute(a_test(), "colour"))
        self.assertEqual(attribute(a_test(), "colour", "green"), "green")
        self.assertIs(
            attribute(
                a_test(make_translations=True, on_method={"make_translations": False}),
                "make_translations",
            ),
            False,
        )

    def test_what_a_method_asks_for_takes_the_place_of_what_its_class_asks_for(self) -> None:
        """Else a test would be flushed, or refused, as its class and not as itself."""
        isolations = (
            "no_database_interaction",
            "database_single_transaction",
            "database_flush",
        )
        for of_class in isolations:
            for of_method in isolations:
                with self.subTest(of_class=of_class, of_method=of_method):
                    test = a_test(**{of_class: True}, on_method={of_method: True})
                    self.assertEqual(switched_on(test) & set(isolations), {of_method})

    def test_other_switches_of_the_class_stay(self) -> None:
        test = a_test(multi_db=True, make_translations=True, on_method={"database_flush": True})
        self.assertEqual(switched_on(test), {"database_flush", "multi_db", "make_translations"})


class DatabasesTest(unittest.TestCase):
    def databases(self, *bases: type, **members: Any) -> set[str]:
        return set(databases_of(a_test(*bases, **members)))

    def test_declared(self) -> None:
        self.assertEqual(self.databases(), set())
        self.assertEqual(self.databases(TestCase), {"default"})
        self.assertEqual(self.databases(TestCase, databases={"audit"}), {"audit"})
        self.assertEqual(self.databases(databases=["audit"]), {"audit"})
        every = {"default", "replica", "audit"}
        self.assertEqual(self.databases(TestCase, databases="__all__"), every)
        self.assertEqual(self.databases(DatabaseTestCase, multi_db=True), every)

    def test_unknown_aliases_are_left_to_django(self) -> None:
        self.assertEqual(self.databases(TestCase, databases={"defualt", "audit"}), {"audit"})
        self.assertEqual(self.databases(TestCase, databases=7), set())

    def test_by_attribute(self) -> None:
        self.assertEqual(self.databases(database_single_transaction=True), {"default"})
        self.assertEqual(self.databases(database_flush_at_end=True), {"default"})
        self.assertEqual(self.databases(on_method={"database_flush": True}), {"default"})
        self.assertEqual(
            self.databases(database_flush=True, multi_db=True), {"default", "replica", "audit"}
        )
        self.assertEqual(
            self.databases(database_flush=True, on_method={"multi_db": True}),
            {"default", "replica", "audit"},
        )
        self.assertEqual(self.databases(multi_db=True), set())
        self.assertEqual(self.databases(no_database_interaction=True), set())

    def test_a_method_without_database_in_a_class_with_one(self) -> None:
        self.assertEqual(
            self.databases(
                database_single_transaction=True, on_method={"no_database_interaction": True}
            ),
            set(),
        )
