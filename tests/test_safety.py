"""Nothing that runs in a test run reaches a database that is not a test database."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from .settings import mariadb, postgresql
from .support.projects import InnerProject, Outcome, inner_project
from .support.services import (
    databases_on,
    on_mariadb,
    on_postgresql,
    require_mariadb,
    require_postgresql,
)

TWO_FILES = """
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "real.sqlite3"},
    "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(BASE_DIR / "other.sqlite3")},
    "replica": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "real.sqlite3",
        "TEST": {"MIRROR": "default"},
    },
}
"""
# Every way by which a test that declares nothing may try to write to what the settings name.
WRITERS = """
    import copy, sqlite3, threading, unittest
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection, connections, transaction
    from django.db.backends.sqlite3.base import DatabaseWrapper
    from django.db.utils import ConnectionHandler
    from app.models import Thing

    at_import = copy.deepcopy(connections["other"].settings_dict)

    class {name}(unittest.TestCase):
        def check(self, found):
            self.assertEqual(found.objects.filter(name="real").count(), 0)

        def test_orm(self):
            Thing.objects.create(name="orm")
            self.check(Thing)

        def test_cursor(self):
            with connections["other"].cursor() as cursor:
                cursor.execute("DELETE FROM app_thing")

        def test_atomic(self):
            with transaction.atomic(), transaction.atomic(using="other"):
                Thing.objects.create(name="atomic")
                Thing.objects.using("other").create(name="atomic")

        def test_thread(self):
            failures = []
            def write():
                try:
                    for alias in connections:
                        Thing.objects.using(alias).create(name="thread")
                except Exception as error:
                    failures.append(error)
                finally:
                    connections.close_all()
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()
            self.assertEqual(failures, [])

        def test_copy(self):
            copied = connections["other"].copy()
            self.addCleanup(copied.close)
            with copied.cursor() as cursor:
                cursor.execute("INSERT INTO app_thing (name) VALUES ('copy')")

        def test_copy_of_mirror(self):
            copied = connections["replica"].copy()
            self.addCleanup(copied.close)
            with copied.cursor() as cursor:
                cursor.execute("INSERT INTO app_thing (name) VALUES ('copy')")

        def test_fresh_wrapper(self):
            for alias in ("default", "other", "else"):
                for settings_dict in (
                    settings.DATABASES["other"],
                    copy.deepcopy(at_import),
                    copy.deepcopy(REAL["other"]),
                    copy.deepcopy(REAL["default"]),
                    copy.deepcopy(REAL["replica"]),
                ):
                    wrapper = DatabaseWrapper(settings_dict, alias)
                    self.addCleanup(wrapper.close)
                    with wrapper.cursor() as cursor:
                        cursor.execute("INSERT INTO app_thing (name) VALUES ('fresh')")

        def test_fresh_handler(self):
            handler = ConnectionHandler(copy.deepcopy(REAL))
            self.addCleanup(handler.close_all)
            for alias in handler:
                with handler[alias].cursor() as cursor:
                    cursor.execute("INSERT INTO app_thing (name) VALUES ('handler')")

        def test_other_spelling(self):
            import os
            for name in (
                os.path.relpath(settings.BASE_DIR / "real.sqlite3"),
                f"file:{settings.BASE_DIR}/real.sqlite3?mode=rwc",
                f"file://localhost{settings.BASE_DIR}/real.sqlite3",
                f"{settings.BASE_DIR}/app/../real.sqlite3",
                f"{settings.BASE_DIR}/link.sqlite3",
            ):
                with self.subTest(name):
                    real = copy.deepcopy(REAL["default"])
                    wrapper = DatabaseWrapper({**real, "NAME": name}, "x")
                    self.addCleanup(wrapper.close)
                    with wrapper.cursor() as cursor:
                        cursor.execute("INSERT INTO app_thing (name) VALUES ('spelling')")

        def test_option(self):
            real = copy.deepcopy(REAL["other"])
            real["OPTIONS"] = {"database": settings.BASE_DIR / "other.sqlite3"}
            wrapper = DatabaseWrapper(real, "other")
            with self.assertRaisesRegex(Exception, "refused"):
                wrapper.cursor()

        def test_driver(self):
            for alias in connections:
                raw = sqlite3.connect(connections[alias].settings_dict["NAME"], uri=True)
                raw.execute("CREATE TABLE driver (a)")
                raw.execute("DROP TABLE driver")
                raw.commit()
                raw.close()
                parameters = connections[alias].get_connection_params()
                self.assertNotIn("real.sqlite3", str(parameters["database"]))

        def test_flush(self):
            call_command("flush", interactive=False, verbosity=0)
            call_command("flush", interactive=False, verbosity=0, database="other")

        def test_migrate(self):
            call_command("migrate", "app", "zero", verbosity=0)
            call_command("migrate", verbosity=0)

        def test_wrapper_kept_from_ready(self):
            from app.apps import kept
            with kept.cursor() as cursor:
                cursor.execute("INSERT INTO app_thing (name) VALUES ('kept')")

        def test_thread_from_ready(self):
            from app.apps import jobs, results
            jobs.put("INSERT INTO app_thing (name) VALUES ('background')")
            self.assertEqual(results.get(timeout=30), None)
