"""The classes that users inherit from, under SaneRunner and under plain unittest."""

from __future__ import annotations

import io
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from django.core import mail
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from django.urls import reverse

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
from sanerunner.events import Outcome

from .shop.models import Category, Entry, Product
from .support.projects import inner_project
from .support.running import Ran, behaviors, run_classes

MIGRATED = ["shrubs", "trees"]


def names() -> list[str]:
    return sorted(category.name for category in Category.objects.all())


class AliasesTest(UnitTestCase):
    def test_asserts_have_snake_case_names(self) -> None:
        for name, alias in (
            ("assertEqual", "assert_equal"),
            ("assertHTMLEqual", "assert_html_equal"),
            ("assertInHTML", "assert_in_html"),
            ("assertJSONNotEqual", "assert_json_not_equal"),
            ("assertRaisesRegex", "assert_raises_regex"),
            ("assertIsNone", "assert_is_none"),
        ):
            with self.subTest(alias):
                self.assertTrue(hasattr(self, name))
                self.assertTrue(callable(getattr(self, alias)))

    def test_every_assert_has_one_in_every_class(self) -> None:
        for case in (DatabaseTestCase, DestructiveDatabaseTestCase, NoCleanupDatabaseTestCase):
            theirs = {
                name.lower()
                for name in dir(case)
                if name.startswith("assert") and name[6:7].isupper()
            }
            aliases = {name.replace("_", "") for name in dir(case) if name.startswith("assert_")}
            self.assertGreater(len(theirs), 40)
            self.assertEqual(theirs - aliases, set())
        self.assertTrue(hasattr(DatabaseTestCase, "assert_num_queries"))

    def test_they_do_the_same(self) -> None:
        untyped: Any = self
        untyped.assert_equal(1, 1)
        with untyped.assert_raises_message(AssertionError, "1 != 2 : why"):
            untyped.assert_equal(1, 2, msg="why")
        with untyped.assert_raises(ValueError) as caught:
            raise ValueError("x")
        self.assertEqual(str(caught.exception), "x")

    def test_asserts_of_subclasses_too(self) -> None:
        class Inner(UnitTestCase):
            def assertIsTree(self, value: Any) -> str:
                return f"{value} is a tree"

            def assertEqual(self, first: Any, second: Any, msg: Any = None) -> None:
                raise LookupError

        inner: Any = Inner("run")
        self.assertEqual(inner.assert_is_tree("oak"), "oak is a tree")
        with self.assertRaises(LookupError):
            inner.assert_equal(1, 1)

    def test_failures_do_not_show_the_alias(self) -> None:
        """The last line of a failure is the test's own, as with unittest's names."""

        class Inner(UnitTestCase):
            def test_a(self) -> None:
                self.assert_equal(1, 2)  # type: ignore[attr-defined]

        (failure,) = run_classes(Inner).finished["test_a"].failures
        self.assertNotIn("sanerunner", failure.traceback)


class AttributesTest(unittest.TestCase):
    def test_bases(self) -> None:
        for case, base in (
            (UnitTestCase, SimpleTestCase),
            (TemplateTagTestCase, UnitTestCase),
            (NoCleanupDatabaseTestCase, SimpleTestCase),
            (DatabaseTestCase, TestCase),
            (NonIsolatedDatabaseTestCase, TestCase),
            (DestructiveDatabaseTestCase, TransactionTestCase),
            (NonIsolatedDestructiveDatabaseTestCase, TransactionTestCase),
        ):
            self.assertTrue(issubclass(case, (SaneTestCase, base)))

    def test_helpers(self) -> None:
        self.assertIs(SaneTestCase.SkipTest, unittest.SkipTest)
        self.assertIs(DatabaseTestCase.transaction, transaction)

    def test_multi_db(self) -> None:
        class Multi(DatabaseTestCase):
            multi_db = True

        class Own(DatabaseTestCase):
            multi_db = True
            databases = {"audit"}

        self.assertEqual(Multi.databases, "__all__")
        self.assertEqual(Own.databases, {"audit"})


