"""Plain unittest classes driven by attributes."""

from __future__ import annotations

import json
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

from django.core import mail
from django.core.cache import cache, caches
from django.db import connection, connections, transaction
from django.db.utils import IntegrityError
from django.test import SimpleTestCase, override_settings
from django.utils import translation

from sanerunner.events import Outcome
from sanerunner.exceptions import DatabaseInteractionError

from .shop.models import Category, Entry
from .support.projects import inner_project
from .support.running import Ran, behaviors, run_classes

MIGRATED = ["shrubs", "trees"]


def names(alias: str = "default") -> list[str]:
    return sorted(category.name for category in Category.objects.using(alias))


def run_passing(test: unittest.TestCase, *classes: type[unittest.TestCase], **changes: Any) -> Ran:
    ran = run_classes(*classes, plugins=behaviors(**changes))
    problems = [failure.traceback for event in ran.finished.values() for failure in event.failures]
    problems += [fixture.failure.traceback for fixture in ran.fixtures]
    test.assertEqual("\n".join(problems), "")
    return ran


class NoDatabaseTest(unittest.TestCase):
    """Under the guard of the run that it is part of."""

    no_database_interaction = True

    def refused(self, what: str) -> Any:
        return self.assertRaisesRegex(
            DatabaseInteractionError,
            rf"^{__name__}\.NoDatabaseTest\.\w+ declares no_database_interaction, but {what}",
        )

    def test_query(self) -> None:
        with self.refused("sent this to database 'default': SELECT .*shop_category"):
            Category.objects.count()
        with self.refused(r"sent this to database 'audit': \s*(INSERT INTO .*shop_entry|SELECT)"):
            Entry.objects.create(text="x")

    def test_every_way_to_send_a_query(self) -> None:
        with connection.cursor() as cursor:
            with self.refused("sent this to database 'default': SELECT 1"):
                cursor.execute("SELECT 1")
            with self.refused("sent this to database 'default': INSERT"):
                cursor.executemany("INSERT", [(1,)])
            with self.refused("sent this to database 'default': CALL proc"):
                cursor.callproc("proc")
        with self.refused("sent this to database 'default': SELECT"):
            list(Category.objects.iterator())
        with self.refused(""), transaction.atomic():
            pass

    def test_connection(self) -> None:
        with self.refused("opened a connection to database 'default'"):
            connection.copy().connect()

    def test_from_another_thread(self) -> None:
        raised: list[BaseException] = []

        def query() -> None:
            try:
                Category.objects.count()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=query)
        thread.start()
        thread.join()
        (error,) = raised
        with self.refused("sent this to database 'default': SELECT"):
            raise error


class NoDatabaseInProjectTest(unittest.TestCase):
    def test_verdicts(self) -> None:
        """A connection that is open already; a method in a class that may; a class of Django."""
        tests = """
            import unittest
            from django.db import connection
            from django.test import TestCase
            from app.models import Thing

            class Plain(unittest.TestCase):
                database_single_transaction = True

                def test_1_may(self):
                    Thing.objects.count()
                    self.assertIsNotNone(connection.connection)

                def test_2_may_not(self):
                    self.assertIsNotNone(connection.connection)
                    Thing.objects.count()
                test_2_may_not.no_database_interaction = True

                def test_3_has_no_need(self): pass
                test_3_has_no_need.no_database_interaction = True

            class OfDjango(TestCase):
                def test_4_may(self): Thing.objects.count()

                def test_5_may_not(self): Thing.objects.count()
                test_5_may_not.no_database_interaction = True

                def test_6_has_no_need(self): pass
                test_6_has_no_need.no_database_interaction = True
        """
        project = inner_project(self, tests)
        stages = "--stages=database,unit/destructive/http/selenium"
        outcome = project.test(stages, "--keep-going", "--junit=junit.xml")
        self.assertEqual(
            project.verdicts(),
            {
                "test_1_may": "passed",
                "test_2_may_not": "failure",
                "test_3_has_no_need": "passed",
                "test_4_may": "passed",
                "test_5_may_not": "failure",
                "test_6_has_no_need": "passed",
            },
        )
        for name in ("Plain.test_2_may_not", "OfDjango.test_5_may_not"):
            self.assertRegex(
                outcome.stderr,
                rf"app\.tests\.{name} declares no_database_interaction, but sent this to database "
                r"'default': SELECT",
            )