"""
# Opens connections before the run begins: in the main thread, unregistered, in a thread.
APPS = """
    import builtins, copy, queue, threading, warnings
    from django.apps import AppConfig
    from django.conf import settings
    from django.db import connection, connections

    jobs, results = queue.Queue(), queue.Queue()
    kept = None

    def background():
        while True:
            sql = jobs.get()
            try:
                with connection.cursor() as cursor:
                    cursor.execute(sql)
                results.put(None)
            except Exception as error:
                results.put(error)

    class Config(AppConfig):
        name = "app"
        def ready(self):
            global kept
            builtins.REAL = copy.deepcopy(dict(settings.DATABASES))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.get_model("Thing").objects.filter(name="real").count()
                kept = connections["other"].copy()
                kept.ensure_connection()
                threading.Thread(target=background, daemon=True).start()
                jobs.put("SELECT 1")
                assert results.get(timeout=30) is None
"""
MIGRATION = """
    from django.db import migrations, models

    class Migration(migrations.Migration):
        operations = [
            migrations.CreateModel(
                "Thing",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("name", models.CharField(max_length=50)),
                ],
            ),
        ]
"""
# Writes to the other database, on which its own does not depend.
DATA_MIGRATION = """
    from django.db import migrations

    def write(apps, schema_editor):
        if schema_editor.connection.alias == "default":
            apps.get_model("app", "Thing").objects.using("other").create(name="migrated")

    class Migration(migrations.Migration):
        dependencies = [("app", "0001_initial")]
        operations = [migrations.RunPython(write, migrations.RunPython.noop)]
"""
DECLARED = """
    from django.test import TestCase
    from app.models import Thing

    class Declared(TestCase):
        databases = {"default", "other"}
        def test_rows(self):
            self.assertEqual(Thing.objects.count(), 0)
            rows = Thing.objects.using("other").values_list("name", flat=True)
            self.assertEqual(list(rows), ["migrated"])
"""
MIGRATIONS = {
    "app/migrations/__init__.py": "",
    "app/migrations/0001_initial.py": MIGRATION,
    "app/migrations/0002_data.py": DATA_MIGRATION,
}
PLAIN = """
    import unittest
    from app.models import Thing

    class Plain(unittest.TestCase):
        def test_writes(self):
            Thing.objects.create(name="plain")
"""


def real_database(path: Path, name: str = "real") -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE app_thing (id integer PRIMARY KEY, name varchar(50))")
        connection.execute("INSERT INTO app_thing (name) VALUES (?)", [name])
    connection.close()


def contents(folder: Path) -> dict[str, str]:
    """Return file -> digest of all that could be a database, or left by one."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix not in {".pyc", ".py", ".xml"}
        and path.parent.name != ".sanerunner"
    }


