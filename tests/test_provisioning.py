"""When test databases are made, what they hold, and that nothing of them is left."""

from __future__ import annotations

import re
import unittest
from pathlib import Path
from typing import Any

from .support.projects import InnerProject, Outcome, inner_project
from .support.services import (
    Settings,
    databases_on,
    on_mariadb,
    on_postgresql,
    require_mariadb,
    require_postgresql,
)

# Files, so that what is made, kept and left can be seen.
FILES = """
DATABASES = {
    alias: {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / f"{alias}.real",
        "TEST": {"NAME": BASE_DIR / f"{alias}.test"},
    }
    for alias in ("default", "other")
}
"""
FLUSH = '\nSANERUNNER = {"RESTORE": "flush"}\n'
UNIT = """
import unittest
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from app.models import Thing

class Unit(unittest.TestCase):
    def test_unit(self): {unit}

class Rows(TestCase):
    def test_rows(self):
        self.assertEqual(Thing.objects.count(), 0)
        Thing.objects.create(name="a")

class Commits(TransactionTestCase):
    databases = {"default", "other"}
    def test_commits(self):
        self.assertEqual(Thing.objects.using("other").count(), 0)
        Thing.objects.using("other").create(name="b")
"""


def unit(statement: str) -> str:
    return UNIT.replace("{unit}", statement)


def made(outcome: Outcome) -> list[str]:
    return re.findall("Creating test database for alias '(.*)'", outcome.stderr)


def left(project: InnerProject) -> list[str]:
    """Return the names of all files that may be databases or belong to one."""
    files = (path for path in project.folder.iterdir() if path.is_file())
    return sorted(path.name for path in files if path.suffix not in {".py", ".xml"})


class Case(unittest.TestCase):
    def passes(self, project: InnerProject, *arguments: str, **options: Any) -> Outcome:
        outcome = project.test("--junit=junit.xml", *arguments, **options)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        return outcome

    def fails(self, project: InnerProject, *arguments: str, **options: Any) -> Outcome:
        outcome = project.test("--junit=junit.xml", *arguments, **options)
        self.assertNotIn(outcome.returncode, (0, 2), outcome.output)
        return outcome


class StagesTest(Case):
    def test_failing_unit_test_ends_the_run_without_a_database(self) -> None:
        project = inner_project(self, unit("self.fail('no')"), FILES)
        outcome = self.fails(project)
        self.assertEqual(made(outcome), [])
        self.assertNotIn("Destroying", outcome.stderr)
        self.assertEqual(left(project), [])

    def test_each_database_is_made_when_its_first_stage_begins(self) -> None:
        failing = unit("pass").replace("count(), 0)", "count(), 1)", 1)
        project = inner_project(self, failing, FILES)
        self.assertEqual(made(self.fails(project)), ["default"])
        self.assertEqual(left(project), [])
        self.assertEqual(made(self.fails(project, "--keep-going")), ["default", "other"])
        project.write("app/tests.py", unit("pass"))
        outcome = self.passes(project, "-v2")
        order = re.findall(
            r"Creating test database for alias '(\w+)'|^(test_\w+) ", outcome.stderr, re.M
        )
        self.assertEqual(
            [alias or test for alias, test in order],
            ["test_unit", "default", "test_rows", "other", "test_commits"],
        )

    def test_names_stand_in_the_settings_before_and_after_the_making(self) -> None:
        project = inner_project(
            self,
            """
            from django.conf import settings
            from django.db import connection, connections
            from django.test import SimpleTestCase, TestCase

            class Names:
                def test_names(self):
                    for alias in ("default", "other"):
                        name = str(settings.BASE_DIR / f"{alias}.test")
                        self.assertEqual(str(settings.DATABASES[alias]["NAME"]), name)
                        self.assertEqual(str(connections[alias].settings_dict["NAME"]), name)
                        self.assertEqual(str(connections.settings[alias]["NAME"]), name)

            class Before(Names, SimpleTestCase): pass
            class After(Names, TestCase): pass
            """,
            FILES,
        )
        self.assertEqual(made(self.passes(project)), ["default"])


