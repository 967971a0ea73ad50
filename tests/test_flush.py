"""TEST_DATABASE_FLUSH_COMMAND and FLUSH_TEST_DATABASE_AFTER_INITIAL_SYNCDB."""

from __future__ import annotations

import unittest
from pathlib import Path

from django.test import override_settings

from sanerunner import conf
from sanerunner.behaviors.flush import flush_with
from sanerunner.exceptions import UsageError

from .support.projects import InnerProject, inner_project

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples" / "flushing"

NOTING = """
    def flush(test, database):
        from app.models import Thing
        print("flush", test if isinstance(test, type) else test and test.id(), database)
        Thing.objects.using(database).all().delete()
"""
TESTS = """
    import unittest
    from django.db import connection
    from django.test import TransactionTestCase
    from sanerunner import DestructiveDatabaseTestCase, NonIsolatedDestructiveDatabaseTestCase
    from app.models import Thing

    class Stock(TransactionTestCase):
        def test_1(self):
            self.assertEqual(Thing.objects.count(), 0)
            Thing.objects.create(name="left behind")

        test_2 = test_1

    class Sane(DestructiveDatabaseTestCase):
        @classmethod
        def setUpTestData(cls):
            Thing.objects.create(name="class data")

        def test_1(self):
            self.assertEqual(Thing.objects.count(), 1)
            Thing.objects.create(name="left behind")

        test_2 = test_1

    class Shared(NonIsolatedDestructiveDatabaseTestCase):
        def test_1(self):
            Thing.objects.create(name="shared")

        def test_2(self):
            self.assertEqual(Thing.objects.count(), 1)

    class Plain(unittest.TestCase):
        database_flush = True

        def test_1(self):
            self.assertEqual(Thing.objects.count(), 0)
            Thing.objects.create(name="left behind")

        test_2 = test_1
"""
CONTENT_TYPES = """
    from django.contrib.contenttypes.models import ContentType
    from django.test import TransactionTestCase
    from app.models import Thing

    class Fixed(TransactionTestCase):
        def test_1(self):
            found = list(ContentType.objects.values_list("pk", "model"))
            self.assertEqual(found, [(101, "thing")])
            self.assertEqual(ContentType.objects.get_for_model(Thing).pk, 101)
            ContentType.objects.all().delete()

        test_2 = test_1
"""


class FlushCommandTest(unittest.TestCase):
    def flushes(self, project: InnerProject) -> list[str]:
        outcome = project.test()
        self.assertEqual(outcome.returncode, 0, outcome.output)
        return [line for line in outcome.stdout.splitlines() if line.startswith("flush")]

    def test_it_replaces_the_rewind(self) -> None:
        setting = 'TEST_DATABASE_FLUSH_COMMAND = "app.flushing.flush"'
        project = inner_project(self, TESTS, setting, **{"app/flushing.py": NOTING})
        self.assertCountEqual(
            self.flushes(project),
            [
                f"flush app.tests.{name}.{test} default"
                for name in ("Stock", "Sane", "Plain")
                for test in ("test_1", "test_2")
            ]
            + ["flush <class 'app.tests.Shared'> default"],
        )

    def test_after_creation(self) -> None:
        setting = """
            TEST_DATABASE_FLUSH_COMMAND = "app.flushing.flush"
            FLUSH_TEST_DATABASE_AFTER_INITIAL_SYNCDB = True
        """
        project = inner_project(self, TESTS, setting, **{"app/flushing.py": NOTING})
        self.assertEqual(self.flushes(project)[0], "flush None default")

    def test_after_creation_without_a_command_as_django_does(self) -> None:
        tests = """
            from django.test import TestCase
            from app.models import Thing

            class Empty(TestCase):
                def test_nothing_is_left_of_what_a_receiver_has_made(self):
                    self.assertEqual(Thing.objects.count(), FLUSHED)
        """
        app = """
            from django.apps import AppConfig
            from django.db.models.signals import post_migrate

            def create(using, **kwargs):
                from app.models import Thing
                Thing.objects.using(using).create(name="made")

            class Config(AppConfig):
                name = "app"

                def ready(self):
                    post_migrate.connect(create, sender=self)
        """
        setting = "FLUSH_TEST_DATABASE_AFTER_INITIAL_SYNCDB = True"
        # Django's flush empties the tables, and tells the receiver of post_migrate.
        for extra, expected in ((setting, "1"), ("", "1")):
            files = {"app/apps.py": app}
            project = inner_project(self, tests.replace("FLUSHED", expected), extra, **files)
            outcome = project.test()
            self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_the_documented_example(self) -> None:
        setting = """
            TEST_DATABASE_FLUSH_COMMAND = "app.flush.flush"
            FLUSH_TEST_DATABASE_AFTER_INITIAL_SYNCDB = True
        """
        files = {
            "app/flush.py": (EXAMPLES / "flush.py").read_text(),
            "app/fixtures/content_types.json": (EXAMPLES / "content_types.json").read_text(),
        }
        project = inner_project(self, CONTENT_TYPES, setting, **files)
        outcome = project.test()
        self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_signatures(self) -> None:
        calls: list[tuple[object, ...]] = []
        flush_with(lambda test: calls.append((test,)), "test", ["a", "b"])
        flush_with(lambda test, database: calls.append((test, database)), "test", ["a", "b"])
        flush_with(lambda *args, **kwargs: calls.append((*args, kwargs)), "test", ["a"])
        self.assertEqual(
            calls, [("test",), ("test", "a"), ("test", "b"), ("test", {"database": "a"})]
        )


class SettingTest(unittest.TestCase):
    def test_a_function_itself(self) -> None:
        with override_settings(TEST_DATABASE_FLUSH_COMMAND=flush_with):
            self.assertIs(conf.load({}).flush_command, flush_with)

    def test_errors_of_one_line(self) -> None:
        for value, message in {
            "nowhere.flush": "cannot import 'nowhere.flush': No module named 'nowhere'.",
            "tests.test_flush.missing": 'does not define a "missing" attribute',
            "flush": "cannot import 'flush'",
            "tests.test_flush.NOTING": "must be a function or the dotted path of one",
            7: "must be a function or the dotted path of one, not 7.",
        }.items():
            with (
                self.subTest(value),
                override_settings(TEST_DATABASE_FLUSH_COMMAND=value),
                self.assertRaises(UsageError) as caught,
            ):
                conf.load({})
            text = str(caught.exception)
            self.assertIn(message, text)
            self.assertTrue(text.startswith("TEST_DATABASE_FLUSH_COMMAND: "))
            self.assertEqual(len(text.splitlines()), 1)