class FileDatabaseTest(unittest.TestCase):
    """Real SQLite files are byte for byte what they were, and nothing is left beside them."""

    def project(self, tests: str, settings: str = TWO_FILES, **files: str) -> InnerProject:
        project = inner_project(self, tests, settings, **{**MIGRATIONS, **files})
        for name in ("real.sqlite3", "other.sqlite3"):
            real_database(project.folder / name)
        (project.folder / "link.sqlite3").symlink_to(project.folder / "real.sqlite3")
        return project

    def run_untouched(self, project: InnerProject, *arguments: str) -> Outcome:
        before = contents(project.folder)
        outcome = project.test("--junit=junit.xml", *arguments)
        self.assertEqual(contents(project.folder), before, outcome.output)
        return outcome

    def test_every_way_to_write(self) -> None:
        project = self.project(
            WRITERS.replace("{name}", "Plain"),
            TWO_FILES + 'INSTALLED_APPS[-1] = "app.apps.Config"\n',
            **{
                "app/apps.py": APPS,
                "app/test_declared.py": DECLARED,
                "app/test_again.py": WRITERS.replace("{name}", "Again")
                + "        test_type = 'destructive'\n",
            },
        )
        for _ in range(2):
            outcome = self.run_untouched(project, "--pattern=test*.py")
            self.assertEqual(outcome.returncode, 0, outcome.output)
            self.assertIn("Test database 'default' is rewound: app.tests.Plain", outcome.stderr)
        self.assertEqual(len(project.verdicts()), 16)

    def test_each_way_alone(self) -> None:
        """No test is safe only because an earlier one has had the database made."""
        project = self.project(
            WRITERS.replace("{name}", "Plain"),
            TWO_FILES + 'INSTALLED_APPS[-1] = "app.apps.Config"\n',
            **{"app/apps.py": APPS},
        )
        for name in ("thread", "copy", "copy_of_mirror", "fresh_wrapper", "fresh_handler",
                     "other_spelling", "option", "driver", "flush", "wrapper_kept_from_ready",
                     "thread_from_ready"):  # fmt: skip
            with self.subTest(name):
                outcome = self.run_untouched(project, f"app.tests.Plain.test_{name}")
                self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_module_level_queries(self) -> None:
        project = self.project(
            """
            import unittest
            from app.models import Thing

            names = list(Thing.objects.values_list("name", flat=True))
            Thing.objects.using("other").create(name="import")

            class Plain(unittest.TestCase):
                def test_names(self):
                    self.assertEqual(names, [])
            """
        )
        outcome = self.run_untouched(project)
        self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_runner_that_sets_up_no_databases(self) -> None:
        runner = """
            from sanerunner import SaneRunner

            class Runner(SaneRunner):
                def setup_databases(self, **kwargs):
                    return None
                def teardown_databases(self, old_config, **kwargs):
                    pass
            """
        settings = TWO_FILES + 'TEST_RUNNER = "runner.Runner"\n'
        project = self.project(
            PLAIN, settings, **{"runner.py": runner, "app/test_declared.py": DECLARED}
        )
        outcome = self.run_untouched(project, "--pattern=test*.py")
        self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_runner_that_makes_databases_in_its_own_way(self) -> None:
        runner = """
            from django.test.utils import setup_databases
            from sanerunner import SaneRunner
            from app.models import Thing

            class Runner(SaneRunner):
                def setup_databases(self, **kwargs):
                    config = setup_databases(self.verbosity, self.interactive)
                    Thing.objects.create(name="from the runner")
                    return config
            """
        tests = """
            from django.test import TestCase
            from app.models import Thing

            class Rows(TestCase):
                def test_rows(self):
                    self.assertEqual(Thing.objects.get().name, "from the runner")
            """
        for name in ("None", "str(BASE_DIR / 'test.sqlite3')"):
            with self.subTest(name):
                settings = TWO_FILES + 'TEST_RUNNER = "runner.Runner"\n'
                settings += f'DATABASES["default"]["TEST"] = {{"NAME": {name}}}\n'
                project = self.project(tests, settings, **{"runner.py": runner})
                outcome = self.run_untouched(project)
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertEqual(
                    outcome.stderr.count("Creating test database for alias 'default'"), 1
                )

    def test_failing_runs(self) -> None:
        project = self.project(
            PLAIN.replace("Thing.objects.create", "1 / 0, Thing.objects.create"),
            **{
                "app/test_setup.py": """
                    from django.test import TestCase
                    from app.models import Thing

                    class Broken(TestCase):
                        @classmethod
                        def setUpTestData(cls):
                            Thing.objects.create(name="x")
                            raise ValueError("no")
                        def test_nothing(self): pass
                    """
            },
        )
        self.assertEqual(
            self.run_untouched(project, "--pattern=test*.py", "--keep-going").returncode, 1
        )

    def test_failing_migration(self) -> None:
        broken = DATA_MIGRATION.replace("0001_initial", "0002_data").replace(
            "    def write(apps, schema_editor):",
            "    def write(apps, schema_editor):\n        1 / 0",
        )
        settings = TWO_FILES + (
            'DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "test.sqlite3"}\n'
            'DATABASES["other"]["TEST"] = {"NAME": BASE_DIR / "test_other.sqlite3"}\n'
        )
        files = {"app/migrations/0003_broken.py": broken, "app/test_declared.py": DECLARED}
        project = self.project("", settings, **files)
        outcome = self.run_untouched(project, "--pattern=test*.py")
        self.assertNotEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("ZeroDivisionError", outcome.stderr)