class ClientAndUrlsTest(DatabaseTestCase):
    def test_client(self) -> None:
        self.assertEqual(self.client.get("/count/").content, b"2")
        Category.objects.create(name="herbs")
        self.assertEqual(self.client.get("/count/").content, b"3")

    def test_urls_for_a_class(self) -> None:
        answers: dict[str, Any] = {}

        class Other(UnitTestCase):
            urls = "tests.shop.other_urls"

            def test_a(self) -> None:
                response: Any = self.client.get("/hello/")
                answers["hello"] = response.content
                answers["count"] = self.client.get("/count/").status_code

        ran = run_classes(Other)
        self.assertTrue(ran.result.wasSuccessful(), ran.result.errors)
        self.assertEqual(answers, {"hello": b"hello from the other URLconf", "count": 404})
        response: HttpResponse = self.client.get("/count/")  # type: ignore[assignment]
        self.assertEqual(response.status_code, 200)

    def test_urls_of_a_class_whose_set_up_fails(self) -> None:
        class Other(UnitTestCase):
            urls = "tests.shop.other_urls"

            @classmethod
            def setUpClass(cls) -> None:
                super().setUpClass()
                raise ValueError

            def test_a(self) -> None: ...

        run_classes(Other)
        self.assertEqual(self.client.get("/count/").status_code, 200)

    def test_reverse_is_not_touched(self) -> None:
        from django.urls import NoReverseMatch

        with self.assertRaises(NoReverseMatch):
            reverse("hello")