class UndeclaredTest(Case):
    """Plain tests that use a database which they do not declare."""

    PLAIN = unit("Thing.objects.create(name='plain')")

    def test_made_on_demand_and_rewound_for_the_next_stage(self) -> None:
        outcome = self.passes(inner_project(self, self.PLAIN, FILES))
        self.assertEqual(made(outcome), ["default", "other"])
        (line,) = [line for line in outcome.stderr.splitlines() if "rewound" in line]
        self.assertEqual(
            line,
            "Test database 'default' is rewound: app.tests.Unit.test_unit used it without "
            "declaring it, outside of any isolation.",
        )

    def test_without_rewinds_it_is_made_anew(self) -> None:
        project = inner_project(self, self.PLAIN, FILES + FLUSH)
        outcome = self.passes(project)
        self.assertEqual(made(outcome), ["default", "default", "other"])
        (line,) = [line for line in outcome.stderr.splitlines() if "made anew" in line]
        self.assertEqual(
            line,
            "Test database 'default' is made anew: app.tests.Unit.test_unit used it without "
            "declaring it, outside of any isolation.",
        )
        self.assertEqual(left(project), [])

    def test_quiet(self) -> None:
        for settings in (FILES, FILES + FLUSH):
            outcome = self.passes(inner_project(self, self.PLAIN, settings), "-v0")
            self.assertNotIn("without declaring it", outcome.stderr)

    def test_database_that_an_earlier_stage_has_had_made(self) -> None:
        """Use is noticed also where it is not what makes the database."""
        stages = 'SANERUNNER = {"STAGES": "database/unit/destructive,http/selenium"}\n'
        tests = self.PLAIN.replace('{"default", "other"}', '{"default"}').replace(
            'using("other").', ""
        )
        project = inner_project(self, tests, FILES + stages)
        outcome = self.passes(project)
        self.assertEqual(made(outcome), ["default"])
        self.assertIn("rewound: app.tests.Unit.test_unit", outcome.stderr)

    def test_database_that_only_setupclass_uses(self) -> None:
        tests = unit("pass").replace(
            "    def test_unit",
            "    @classmethod\n    def setUpClass(cls): Thing.objects.create(name='x')\n"
            "    def test_unit",
        )
        outcome = self.passes(inner_project(self, tests, FILES))
        self.assertIn("rewound: app.tests.Unit used it", outcome.stderr)

    def test_all_are_made_anew_for_what_migrations_wrote_across(self) -> None:
        migration = """
            from django.db import migrations, models

            def write(apps, schema_editor):
                if schema_editor.connection.alias == "other":
                    apps.get_model("app", "Thing").objects.using("default").create(name="m")

            class Migration(migrations.Migration):
                operations = [
                    migrations.CreateModel("Thing", [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("name", models.CharField(max_length=50)),
                    ]),
                    migrations.RunPython(write),
                ]
            """
        tests = """
            import unittest
            from django.test import TestCase
            from app.models import Thing

            class Unit(unittest.TestCase):
                def test_unit(self):
                    Thing.objects.using("other").create(name="plain")
                    Thing.objects.create(name="plain")

            class Rows(TestCase):
                databases = {"default", "other"}
                def test_rows(self):
                    self.assertEqual([thing.name for thing in Thing.objects.all()], ["m"])
                    self.assertEqual(Thing.objects.using("other").count(), 0)
            """
        files = {"app/migrations/__init__.py": "", "app/migrations/0001_initial.py": migration}
        self.passes(inner_project(self, tests, FILES, **files))

    def test_use_by_the_project_runner_is_kept(self) -> None:
        runner = """
            from sanerunner import SaneRunner

            class Runner(SaneRunner):
                def setup_databases(self, **kwargs):
                    config = super().setup_databases(**kwargs)
                    from app.models import Thing
                    Thing.objects.create(name="from the runner")
                    return config
            """
        tests = unit("pass").replace("count(), 0)", "count(), 1)", 1)
        project = inner_project(
            self, tests, FILES + 'TEST_RUNNER = "runner.Runner"\n', **{"runner.py": runner}
        )
        self.assertEqual(made(self.passes(project)), ["default", "other"])