class TestNameTest(unittest.TestCase):
    """A test database that would be a real one is refused, in one line, with exit status 2."""

    DECLARED = """
        from django.test import TestCase
        from app.models import Thing

        class Rows(TestCase):
            def test_rows(self): Thing.objects.create(name="a")
        """

    def refused(self, settings: str, tests: str, *, alias: str = "default") -> None:
        project = inner_project(self, tests, settings)
        for name in ("real.sqlite3", "other.sqlite3"):
            real_database(project.folder / name)
        before = contents(project.folder)
        outcome = project.test()
        self.assertEqual(contents(project.folder), before, outcome.output)
        self.assertEqual(outcome.returncode, 2, outcome.output)
        self.assertNotIn("Traceback", outcome.stderr)
        (line,) = outcome.stderr.strip().splitlines()
        self.assertIn(f"The test database of alias {alias!r}", line)
        self.assertIn("on localhost", line)
        self.assertIn("sqlite3", line)

    def test_own_name(self) -> None:
        own = 'DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "real.sqlite3"}\n'
        self.refused(own, self.DECLARED)

    def test_own_name_in_other_spellings(self) -> None:
        for name in (
            '"real.sqlite3"',
            'f"file:{BASE_DIR}/real.sqlite3"',
            'str(BASE_DIR / "app" / ".." / "real.sqlite3")',
        ):
            with self.subTest(name):
                settings = f'DATABASES["default"]["TEST"] = {{"NAME": {name}}}\n'
                self.refused(settings, self.DECLARED)

    def test_name_of_another_alias(self) -> None:
        other = TWO_FILES + (
            'DATABASES["default"]["TEST"] = {"NAME": str(BASE_DIR / "other.sqlite3")}\n'
        )
        self.refused(other, self.DECLARED)

    def test_option_that_wins_over_the_name(self) -> None:
        option = 'DATABASES["default"]["OPTIONS"] = {"database": str(BASE_DIR / "real.sqlite3")}\n'
        self.refused(option, self.DECLARED)

    def test_refused_also_when_nothing_is_declared(self) -> None:
        """A test that uses it without declaring it fails; so does the project's own runner."""
        for tests, runner in (
            (PLAIN, ""),
            (self.DECLARED, "def setup_databases(self, **kwargs): return None"),
            (
                self.DECLARED,
                "def setup_databases(self, **kwargs):\n"
                "        from django.test.utils import setup_databases\n"
                "        return setup_databases(1, False)",
            ),
        ):
            with self.subTest(runner or "plain"):
                settings = (
                    'DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "real.sqlite3"}\n'
                    'TEST_RUNNER = "runner.Runner"\n'
                )
                source = (
                    "from sanerunner import SaneRunner\n\n"
                    f"class Runner(SaneRunner):\n    pass\n    {runner}\n"
                )
                project = inner_project(self, tests, settings, **{"runner.py": source})
                real_database(project.folder / "real.sqlite3")
                before = contents(project.folder)
                outcome = project.test()
                self.assertEqual(contents(project.folder), before, outcome.output)
                self.assertNotEqual(outcome.returncode, 0)
                self.assertIn("has the name of a real database", outcome.stderr)