class DatabaseTest(unittest.TestCase):
    """Plain classes run inside this test, on its databases."""

    test_type = "destructive"
    databases = {"default", "replica", "audit"}

    def setUp(self) -> None:
        self.put_back()
        self.addCleanup(self.put_back)

    def put_back(self) -> None:
        Category.objects.all().delete()
        Category.objects.bulk_create([Category(name=name) for name in MIGRATED])
        Entry.objects.all().delete()

    def test_single_transaction(self) -> None:
        class Inner(unittest.TestCase):
            database_single_transaction = True

            def setUp(self) -> None:
                Category.objects.create(name="ferns")

            def test_a(self) -> None:
                Category.objects.create(name="herbs")

            def test_b(self) -> None:
                self.assertEqual(names(), ["ferns", *MIGRATED])
                with transaction.atomic(durable=True):
                    Category.objects.create(name="herbs")

        run_passing(self, Inner)
        self.assertEqual(names(), MIGRATED)
        self.assertFalse(connection.in_atomic_block)

    def test_single_transaction_of_a_test_that_fails(self) -> None:
        class Inner(unittest.TestCase):
            database_single_transaction = True

            def test_a(self) -> None:
                Category.objects.create(name="herbs")
                self.fail("on purpose")

            def test_b(self) -> None:
                Category.objects.create(name="trees")  # breaks the transaction

        ran = run_classes(Inner, plugins=behaviors())
        self.assertEqual(ran.outcomes, {"test_a": Outcome.FAILED, "test_b": Outcome.ERRORED})
        self.assertEqual(
            [failure.type for failure in ran.finished["test_b"].failures],
            [IntegrityError.__name__],
        )
        self.assertEqual(names(), MIGRATED)

    def test_single_transaction_at_end(self) -> None:
        class Inner(unittest.TestCase):
            database_single_transaction_at_end = True

            @classmethod
            def setUpClass(cls) -> None:
                Category.objects.create(name="ferns")

            def test_a(self) -> None:
                Category.objects.create(name="herbs")

            def test_b(self) -> None:
                self.assertEqual(names(), ["ferns", "herbs", *MIGRATED])

        run_passing(self, Inner)
        self.assertEqual(names(), MIGRATED)

    def test_at_end_where_the_class_cannot_be_set_up(self) -> None:
        class Inner(unittest.TestCase):
            database_single_transaction_at_end = True

            @classmethod
            def setUpClass(cls) -> None:
                Category.objects.create(name="ferns")
                raise ValueError

            def test_a(self) -> None: ...

        ran = run_classes(Inner, plugins=behaviors())
        self.assertEqual(ran.outcomes, {"test_a": Outcome.ERRORED})
        self.assertEqual(names(), MIGRATED)
        self.assertFalse(connection.in_atomic_block)

    def test_flush(self) -> None:
        class Inner(unittest.TestCase):
            database_flush = True

            def test_a(self) -> None:
                self.assertFalse(connection.in_atomic_block)
                Category.objects.create(name="herbs")

            def test_b(self) -> None:
                self.assertEqual(names(), [])

        run_passing(self, Inner)
        self.assertEqual(names(), [])

    def test_flush_at_end(self) -> None:
        class Inner(unittest.TestCase):
            database_flush_at_end = True

            def test_a(self) -> None:
                Category.objects.create(name="herbs")

            def test_b(self) -> None:
                self.assertEqual(names(), ["herbs", *MIGRATED])

        run_passing(self, Inner)
        self.assertEqual(names(), [])

    def test_without_attributes_nothing_is_cleaned(self) -> None:
        class Inner(unittest.TestCase):
            database_single_transaction = False

            def test_a(self) -> None:
                Category.objects.create(name="herbs")

        run_passing(self, Inner)
        self.assertEqual(names(), ["herbs", *MIGRATED])

    def test_classes_of_django_are_left_to_themselves(self) -> None:
        class Inner(SimpleTestCase):
            databases = {"default"}
            database_single_transaction = True

            def test_a(self) -> None:
                self.assertFalse(connection.in_atomic_block)

        run_passing(self, Inner)

    def test_multi_db(self) -> None:
        class Every(unittest.TestCase):
            database_single_transaction = True
            multi_db = True

            def test_a(self) -> None:
                Category.objects.create(name="herbs")
                self.assertIn("herbs", names("replica"))
                Entry.objects.create(text="x")

        class ByMethod(unittest.TestCase):
            database_single_transaction = True

            def test_b(self) -> None:
                Entry.objects.create(text="x")

            test_b.multi_db = True  # type: ignore[attr-defined]

        class ByClassAtEnd(unittest.TestCase):
            database_single_transaction_at_end = True
            multi_db = True

            def test_c(self) -> None:
                Entry.objects.create(text="x")

        class ByName(unittest.TestCase):
            database_flush = True
            databases = ["audit"]

            def test_d(self) -> None:
                Entry.objects.create(text="x")

        for case in (Every, ByMethod, ByClassAtEnd, ByName):
            with self.subTest(case.__name__):
                run_passing(self, case)
                self.assertEqual(Entry.objects.count(), 0)
                self.assertEqual(names(), MIGRATED)

    def test_other_databases_are_not_touched(self) -> None:
        class Inner(unittest.TestCase):
            database_single_transaction = True

            def test_a(self) -> None:
                self.assertTrue(connection.in_atomic_block)
                self.assertFalse(connections["audit"].in_atomic_block)

        class Declared(unittest.TestCase):
            database_single_transaction = True
            databases = {"audit"}

            def test_b(self) -> None:
                self.assertFalse(connection.in_atomic_block)
                self.assertTrue(connections["audit"].in_atomic_block)

        run_passing(self, Inner, Declared)

    def test_fixtures(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "rows.json")
            rows = [{"model": "shop.category", "fields": {"name": "herbs"}}]
            path.write_text(json.dumps(rows), encoding="utf-8")

            def test_a(test: unittest.TestCase) -> None:
                test.assertEqual(names(), ["herbs", *MIGRATED])

            for switch in ("database_single_transaction", "database_single_transaction_at_end"):
                with self.subTest(switch):
                    members = {
                        switch: True,
                        "fixtures": [str(path)],
                        "test_a": test_a,
                        "test_b": test_a,
                    }
                    run_passing(self, type("Inner", (unittest.TestCase,), members))
                    self.assertEqual(names(), MIGRATED)
            members = {
                "database_single_transaction": True,
                "fixtures": ["no_such_fixture"],
                "test_a": test_a,
            }
            ran = run_classes(type("Inner", (unittest.TestCase,), members), plugins=behaviors())
        self.assertEqual(ran.outcomes, {"test_a": Outcome.ERRORED})
        self.assertIn("no_such_fixture", ran.finished["test_a"].failures[0].message)
        self.assertFalse(connection.in_atomic_block)

    def test_method_wins_over_class(self) -> None:
        class Inner(unittest.TestCase):
            database_single_transaction = True

            def test_1_in_a_transaction(self) -> None:
                self.assertTrue(connection.in_atomic_block)

            def test_2_flushed(self) -> None:
                self.assertFalse(connection.in_atomic_block)
                Category.objects.create(name="herbs")

            test_2_flushed.database_flush = True  # type: ignore[attr-defined]

            def test_3_nothing(self) -> None:
                self.assertFalse(connection.in_atomic_block)

            test_3_nothing.database_single_transaction = False  # type: ignore[attr-defined]

        class Flushed(unittest.TestCase):
            database_flush = True

            def test_4_in_a_transaction(self) -> None:
                self.assertTrue(connection.in_atomic_block)
                Category.objects.create(name="herbs")

            test_4_in_a_transaction.database_single_transaction = True  # type: ignore[attr-defined]

        run_passing(self, Inner)
        self.assertEqual(names(), [])
        self.put_back()
        run_passing(self, Flushed)
        self.assertEqual(names(), MIGRATED)


