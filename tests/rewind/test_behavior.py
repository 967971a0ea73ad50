"""Tests that commit, under ``RESTORE = "rewind"``: what each sees of the others."""

from __future__ import annotations

import unittest

from django.db import connections

from ..support.projects import InnerProject, inner_project

MIGRATION = """
    from django.db import migrations, models

    def add(apps, schema_editor):
        apps.get_model("app", "Thing").objects.create(name="migrated")

    class Migration(migrations.Migration):
        initial = True
        operations = [
            migrations.CreateModel("Thing", [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", models.CharField(max_length=50)),
            ]),
            migrations.RunPython(add),
        ]
"""

STOCK = """
    from django.contrib.contenttypes.models import ContentType
    from django.db import connection
    from django.test import TestCase, TransactionTestCase
    from app.models import Thing

    def names():
        return sorted(Thing.objects.values_list("name", flat=True))

    class Alpha(TransactionTestCase):
        def test_1_first_sees_the_migrated_rows(self):
            self.assertEqual(names(), ["migrated"])
            Thing.objects.create(name="left behind")

        def test_2_later_ones_see_a_flushed_database(self):
            self.assertEqual(names(), [])
            self.assertTrue(ContentType.objects.filter(app_label="app").exists())
            Thing.objects.create(name="left behind")

        def test_3_and_again(self):
            self.assertEqual(names(), [])

    class Gamma(TransactionTestCase):
        def test_flushed_again(self):
            self.assertEqual(names(), [])

    class Delta(TransactionTestCase):
        reset_sequences = True

        def test_1(self):
            Thing.objects.create(name="a")

        def test_2_counts_from_one(self):
            self.assertEqual(Thing.objects.create(name="b").pk, 1)

    class Epsilon(TransactionTestCase):
        available_apps = ["app", "django.contrib.contenttypes"]

        def test_1(self):
            Thing.objects.create(name="left behind")

        def test_2(self):
            self.assertEqual(names(), [])

    class EpsilonOfOneApp(TransactionTestCase):
        available_apps = ["app"]

        def test_1(self):
            Thing.objects.create(name="left behind")

        def test_2(self):
            self.assertEqual(names(), [])

    class EpsilonOfOthers(TransactionTestCase):
        available_apps = ["django.contrib.contenttypes"]

        @classmethod
        def tearDownClass(cls):
            super().tearDownClass()
            Thing.objects.all().delete()  # which Django leaves to later classes

        def test_1(self):
            Thing.objects.create(name="of no available app")

        def test_2(self):
            self.assertEqual(names(), ["of no available app"])

        def test_3(self):
            self.assertEqual(names(), ["of no available app"])

    class Theta(TransactionTestCase):
        def test_tears_down_itself(self):
            Thing.objects.create(name="gone")
            self._fixture_teardown()
            self.assertEqual(names(), [])
            Thing.objects.create(name="left behind")

        def test_which_others_do_not_see(self):
            self.assertEqual(names(), [])

    class ThetaOfOneApp(Theta):
        available_apps = ["app"]

    class Zeta(TransactionTestCase):
        def _fixture_teardown(self):
            Thing.objects.all().delete()
            super()._fixture_teardown()

        def test_own_teardown(self):
            Thing.objects.create(name="mine")

    class Rolled(TestCase):
        def test_rolled_back(self):
            self.assertEqual(names(), ["migrated"])
            Thing.objects.create(name="rolled back")
"""

# The tests of a class with available_apps that create and drop tables see each other's.
CREATES = """
    class Creates(TransactionTestCase):
        available_apps = ["app"]

        def run_sql(self, sql):
            with connection.cursor() as cursor:
                cursor.execute(sql)
            Thing.objects.create(name="left behind")

        def test_1(self):
            self.run_sql("CREATE TABLE more (id int)")

        def test_2(self):
            self.run_sql("DROP TABLE more")

        def test_3(self):
            self.assertNotIn("more", connection.introspection.table_names())
            self.assertEqual(names(), [])
            self.run_sql("CREATE TABLE others (id int)")

        def test_4(self):
            self.assertIn("others", connection.introspection.table_names())
            self.assertEqual(names(), [])

    class Later(TransactionTestCase):
        def test_1(self):
            self.assertEqual(names(), [])
            Thing.objects.create(name="left behind")

        def test_2(self):
            self.assertEqual(names(), [])
"""

# Were it split, its other part would begin with rows that no test has flushed.
GIANT = """
    import os
    from django.test import TransactionTestCase
    from app.models import Thing

    class Giant(TransactionTestCase):
        processes = set()

        def check(self):
            first = not self.processes
            self.processes.add(os.getpid())
            self.assertEqual(Thing.objects.count(), 1 if first else 0)
            self.assertTrue(first == (self._testMethodName == "test_10"))

    for number in range(10, 30):
        setattr(Giant, f"test_{number}", Giant.check)
"""