class MemoryDatabaseTest(unittest.TestCase):
    """Settings whose database is in memory: there is nothing to protect, and all of it works."""

    TESTS = """
        import threading, unittest
        from django.db import connection, connections
        from django.test import TestCase, TransactionTestCase
        from app.models import Thing

        class Plain(unittest.TestCase):
            def test_a_thread_first(self):
                failures = []
                def write():
                    try:
                        Thing.objects.create(name="thread")
                    except Exception as error:
                        failures.append(error)
                    finally:
                        connections.close_all()
                thread = threading.Thread(target=write)
                thread.start()
                thread.join()
                self.assertEqual(failures, [])

            def test_b_main_sees_it(self):
                self.assertEqual(Thing.objects.get().name, "thread")

            def test_c_copy(self):
                copied = connection.copy()
                self.addCleanup(lambda: copied.connection.close())
                with copied.cursor() as cursor:
                    cursor.execute("SELECT COUNT(*) FROM app_thing")
                    self.assertEqual(cursor.fetchone(), (1,))

        class Rows(TestCase):
            def test_rows(self):
                self.assertEqual(Thing.objects.count(), 0)

        class Commits(TransactionTestCase):
            def test_commits(self):
                self.assertEqual(Thing.objects.count(), 0)
                Thing.objects.create(name="x")
        """

    def test_runs(self) -> None:
        for name in (
            ":memory:",
            "file:memorydb_default?mode=memory&cache=shared",
            "file:x?mode=memory",
        ):
            for ready in ("", "connections['default'].ensure_connection()"):
                with self.subTest(name=name, ready=ready):
                    settings = (
                        f'DATABASES["default"]["NAME"] = {name!r}\n'
                        'INSTALLED_APPS[-1] = "app.apps.Config"\n'
                    )
                    apps = (
                        "from django.apps import AppConfig\n"
                        "from django.db import connections\n\n"
                        "class Config(AppConfig):\n"
                        "    name = 'app'\n"
                        f"    def ready(self):\n        {ready or 'pass'}\n"
                    )
                    project = inner_project(self, self.TESTS, settings, **{"app/apps.py": apps})
                    outcome = project.test("--junit=junit.xml")
                    self.assertEqual(outcome.returncode, 0, outcome.output)
                    self.assertEqual(len(project.verdicts()), 5)

    def test_project_without_databases(self) -> None:
        tests = "import unittest\nclass Plain(unittest.TestCase):\n    def test_it(self): pass\n"
        outcome = inner_project(self, tests, "DATABASES = {}\n").test()
        self.assertEqual(outcome.returncode, 0, outcome.output)


SERVER_TESTS = """
    import copy, threading, unittest
    from django.core.management import call_command
    from django.db import connection, connections
    from django.test import TestCase
    from app.models import Thing

    class Plain(unittest.TestCase):
        def test_a_thread(self):
            names = []
            def write():
                Thing.objects.create(name="thread")
                with connection.cursor() as cursor:
                    cursor.execute("SELECT NAME")
                    names.append(cursor.fetchone()[0])
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()
            self.assertEqual(names, [connection.settings_dict["NAME"]])
            self.assertTrue(names[0].startswith("test_"))

        def test_y_copy_left_open(self):
            self.__class__.left = connection.copy()
            with self.left.cursor() as cursor:
                cursor.execute("INSERT INTO app_thing (name) VALUES ('copy')")
            self.left.set_autocommit(False)
            with self.left.cursor() as cursor:
                cursor.execute("SELECT * FROM app_thing")

        def test_flush(self):
            call_command("flush", interactive=False, verbosity=0)

        def test_z_thread_left_alone(self):
            started, self.__class__.stop = threading.Event(), threading.Event()
            def hold():
                Thing.objects.count()
                connection.set_autocommit(False)
                Thing.objects.count()
                started.set()
                self.stop.wait()
            threading.Thread(target=hold, daemon=True).start()
            self.assertTrue(started.wait(30))

    class Rows(TestCase):
        def test_rows(self):
            self.assertEqual(Thing.objects.count(), 0)
            Thing.objects.create(name="x")

    class Replica(unittest.TestCase):
        test_type = "destructive"
        def test_replica(self):
            Thing.objects.using("replica").create(name="replica")
"""