class IsolationTest(unittest.TestCase):
    """Case classes run inside this test, on its databases; it has to find them unharmed."""

    test_type = "destructive"
    databases = {"default", "replica", "audit"}
    serialized_rollback = True

    def setUp(self) -> None:
        self.put_back()
        self.addCleanup(self.put_back)

    def put_back(self) -> None:
        for model in (Product, Category):
            model.objects.all().delete()
        Category.objects.bulk_create([Category(name=name) for name in MIGRATED])
        Entry.objects.all().delete()

    def run_passing(self, *classes: type[unittest.TestCase]) -> Ran:
        ran = run_classes(*classes, plugins=behaviors())
        problems = [
            failure.traceback for event in ran.finished.values() for failure in event.failures
        ]
        problems += [fixture.failure.traceback for fixture in ran.fixtures]
        self.assertEqual("\n".join(problems), "")
        return ran

    def test_database_test_case(self) -> None:
        class Inner(DatabaseTestCase):
            def test_a(self) -> None:
                Category.objects.create(name="herbs")
                mail.outbox.append(mail.EmailMessage("subject"))
                self.assertEqual(len(mail.outbox), 1)

            def test_b(self) -> None:
                self.assertEqual(names(), MIGRATED)
                self.assertEqual(mail.outbox, [])
                with self.transaction.atomic():
                    Category.objects.create(name="herbs")

        self.run_passing(Inner)
        self.assertEqual(names(), MIGRATED)

    def test_multi_db_and_mirror(self) -> None:
        class Inner(DatabaseTestCase):
            multi_db = True

            def test_a(self) -> None:
                Entry.objects.create(text="seen")
                Category.objects.create(name="herbs")
                replica = Category.objects.using("replica")
                self.assertEqual(replica.filter(name="herbs").count(), 1)

            def test_b(self) -> None:
                self.assertEqual(Entry.objects.count(), 0)

        class Refused(DatabaseTestCase):
            def test_c(self) -> None:
                with self.assertRaisesRegex(AssertionError, "'audit' are not allowed"):
                    Entry.objects.count()

        self.run_passing(Inner, Refused)
        self.assertEqual(Entry.objects.count(), 0)

    def fixture(self, *rows: str) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name, "rows.json")
        path.write_text(
            json.dumps([{"model": "shop.category", "fields": {"name": row}} for row in rows]),
            encoding="utf-8",
        )
        return str(path)

    def test_fixtures_of_every_class(self) -> None:
        for base in (
            DatabaseTestCase,
            NonIsolatedDatabaseTestCase,
            DestructiveDatabaseTestCase,
            NonIsolatedDestructiveDatabaseTestCase,
            NoCleanupDatabaseTestCase,
        ):
            with self.subTest(base.__name__):

                def test_a(self: Any) -> None:
                    self.assertEqual(names(), ["herbs", *MIGRATED])

                members = {"fixtures": [self.fixture("herbs")], "test_a": test_a, "test_b": test_a}
                self.run_passing(type("Inner", (base,), members))
                if base is not NoCleanupDatabaseTestCase:
                    self.assertEqual(names(), MIGRATED)

    def test_no_cleanup(self) -> None:
        class Inner(NoCleanupDatabaseTestCase):
            def test_a(self) -> None:
                Category.objects.create(name="herbs")

            def test_b(self) -> None:
                self.assertEqual(names(), ["herbs", *MIGRATED])

        self.run_passing(Inner)
        self.assertEqual(names(), ["herbs", *MIGRATED])

    def test_non_isolated_shares_and_rolls_back(self) -> None:
        class Inner(NonIsolatedDatabaseTestCase):
            @classmethod
            def setUpTestData(cls) -> None:
                Category.objects.create(name="ferns")

            def test_a(self) -> None:
                Category.objects.create(name="herbs")
                self.assertTrue(connections["default"].in_atomic_block)

            def test_b(self) -> None:
                self.assertEqual(names(), ["ferns", "herbs", *MIGRATED])
                self.assertEqual(mail.outbox, [])

        class After(DatabaseTestCase):
            def test_c(self) -> None:
                self.assertEqual(names(), MIGRATED)

        self.run_passing(Inner, After)
        self.assertEqual(names(), MIGRATED)
        self.assertFalse(connections["default"].in_atomic_block)

    def test_destructive_commits_and_puts_back(self) -> None:
        seen = []

        class Inner(DestructiveDatabaseTestCase):
            databases = {"default", "audit"}

            def test_a(self) -> None:
                transaction.on_commit(lambda: seen.append("committed"))
                self.assertFalse(connections["default"].in_atomic_block)
                Category.objects.all().delete()
                Category.objects.create(name="herbs")
                Entry.objects.create(text="left")

            def test_b(self) -> None:
                self.assertEqual(names(), MIGRATED)
                self.assertEqual(Entry.objects.count(), 0)

        self.run_passing(Inner)
        self.assertEqual(names(), MIGRATED)
        self.assertEqual(seen, ["committed"])

    def test_destructive_begins_from_what_migrations_left(self) -> None:
        """Whatever ran before: a stock class leaves all tables empty."""

        class Stock(TransactionTestCase):
            def test_a(self) -> None:
                Category.objects.create(name="herbs")

        class Inner(DestructiveDatabaseTestCase):
            def test_b(self) -> None:
                self.assertEqual(names(), MIGRATED)

        self.run_passing(Stock)
        self.assertEqual(names(), [])
        self.run_passing(Inner)
        self.assertEqual(names(), MIGRATED)

    def test_non_isolated_destructive_shares_and_puts_back(self) -> None:
        class Inner(NonIsolatedDestructiveDatabaseTestCase):
            def test_a(self) -> None:
                Category.objects.filter(name="trees").delete()
                Category.objects.create(name="herbs")

            def test_b(self) -> None:
                self.assertEqual(names(), ["herbs", "shrubs"])
                self.assertFalse(connections["default"].in_atomic_block)

        self.run_passing(Inner)
        self.assertEqual(names(), MIGRATED)
        self.run_passing(Inner)  # the class may run in more than one stage
        self.assertEqual(names(), MIGRATED)

    def test_a_failed_test_is_put_back_as_well(self) -> None:
        class Inner(DestructiveDatabaseTestCase):
            def test_a(self) -> None:
                Category.objects.all().delete()
                self.fail("on purpose")

        ran = run_classes(Inner)
        self.assertEqual(ran.outcomes, {"test_a": Outcome.FAILED})
        self.assertEqual(names(), MIGRATED)


class TemplateTagTest(TemplateTagTestCase):
    preload = ("i18n", "l10n")

    def test_render(self) -> None:
        text = self.render_template(
            "{% translate word %} {{ number|unlocalize }}", word="x", number=1
        )
        self.assertEqual(text, "x 1")

    def test_context_may_be_called_anything(self) -> None:
        self.assertEqual(self.render_template("{{ template }}{{ self }}", template="t"), "t")

    def test_errors(self) -> None:
        with self.assertRaises(self.TemplateSyntaxError):
            self.render_template("{% no_such_tag %}")

        class Wrong(TemplateTagTestCase):
            preload = ("no_such_library",)

        with self.assertRaisesRegex(self.TemplateSyntaxError, "no_such_library"):
            Wrong().render_template("")