# Django itself fails here: it loads rows of content types that post_migrate has made already.
SERIALIZED = """
    class Beta(TransactionTestCase):
        serialized_rollback = True

        def test_1_sees_the_migrated_rows(self):
            self.assertEqual(names(), ["migrated"])
            Thing.objects.all().delete()

        def test_2_and_again(self):
            self.assertEqual(names(), ["migrated"])
"""

COUNTED = """
    from unittest import mock
    from django.test import testcases

    class Counted(TransactionTestCase):
        available_apps = ["app"]

        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            patch = mock.patch.object(testcases, "call_command", wraps=testcases.call_command)
            cls.called = patch.start()
            cls.addClassCleanup(patch.stop)

        @classmethod
        def tearDownClass(cls):
            super().tearDownClass()
            assert cls.called.call_count == 1, cls.called.mock_calls

        def test_1(self):
            Thing.objects.create(name="left behind")

        def test_2(self):
            self.assertEqual(names(), [])
            Thing.objects.create(name="left behind")

        def test_3(self):
            self.assertEqual(names(), [])
"""

SANE = """
    from sanerunner import DestructiveDatabaseTestCase, NonIsolatedDestructiveDatabaseTestCase
    from django.db import connection, connections
    from app.models import Thing

    def names():
        return sorted(Thing.objects.values_list("name", flat=True))

    class Data(DestructiveDatabaseTestCase):
        @classmethod
        def setUpTestData(cls):
            cls.thing = Thing.objects.create(name="class data")

        def test_1(self):
            self.assertEqual(names(), ["class data", "migrated"])
            self.assertFalse(connection.in_atomic_block)
            self.thing.name = "changed"
            self.thing.save()
            Thing.objects.filter(name="migrated").delete()
            Thing.objects.create(name="more")

        def test_2(self):
            self.assertEqual(names(), ["class data", "migrated"])
            self.assertEqual(self.thing.name, "class data")

        def test_3_keys_are_given_again(self):
            self.assertEqual(Thing.objects.create(name="x").pk, self.thing.pk + 1)

        def test_4_keys_are_given_again(self):
            self.assertEqual(Thing.objects.create(name="x").pk, self.thing.pk + 1)

    class Later(DestructiveDatabaseTestCase):
        def test_no_class_data_is_left(self):
            self.assertEqual(names(), ["migrated"])

    class Schema(DestructiveDatabaseTestCase):
        def test_1_drops_the_table(self):
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE app_thing")

        def test_2_it_is_there(self):
            self.assertEqual(names(), ["migrated"])

    class Shared(NonIsolatedDestructiveDatabaseTestCase):
        @classmethod
        def setUpTestData(cls):
            Thing.objects.create(name="class data")

        def test_1(self):
            self.assertEqual(names(), ["class data", "migrated"])
            Thing.objects.create(name="shared")

        def test_2(self):
            self.assertEqual(names(), ["class data", "migrated", "shared"])

    class ZLast(DestructiveDatabaseTestCase):
        def test_nothing_is_left(self):
            self.assertEqual(names(), ["migrated"])
"""


# Sequences and counters move with rows that are rolled back.
DRIFT = """
    from django.test import TestCase
    from sanerunner import DestructiveDatabaseTestCase
    from app.models import Thing

    class Drift(TestCase):
        def test_moves_the_sequence(self):
            for name in "abc":
                Thing.objects.create(name=name)

    class Exact:
        def test_1(self):
            self.assertEqual(Thing.objects.create(name="x").pk, 2)

        test_2 = test_1

    class First(Drift):
        pass

    class Second(Exact, DestructiveDatabaseTestCase):
        pass

    class Third(Drift):
        test_type = "destructive"

    class Zero(Exact, DestructiveDatabaseTestCase):
        pass
"""


# A project's own runner, which writes before the first test.
WRITES = """
    from sanerunner import SaneRunner

    class Runner(SaneRunner):
        def setup_databases(self, **kwargs):
            made = super().setup_databases(**kwargs)
            from app.models import Thing
            Thing.objects.create(name="of the runner")
            return made
"""