class DefinedModelsTest(unittest.TestCase):
    """Unit tests run first; what they define must not be met by those that Django runs first."""

    TESTS = """
        import sys
        import unittest
        from django.apps import apps
        from django.db import models
        from django.test import TestCase
        from app.models import Thing

        def define(name):
            fields = {
                "thing": models.ForeignKey(Thing, models.CASCADE),
                "things": models.ManyToManyField(Thing, related_name=f"{name}_set"),
                "Meta": type("Meta", (), {"app_label": "app"}),
                "__module__": __name__,
            }
            return type(name, (models.Model,), fields)

        class UnitTest(unittest.TestCase):
            def test_1_defines(self):
                define("Local")
                module = sys.modules[__name__]
                module.Kept = define("Kept")

            def test_2_which_stays_for_tests_of_its_kind(self):
                self.assertIs(apps.get_model("app", "local")._meta.apps, apps)

        class RowsTest(TestCase):
            def test_what_is_referred_to_can_be_deleted(self):
                related = {each.related_model.__name__ for each in Thing._meta.related_objects}
                self.assertEqual(related & {"Local", "Kept"}, KEPT)
                self.assertNotIn("local", apps.all_models["app"])
                self.assertNotIn("local_things", apps.all_models["app"])
                if not KEPT:
                    Thing.objects.create(name="gone").delete()
                else:
                    self.assertIs(apps.get_model("app", "kept"), Kept)
                    self.assertIn("kept_things", apps.all_models["app"])
    """

    def test_models_of_unit_tests_are_hidden_unless_a_module_has_them(self) -> None:
        project = inner_project(self, "")
        local = self.TESTS.replace('define("Kept")', "Thing")
        for tests, kept in ((local, "set()"), (self.TESTS, '{"Kept"}')):
            with self.subTest(kept=kept):
                project.write("app/tests.py", tests.replace("KEPT", kept))
                outcome = project.test()
                self.assertEqual(outcome.returncode, 0, outcome.output)