class SerializedTest(Case):
    def test_content_is_that_of_the_migrations(self) -> None:
        """Also where a stage that does not want it has had the database made before."""
        migration = """
            from django.db import migrations, models

            class Migration(migrations.Migration):
                operations = [
                    migrations.CreateModel("Thing", [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("name", models.CharField(max_length=50)),
                    ]),
                    migrations.RunPython(
                        lambda apps, editor:
                            apps.get_model("app", "Thing").objects.create(name="migrated")
                    ),
                ]
            """
        tests = """
            from django.test import TransactionTestCase
            from sanerunner import NoCleanupDatabaseTestCase
            from app.models import Thing

            class Leaves(NoCleanupDatabaseTestCase):
                def test_leaves(self): Thing.objects.create(name="left")

            class First(TransactionTestCase):
                serialized_rollback = True
                def test_first(self): Thing.objects.all().delete()

            class Second(TransactionTestCase):
                serialized_rollback = True
                def test_second(self):
                    self.assertEqual([thing.name for thing in Thing.objects.all()], ["migrated"])
            """
        files = {"app/migrations/__init__.py": "", "app/migrations/0001_initial.py": migration}
        self.passes(inner_project(self, tests, FILES, **files))


class LateTest(Case):
    """Databases are made after unit tests have run, yet all is as if they had been there."""

    def test_models_that_tests_have_defined(self) -> None:
        tests = """
            import unittest
            from django.apps import apps
            from django.contrib.contenttypes.models import ContentType
            from django.db import connection, models
            from django.test import TestCase, TransactionTestCase
            from app.models import Thing

            class Unit(unittest.TestCase):
                def test_defines_models(self):
                    global Passing, Migrated  # models that no module has are hidden from Rows

                    class Passing(models.Model):
                        thing = models.ForeignKey(Thing, models.CASCADE)
                        class Meta: app_label = "app"

                    class Migrated(models.Model):
                        class Meta: app_label = "auth"  # which has migrations

            class Rows(TestCase):
                def test_are_not_in_the_database(self):
                    self.assertNotIn("app_passing", connection.introspection.table_names())
                    self.assertFalse(ContentType.objects.filter(model="passing").exists())

                def test_are_registered(self):
                    (related,) = Thing._meta.related_objects
                    self.assertIs(related.related_model, apps.get_model("app.Passing"))
                    apps.get_model("auth.Migrated")

            class Serialized(TransactionTestCase):
                serialized_rollback = True
                def test_it(self):
                    self.assertEqual(Thing.objects.count(), 0)
            """
        self.passes(inner_project(self, tests, FILES))

    FACTS = """
        import unittest
        from django.db import connection
        from django.test import SimpleTestCase, TestCase
        from app.models import Thing

        class Unit(SimpleTestCase):
            def test_asks_for_the_version(self):
                self.assertGreater(connection.get_database_version(), (3,))
                self.assertIn("SELECT", str(Thing.objects.filter(name="a").query))

        class Rows(TestCase):
            def test_asks_for_the_version(self):
                self.assertGreater(connection.get_database_version(), (3,))
        """

    def assert_version_is_known(self, settings: Any) -> None:
        database = f"DATABASES = {{'default': {settings!r}}}"
        project = inner_project(self, self.FACTS, database)
        outcome = self.passes(project)
        self.assertEqual(made(outcome), ["default"], outcome.output)
        alone = project.test("app.tests.Unit")
        self.assertEqual(alone.returncode, 0, alone.output)
        self.assertEqual(made(alone), [], alone.output)

    def test_version_of_the_server_postgresql(self) -> None:
        self.assert_version_is_known(require_postgresql(self))

    def test_version_of_the_server_mariadb(self) -> None:
        self.assert_version_is_known(require_mariadb(self))