WRITTEN = """
    from django.test import TestCase, TransactionTestCase
    from sanerunner import DestructiveDatabaseTestCase
    from app.models import Thing

    def names():
        return sorted(Thing.objects.values_list("name", flat=True))

    class Rolled(TestCase):
        def test(self):
            self.assertEqual(names(), ["migrated", "of the runner"])

    class Stock(TransactionTestCase):
        def test_1_first_sees_what_the_runner_wrote(self):
            self.assertEqual(names(), ["migrated", "of the runner"])

        def test_2_later_ones_see_a_flushed_database(self):
            self.assertEqual(names(), [])

    class ZSane(DestructiveDatabaseTestCase):
        def test_1(self):
            self.assertEqual(names(), ["migrated", "of the runner"])
            Thing.objects.all().delete()

        test_2 = test_1
"""


class RewindBehaviorTest(unittest.TestCase):
    """On the vendor that the suite itself runs on."""

    def project(self, tests: str) -> InnerProject:
        settings_dict = {
            key: value
            for key, value in connections["default"].settings_dict.items()
            if key in {"ENGINE", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS"}
        }
        files = {
            "app/migrations/__init__.py": "",
            "app/migrations/0001_initial.py": MIGRATION,
        }
        project = inner_project(self, tests, **files)
        name = f"inner_{project.folder.name.replace('-', '_').lower()}"
        if connections["default"].vendor == "sqlite":
            name = str(project.folder / "real.sqlite3")
        project.write(
            "vendor_settings.py",
            f"from settings import *\n"
            f"DATABASES = {{'default': {{**{settings_dict!r}, 'NAME': {name!r}}}}}\n"
            f"SANERUNNER = {{'RESTORE': 'rewind', 'VERIFY_REWIND': True}}\n",
        )
        return project

    def assert_passes(self, project: InnerProject, *arguments: str) -> None:
        outcome = project.test("--settings=vendor_settings", *arguments)
        self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_stock_classes_that_create_tables(self) -> None:
        project = self.project(STOCK.partition("class Alpha")[0] + CREATES)
        self.assert_passes(project, "--testrunner=django.test.runner.DiscoverRunner")
        self.assert_passes(project)

    def test_stock_classes_stay_whole_in_parallel(self) -> None:
        self.assert_passes(self.project(GIANT), "--parallel=2")

    def test_stock_classes_see_what_django_shows_them(self) -> None:
        self.assert_passes(self.project(STOCK + SERIALIZED))
        project = self.project(STOCK)
        stock = project.test(
            "--settings=vendor_settings", "--testrunner=django.test.runner.DiscoverRunner"
        )
        self.assertEqual(stock.returncode, 0, stock.output)

    def test_rows_that_a_projects_runner_writes_are_part_of_the_start(self) -> None:
        project = self.project(WRITTEN)
        project.write("own.py", WRITES)
        self.assert_passes(project, "--testrunner=own.Runner")
        # In parallel another worker may have run the first test of Stock.
        parallel = (
            "--testrunner=own.Runner",
            "--parallel=2",
            "app.tests.Rolled",
            "app.tests.ZSane",
        )
        self.assert_passes(project, *parallel)
        keeping = (*parallel, "--keepdb", "--noinput")
        self.assert_passes(project, *keeping)
        self.assert_passes(project, *keeping)  # not written twice: what is kept is migrated
        self.assert_passes(project, "--testrunner=own.Runner", "--keepdb", "--noinput")

    def test_only_the_first_test_with_available_apps_is_flushed(self) -> None:
        self.assert_passes(self.project(STOCK + COUNTED))

    def test_migrated_for_all_by_setting(self) -> None:
        tests = STOCK.replace("self.assertEqual(names(), [])", "pass")
        project = self.project(
            tests
            + """
    class Eta(TransactionTestCase):
        def test_1(self):
            Thing.objects.all().delete()

        def test_2(self):
            self.assertEqual(names(), ["migrated"])
    """
        )
        self.assert_passes(project, "--baseline=migrated", "app.tests.Eta")

    def test_sane_classes(self) -> None:
        self.assert_passes(self.project(SANE))

    def test_sane_classes_under_djangos_runner(self) -> None:
        tests = SANE.replace('cursor.execute("DROP TABLE app_thing")', "pass")
        tests = tests.replace(", self.thing.pk + 1)", ", Thing.objects.latest('pk').pk)")
        project = self.project(tests)
        outcome = project.test(
            "--settings=vendor_settings", "--testrunner=django.test.runner.DiscoverRunner"
        )
        self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_flush_gives_djangos_way_back(self) -> None:
        tests = STOCK.replace(
            "self.assertEqual(names(), ['migrated'])", "self.assertIn('migrated', names())"
        )
        self.assert_passes(self.project(tests), "--restore=flush")

    def test_what_rolled_back_tests_have_moved(self) -> None:
        self.assert_passes(self.project(DRIFT))