class PostgreSQLTest(unittest.TestCase):
    def test_real_database_stays_as_it_is(self) -> None:
        settings = require_postgresql(self)
        on_postgresql(settings, f'CREATE DATABASE "{settings["NAME"]}"')
        on_postgresql(
            settings,
            "CREATE TABLE app_thing (id serial PRIMARY KEY, name varchar(50))",
            "INSERT INTO app_thing (name) VALUES ('real')",
            database=settings["NAME"],
        )
        replica = {**settings, "HOST": "replica.invalid", "TEST": {"MIRROR": "default"}}
        project = inner_project(
            self,
            SERVER_TESTS.replace("SELECT NAME", "SELECT current_database()"),
            f"DATABASES = {{'default': {settings!r}, 'replica': {replica!r}}}\n",
        )
        outcome = project.test()
        self.assertEqual(outcome.returncode, 0, outcome.output)
        rows = on_postgresql(
            settings,
            "SELECT name, (SELECT count(*) FROM pg_tables WHERE schemaname = 'public')"
            " FROM app_thing",
            database=settings["NAME"],
        )
        self.assertEqual(rows, [("real", 1)])
        self.assertNotIn(f"test_{settings['NAME']}", databases_on(settings))

    def test_real_database_named_postgres(self) -> None:
        """The one that Django opens to get at the server: only it may, to make databases."""
        settings = require_postgresql(self)
        test_name = f"test_{settings['NAME']}"
        real = {**settings, "NAME": "postgres", "TEST": {"NAME": test_name}}
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        before = on_postgresql(settings, tables)
        project = inner_project(
            self,
            """
            import unittest
            from django.db import connection
            from django.test import TestCase
            from app.models import Thing

            class Plain(unittest.TestCase):
                def test_writes(self):
                    Thing.objects.create(name="plain")
                def test_copy(self):
                    copied = connection.copy()
                    with copied.cursor() as cursor:
                        cursor.execute("SELECT current_database()")
                        self.assertTrue(cursor.fetchone()[0].startswith("test_"))
                    copied.close()
                def test_server(self):
                    with self.assertRaisesRegex(Exception, "'postgres'.*was refused"):
                        with connection._nodb_cursor() as cursor:
                            cursor.execute("CREATE TABLE sane_leak (a int)")

            class Rows(TestCase):
                def test_rows(self):
                    self.assertEqual(Thing.objects.count(), 0)
            """,
            f"DATABASES = {{'default': {real!r}}}\n",
        )
        outcome = project.test()
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertEqual(on_postgresql(settings, tables), before)
        self.assertNotIn(test_name, databases_on(settings))

    def test_name_of_a_real_database_is_refused(self) -> None:
        settings = require_postgresql(self)
        on_postgresql(settings, f'CREATE DATABASE "{settings["NAME"]}"')
        for other in (
            {**settings, "TEST": {"NAME": settings["NAME"]}},
            {**settings, "NAME": "elsewhere", "TEST": {"NAME": settings["NAME"]}, "PORT": ""},
            {**settings, "NAME": "elsewhere", "OPTIONS": {"dbname": settings["NAME"]}},
        ):
            with self.subTest(other):
                project = inner_project(
                    self,
                    TestNameTest.DECLARED,
                    f"DATABASES = {{'default': {other!r}, 'real': {settings!r}}}\n",
                )
                outcome = project.test()
                self.assertEqual(outcome.returncode, 2, outcome.output)
                (line,) = outcome.stderr.strip().splitlines()
                self.assertIn("The test database of alias 'default'", line)
                self.assertIn(settings["NAME"], line)
                self.assertIn(settings["HOST"], line)
                self.assertIn(settings["NAME"], databases_on(settings))

    def test_name_that_a_service_file_has(self) -> None:
        settings = require_postgresql(self)
        on_postgresql(settings, f'CREATE DATABASE "{settings["NAME"]}"')
        service = {
            **settings,
            "NAME": "",
            "HOST": "",
            "PORT": "",
            "OPTIONS": {"service": "main"},
            "TEST": {"NAME": settings["NAME"]},
        }
        project = inner_project(
            self, TestNameTest.DECLARED, f"DATABASES = {{'default': {service!r}}}\n"
        )
        file = project.write(
            "services",
            f"[main]\nhost={settings['HOST']}\nport={settings['PORT']}\n"
            f"dbname={settings['NAME']}\n",
        )
        outcome = project.test(environment={"PGSERVICEFILE": str(file)})
        self.assertEqual(outcome.returncode, 2, outcome.output)
        (line,) = outcome.stderr.strip().splitlines()
        self.assertIn("The test database of alias 'default'", line)
        self.assertIn(f"{settings['NAME']!r} on {settings['HOST']}", line)
        self.assertIn(settings["NAME"], databases_on(settings))

    def test_pool_opened_before_the_run(self) -> None:
        settings = require_postgresql(self)
        try:
            import psycopg_pool  # noqa: F401
        except ImportError:
            self.skipTest("psycopg_pool is not installed")
        on_postgresql(settings, f'CREATE DATABASE "{settings["NAME"]}"')
        settings["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 4}}
        project = inner_project(
            self,
            """
            import unittest
            from django.db import connection

            class Plain(unittest.TestCase):
                def test_name(self):
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT current_database()")
                        self.assertTrue(cursor.fetchone()[0].startswith("test_"))
            """,
            f"DATABASES = {{'default': {settings!r}}}\nINSTALLED_APPS[-1] = 'app.apps.Config'\n",
            **{
                "app/apps.py": """
                    from django.apps import AppConfig
                    from django.db import connection

                    class Config(AppConfig):
                        name = "app"
                        def ready(self):
                            connection.ensure_connection()
                            connection.close()
                    """
            },
        )
        outcome = project.test()
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertNotIn(f"test_{settings['NAME']}", databases_on(settings))


class ServicesTest(unittest.TestCase):
    """A server that is missing skips a test with the reason; in CI it is a failure."""

    def test_missing_service(self) -> None:
        services: Any = (
            ("PostgreSQL", postgresql.DATABASES["default"], require_postgresql),
            ("MariaDB", mariadb.DATABASES["default"], require_mariadb),
        )
        for service, settings, require in services:
            missing = mock.patch.dict(settings, {"PORT": "1"})
            for ci, raised in (("", unittest.SkipTest), ("true", AssertionError)):
                with (
                    self.subTest(service, ci=ci),
                    missing,
                    mock.patch.dict(os.environ, {"CI": ci, "SANERUNNER_TEST_SERVERS": ""}),
                    self.assertRaisesRegex(raised, f"{service} is needed: ."),
                ):
                    require(self)


class MariaDBTest(unittest.TestCase):
    def test_real_database_stays_as_it_is(self) -> None:
        settings = require_mariadb(self)
        on_mariadb(settings, f"CREATE DATABASE `{settings['NAME']}`")
        on_mariadb(
            settings,
            "CREATE TABLE app_thing (id integer AUTO_INCREMENT PRIMARY KEY, name varchar(50))",
            "INSERT INTO app_thing (name) VALUES ('real')",
            database=settings["NAME"],
        )
        replica = {**settings, "HOST": "replica.invalid", "TEST": {"MIRROR": "default"}}
        project = inner_project(
            self,
            SERVER_TESTS.replace("SELECT NAME", "SELECT database()"),
            f"DATABASES = {{'default': {settings!r}, 'replica': {replica!r}}}\n",
        )
        outcome = project.test()
        self.assertEqual(outcome.returncode, 0, outcome.output)
        rows = on_mariadb(settings, "SELECT name FROM app_thing", database=settings["NAME"])
        self.assertEqual(rows, [("real",)])
        tables = on_mariadb(settings, "SHOW TABLES", database=settings["NAME"])
        self.assertEqual(tables, [("app_thing",)])
        self.assertNotIn(f"test_{settings['NAME']}", databases_on(settings))

    def test_name_of_a_real_database_is_refused(self) -> None:
        settings = require_mariadb(self)
        on_mariadb(settings, f"CREATE DATABASE `{settings['NAME']}`")
        for other in (
            {**settings, "TEST": {"NAME": settings["NAME"]}},
            {**settings, "NAME": "elsewhere", "OPTIONS": {"database": settings["NAME"]}},
        ):
            with self.subTest(other):
                project = inner_project(
                    self,
                    TestNameTest.DECLARED,
                    f"DATABASES = {{'default': {other!r}, 'real': {settings!r}}}\n",
                )
                outcome = project.test()
                self.assertEqual(outcome.returncode, 2, outcome.output)
                self.assertIn(settings["NAME"], outcome.stderr)
                self.assertIn(settings["NAME"], databases_on(settings))