class TranslationTest(unittest.TestCase):
    def setUp(self) -> None:
        before = translation.get_language()
        self.addCleanup(translation.activate, before or "en")

    def languages(self, **members: Any) -> tuple[str | None, str | None]:
        """The language during a test, and after it."""
        seen = []

        def test_a(test: unittest.TestCase) -> None:
            seen.append(translation.get_language())
            translation.activate("fr")  # a test may do what it likes

        made = type("Inner", (unittest.TestCase,), {**members, "test_a": test_a})
        run_passing(self, made)
        return seen[0], translation.get_language()

    def test_language_of_a_test_and_the_one_before_it(self) -> None:
        translation.activate("de")
        self.assertEqual(
            self.languages(make_translations=True, translation_language_code="cs"), ("cs", "de")
        )

    def test_language_code_without_one(self) -> None:
        translation.activate("de")
        self.assertEqual(self.languages(make_translations=True), ("en", "de"))
        with override_settings(LANGUAGE_CODE="it"):
            translation.activate("de")
            self.assertEqual(self.languages(make_translations=True), ("it", "de"))

    def test_without_translations(self) -> None:
        translation.activate("de")
        self.assertEqual(self.languages(translation_language_code="cs"), ("de", "fr"))

    def test_none_was_active(self) -> None:
        translation.deactivate_all()
        self.assertEqual(
            self.languages(make_translations=True, translation_language_code="cs"), ("cs", None)
        )

    def test_by_method(self) -> None:
        seen = []

        class Inner(unittest.TestCase):
            make_translations = True
            translation_language_code = "cs"

            def test_a(self) -> None:
                seen.append(translation.get_language())

            test_a.translation_language_code = "pl"  # type: ignore[attr-defined]

            def test_b(self) -> None:
                seen.append(translation.get_language())

            test_b.make_translations = False  # type: ignore[attr-defined]

        translation.activate("de")
        run_passing(self, Inner)
        self.assertEqual(seen, ["pl", "de"])

    def test_restored_after_a_failure(self) -> None:
        class Inner(unittest.TestCase):
            make_translations = True
            translation_language_code = "cs"

            def setUp(self) -> None:
                raise ValueError

            def test_a(self) -> None: ...

        translation.activate("de")
        run_classes(Inner, plugins=behaviors())
        self.assertEqual(translation.get_language(), "de")


class IsolationTest(unittest.TestCase):
    def cached(self, flush_cache: bool = False, **members: Any) -> Any:
        """What a test finds of what was cached before it."""
        found = []

        def test_a(test: unittest.TestCase) -> None:
            found.append(cache.get("key"))

        cache.set("key", "value")
        self.addCleanup(cache.clear)
        made = type("Inner", (unittest.TestCase,), {**members, "test_a": test_a})
        run_passing(self, made, flush_cache=flush_cache)
        return found[0]

    def test_cache(self) -> None:
        self.assertEqual(self.cached(), "value")
        self.assertIsNone(self.cached(flush_django_cache=True))
        self.assertIsNone(self.cached(flush_cache=True))
        self.assertEqual(self.cached(flush_cache=True, flush_django_cache=False), "value")
        self.assertIsNone(self.cached(flush_cache=True, flush_django_cache=None))

    def test_every_cache_is_cleared(self) -> None:
        backend = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
        with override_settings(
            CACHES={"default": {**backend, "LOCATION": "a"}, "other": {**backend, "LOCATION": "b"}}
        ):
            caches["other"].set("key", "value")
            self.cached(flush_django_cache=True)
            self.assertIsNone(caches["other"].get("key"))

    def test_mail(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None:
                mail.outbox.append(mail.EmailMessage("subject"))
                self.assertEqual(len(mail.outbox), 1)

            def test_b(self) -> None:
                self.assertEqual(mail.outbox, [])

        run_passing(self, Inner)

    def test_required_plugins(self) -> None:
        class Inner(unittest.TestCase):
            required_sane_plugins = ("cache", "django")

            def test_a(self) -> None: ...

            def test_b(self) -> None: ...

            test_b.required_sane_plugins = ["nosuch", "cache"]  # type: ignore[attr-defined]

        ran = run_passing(self, Inner)
        self.assertEqual(ran.outcomes, {"test_a": Outcome.PASSED, "test_b": Outcome.SKIPPED})
        self.assertEqual(ran.finished["test_b"].reason, "requires the sanerunner plugin nosuch")

    def test_order_of_set_up(self) -> None:
        """A test that is skipped costs nothing; requests come when all else is there."""
        order = [type(behavior).__name__ for behavior in behaviors()]
        self.assertEqual(order[0], "RequirementsBehavior")
        expected = ["DatabaseBehavior", "LiveServerBehavior", "BrowserBehavior"]
        self.assertEqual(order[-3:], expected)