class RequiredPluginsTest(unittest.TestCase):
    class Inner(UnitTestCase):
        required_sane_plugins = ("django", "weather")

        def runTest(self) -> None:
            raise AssertionError("not to be run")

    def test_under_sane_runner(self) -> None:
        ran = run_classes(
            type("Made", (self.Inner,), {"test_a": lambda self: None}), plugins=behaviors()
        )
        self.assertEqual(ran.outcomes, {"test_a": Outcome.SKIPPED})
        self.assertEqual(ran.finished["test_a"].reason, "requires the sanerunner plugin weather")

    def test_satisfied(self) -> None:
        made = type(
            "Made",
            (UnitTestCase,),
            {
                "required_sane_plugins": ["django", "translation"],
                "test_a": lambda self: None,
            },
        )
        self.assertEqual(
            run_classes(made, plugins=behaviors()).outcomes, {"test_a": Outcome.PASSED}
        )

    def test_under_plain_unittest(self) -> None:
        from sanerunner.plugins import PluginManager

        with PluginManager([]).active():  # as outside of any run
            result = unittest.TextTestRunner(stream=io.StringIO()).run(self.Inner())
        self.assertEqual(result.testsRun, 1)
        ((_, reason),) = result.skipped
        self.assertEqual(reason, "requires the sanerunner plugins django, weather")
        self.assertTrue(result.wasSuccessful())

    def test_under_djangos_runner(self) -> None:
        tests = """
            from sanerunner import (
                DatabaseTestCase, DestructiveDatabaseTestCase, NonIsolatedDatabaseTestCase,
                NonIsolatedDestructiveDatabaseTestCase, UnitTestCase,
            )
            from app.models import Thing

            class Needs(DatabaseTestCase):
                required_sane_plugins = ["weather"]
                def test_needs(self): self.fail()

            class Unit(UnitTestCase):
                def test_unit(self): self.assert_equal(1, 1)

            class Rows(DatabaseTestCase):
                def test_rows_a(self): Thing.objects.create(name="a")
                def test_rows_b(self): self.assert_equal(Thing.objects.count(), 0)

            class Shared(NonIsolatedDatabaseTestCase):
                def test_shared_a(self): Thing.objects.create(name="a")
                def test_shared_b(self): self.assert_equal(Thing.objects.count(), 1)

            class Commits(DestructiveDatabaseTestCase):
                def test_commits_a(self): Thing.objects.create(name="a")
                def test_commits_b(self): self.assert_equal(Thing.objects.count(), 0)

            class SharedCommits(NonIsolatedDestructiveDatabaseTestCase):
                def test_commits_a(self): Thing.objects.create(name="a")
                def test_commits_b(self): self.assert_equal(Thing.objects.count(), 1)
        """
        outcome = inner_project(self, tests).test(
            "--testrunner=django.test.runner.DiscoverRunner", "-v2"
        )
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("Ran 10 tests", outcome.stderr)
        self.assertIn("skipped 'requires the sanerunner plugin weather'", outcome.stderr)
        self.assertIn("OK (skipped=1)", outcome.stderr)


class BaselineTest(unittest.TestCase):
    def test_rows_that_an_earlier_stage_left_are_not_put_back(self) -> None:
        """What migrations left is taken down before any test can have changed it."""
        tests = """
            from sanerunner import DestructiveDatabaseTestCase, NoCleanupDatabaseTestCase
            from app.models import Thing

            class Leaves(NoCleanupDatabaseTestCase):
                def test_leaves(self): Thing.objects.create(name="left behind")

            class Commits(DestructiveDatabaseTestCase):
                def test_a(self): self.assertEqual(Thing.objects.count(), 0)
                def test_b(self): self.assertEqual(Thing.objects.count(), 0)
        """
        outcome = inner_project(self, tests).test()
        self.assertEqual(outcome.returncode, 0, outcome.output)