# Beside each file is what its rewinds start from.
KEPT = [
    f"{name}.test{suffix}"
    for name in ("default", "other")
    for suffix in ("", ".sane", ".sane-run")
]


class KeepTest(Case):
    def test_every_spelling(self) -> None:
        for arguments, environment in (
            (["--keepdb"], {}),
            (["--persist-test-database"], {}),
            ([], {"DST_PERSIST_TEST_DATABASE": "1"}),
        ):
            with self.subTest(arguments or environment):
                project = inner_project(self, unit("pass"), FILES)
                first = self.passes(project, *arguments, environment=environment)
                self.assertEqual(made(first), ["default", "other"])
                self.assertIn("Preserving test database for alias 'default'", first.stderr)
                self.assertEqual(left(project), KEPT)
                again = self.passes(project, *arguments, environment=environment)
                self.assertEqual(made(again), [])
                self.assertIn("Using existing test database for alias 'default'", again.stderr)
                self.assertIn("default.test: current", again.stderr)
                self.passes(project)
                self.assertEqual(left(project), [])

    def test_on_demand(self) -> None:
        """A database that a plain test uses first is the kept one, and is kept."""
        project = inner_project(self, UndeclaredTest.PLAIN, FILES)
        outcome = self.passes(project, "--keepdb", "--select=unit")
        self.assertEqual(made(outcome), ["default"])
        self.assertEqual(left(project), KEPT[: len(KEPT) // 2])
        outcome = self.passes(project, "--keepdb")
        self.assertIn("Using existing test database for alias 'default'", outcome.stderr)
        self.assertIn("is rewound", outcome.stderr)
        self.assertEqual(left(project), KEPT)

    def test_settings_are_restored_after_a_failing_migration(self) -> None:
        project = broken_project(self, FILES)
        script = run_script("keepdb=True")
        project.write("script.py", script)
        outcome = project.python("script.py", environment={"DJANGO_SETTINGS_MODULE": "settings"})
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("restored", outcome.stdout)


BROKEN = """
from django.db import migrations, models

def fail(apps, schema_editor):
    raise ZeroDivisionError("the migration fails")

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True))]),
        migrations.RunPython(fail),
    ]
"""


def broken_project(test: unittest.TestCase, settings: str) -> InnerProject:
    """Return a project whose migration for "other" fails, after "default" has been made."""
    migration = BROKEN.replace(
        "    raise", '    if schema_editor.connection.alias == "other":\n        raise'
    )
    tests = unit("pass").replace(
        "class Rows(TestCase):", "class Rows(TestCase):\n    databases = '__all__'"
    )
    files = {"app/migrations/__init__.py": "", "app/migrations/0001_initial.py": migration}
    return inner_project(test, tests, settings, **files)


def run_script(arguments: str) -> str:
    """Return a script that runs the tests and says whether all is as it was before."""
    return f"""
        import copy, django
        django.setup()
        from django.conf import settings
        from django.db import connections
        from django.db.backends.base.base import BaseDatabaseWrapper
        from sanerunner import SaneRunner
        from sanerunner.exceptions import DatabaseCreationError

        def state():
            return (
                copy.deepcopy(settings.DATABASES),
                [(connections[alias], connections[alias].connection) for alias in connections],
                [connections[alias].settings_dict["NAME"] for alias in connections],
                {{name: value for name, value in vars(BaseDatabaseWrapper).items()}},
            )

        before = state()
        for options in ({{}}, {{"migrate": True}}, {{"verbosity": 2}}):
            try:
                SaneRunner(interactive=False, {arguments}, **options).run_tests([])
            except DatabaseCreationError as error:
                print(error)
            assert state() == before, (before, state())
        print("restored")
        """


class LeftoversTest(Case):
    """Nothing is left of a run, however it ends."""

    ENDINGS = {
        "green": "pass",
        "failing": "self.fail('no')",
        "plain": "Thing.objects.create(name='x')",
        "interrupted": "raise KeyboardInterrupt",
    }
    SETUP = """
        from django.test import TestCase
        from app.models import Thing

        class Broken(TestCase):
            databases = "__all__"
            @classmethod
            def setUpTestData(cls):
                Thing.objects.create(name="x")
                raise ValueError("in the class's data")
            def test_nothing(self): pass

        class Raises(TestCase):
            def setUp(self): raise ValueError("in setUp")
            def test_nothing(self): pass
        """

    def endings(self, project: InnerProject, remains: Any) -> None:
        for name, statement in self.ENDINGS.items():
            with self.subTest(name):
                project.write("app/tests.py", unit(statement))
                outcome = project.test("--keep-going")
                self.assertEqual(
                    outcome.returncode == 0, name in {"green", "plain"}, outcome.output
                )
                self.assertEqual(remains(), [], outcome.output)
        with self.subTest("set-up"):
            project.write("app/tests.py", self.SETUP)
            outcome = self.fails(project)
            self.assertEqual(remains(), [], outcome.output)

    def migrations(self, settings: str, remains: Any) -> None:
        with self.subTest("migration"):
            project = broken_project(self, settings)
            outcome = project.test()
            self.assertEqual(outcome.returncode, 2, outcome.output)
            self.assertIn("the migration fails", outcome.stderr)
            self.assertEqual(remains(project), [], outcome.output)
            self.assertEqual(made(outcome), ["default", "other"])
            self.assertEqual(outcome.stderr.count("Destroying test database"), 2)

    def test_sqlite(self) -> None:
        project = inner_project(self, "", FILES)
        self.endings(project, lambda: left(project))
        self.migrations(FILES, left)

    def test_postgresql(self) -> None:
        self.on_server(require_postgresql(self), require_postgresql(self, "other"))

    def test_mariadb(self) -> None:
        self.on_server(require_mariadb(self), require_mariadb(self, "other"))

    def on_server(self, default: Settings, other: Settings) -> None:
        settings = f"DATABASES = {{'default': {default!r}, 'other': {other!r}}}\n"
        names = {f"test_{each['NAME']}" for each in (default, other)}

        def remains(project: Any = None) -> list[str]:
            return sorted(databases_on(default) & names)

        self.endings(inner_project(self, "", settings), remains)
        self.migrations(settings, remains)

    def test_all_is_restored_after_a_failing_migration(self) -> None:
        project = broken_project(self, FILES)
        project.write("script.py", run_script("keepdb=False"))
        outcome = project.python("script.py", environment={"DJANGO_SETTINGS_MODULE": "settings"})
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertEqual(outcome.stdout.count("Error: the migration fails"), 3)
        self.assertIn("restored", outcome.stdout)
        self.assertEqual(left(project), [])


class SessionsTest(Case):
    """Sessions that tests leave behind, here or in another process, are ended."""

    TESTS = """
        import subprocess, sys, threading, time, unittest
        from django.conf import settings
        from django.db import connection, connections
        from django.test import TransactionTestCase
        from app.models import Thing

        OPEN = \"\"\"
        import sys
        {open}
        print("open", flush=True)
        sys.stdin.read()
        \"\"\"

        class Leaves(TransactionTestCase):
            def test_process(self):
                import textwrap
                name = connection.settings_dict["NAME"]
                process = subprocess.Popen(
                    [sys.executable, "-c", textwrap.dedent(OPEN), name],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
                type(self).process = process
                self.assertEqual(process.stdout.readline(), "open\\n")

            def test_thread(self):
                ready = threading.Event()
                def hold():
                    connection.set_autocommit(False)
                    Thing.objects.count()
                    ready.set()
                    threading.Event().wait()
                threading.Thread(target=hold, daemon=True).start()
                self.assertTrue(ready.wait(30))

            def _fixture_teardown(self):
                pass  # a flush would wait for them
        """

    def run_on(self, settings: Settings, opening: str) -> None:
        project = inner_project(
            self,
            self.TESTS.replace("{open}", opening),
            f"DATABASES = {{'default': {settings!r}}}\n",
        )
        outcome = self.passes(project)
        self.assertEqual(outcome.stderr.count("Destroying test database"), 1)
        self.assertNotIn(f"test_{settings['NAME']}", databases_on(settings))

    def test_postgresql(self) -> None:
        settings = require_postgresql(self)
        opening = (
            f"import psycopg; a = psycopg.connect(host={settings['HOST']!r}, "
            f"port={settings['PORT']!r}, user={settings['USER']!r}, "
            f"password={settings['PASSWORD']!r}, dbname=sys.argv[1])"
        )
        self.run_on(settings, opening)
        self.assertEqual(on_postgresql(settings, "SELECT 1"), [(1,)])

    def test_mariadb(self) -> None:
        settings = require_mariadb(self)
        opening = (
            f"import MySQLdb; a = MySQLdb.connect(host={settings['HOST']!r}, "
            f"port=int({settings['PORT']!r}), user={settings['USER']!r}, "
            f"password={settings['PASSWORD']!r}, database=sys.argv[1]); "
            "a.cursor().execute('SELECT * FROM app_thing')"
        )
        self.run_on(settings, opening)
        self.assertEqual(on_mariadb(settings, "SELECT 1"), [(1,)])


class ByHandTest(Case):
    """``setup_databases()`` outside of ``run_tests()``, as scripts and other tools call it."""

    def run_script(self, lines: str) -> InnerProject:
        project = inner_project(self, "", FILES)
        Path(project.folder, "default.real").touch()
        source = (
            "import django; django.setup()\n"
            "from django.conf import settings\n"
            "from django.db import connection, connections\n"
            "from app.models import Thing\n"
            "from sanerunner import SaneRunner\n"
            "runner = SaneRunner(interactive=False)\n"
            "real = settings.DATABASES['default']['NAME']\n" + lines
        )
        project.write("script.py", source)
        outcome = project.python("script.py", environment={"DJANGO_SETTINGS_MODULE": "settings"})
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertEqual(left(project), ["default.real"])
        self.assertEqual(Path(project.folder, "default.real").stat().st_size, 0)
        return project

    def test_all_databases_are_made_at_once(self) -> None:
        self.run_script(
            "config = runner.setup_databases()\n"
            "assert (settings.BASE_DIR / 'other.test').exists()\n"
            "Thing.objects.create(name='x')\n"
            "assert connection._test_serialized_contents\n"
            "runner.teardown_databases(config)\n"
            "assert settings.DATABASES['default']['NAME'] == real\n"
        )

    def test_given_aliases(self) -> None:
        self.run_script(
            "for _ in range(2):\n"
            "    config = runner.setup_databases(aliases={'default'}, serialized_aliases=set())\n"
            "    assert not (settings.BASE_DIR / 'other.test').exists()\n"
            "    assert not hasattr(connection, '_test_serialized_contents')\n"
            "    Thing.objects.create(name='x')\n"
            "    runner.teardown_databases(config)\n"
        )

    def test_database_that_cannot_be_made(self) -> None:
        self.run_script(
            "settings.DATABASES['default']['TEST']['NAME'] = real\n"
            "try:\n"
            "    runner.setup_databases()\n"
            "except Exception as error:\n"
            "    assert 'has the name of a real database' in str(error)\n"
            "else:\n"
            "    raise AssertionError\n"
            "assert settings.DATABASES['default']['NAME'] == real\n"
            "assert not runner.provisioner.active\n"
        )
