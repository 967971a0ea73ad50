"""Databases that runs keep, and what later runs make of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from django.db.utils import ConnectionHandler

from sanerunner.databases.fingerprint import Fingerprint, Freshness, take_fingerprint
from sanerunner.databases.kept import judge, new_document
from sanerunner.databases.locks import DatabaseLocks
from sanerunner.databases.sites import Mark
from sanerunner.exceptions import DatabaseConfigurationError

from .support.projects import InnerProject, Outcome, inner_project
from .support.services import (
    databases_on,
    on_mariadb,
    on_postgresql,
    require_mariadb,
    require_postgresql,
)

FIRST = """
from pathlib import Path
from django.db import migrations, models

def note(apps, schema_editor):
    with open(Path(__file__).resolve().parents[2] / "migrated.txt", "a") as file:
        file.write("0001\\n")
    apps.get_model("app", "Thing").objects.create(name="migrated")

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Thing", [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=50)),
        ]),
        migrations.RunPython(note),
    ]
"""
SECOND = """
from pathlib import Path
from django.db import migrations

def note(apps, schema_editor):
    with open(Path(__file__).resolve().parents[2] / "migrated.txt", "a") as file:
        file.write("0002\\n")
    apps.get_model("app", "Thing").objects.create(name="second")

class Migration(migrations.Migration):
    dependencies = [("app", "0001_initial")]
    operations = [migrations.RunPython(note)]
"""
TESTS = """
from django.test import TestCase
from sanerunner import DestructiveDatabaseTestCase
from app.models import Thing

class Rows(TestCase):
    def test_rows(self):
        print("rows:", *Thing.objects.order_by("pk").values_list("pk", "name"))

class Commits(DestructiveDatabaseTestCase):
    def test_commits(self):
        self.assertFalse(Thing.objects.filter(name="committed").exists())
        Thing.objects.create(name="committed")
        {hook}
"""
DIES = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
WAITS = """open("inside", "w").close()
        import pathlib, time
        while not pathlib.Path("go on").exists(): time.sleep(0.05)"""


class Case(unittest.TestCase):
    settings: Any = None  # of the database, on a server
    line = ""  # that a run has written before it began to wait

    def passes(self, outcome: Outcome) -> Outcome:
        self.assertEqual(outcome.returncode, 0, outcome.output)
        return outcome

    def project(self, hook: str = "pass", **files: str) -> InnerProject:
        files = {
            "app/migrations/__init__.py": "",
            "app/migrations/0001_initial.py": FIRST,
            **files,
        }
        settings = f'SANERUNNER = {{"RESTORE": "rewind"}}\n{self.databases()}'
        project = inner_project(self, "", settings, **files)
        self.hook(project, hook)
        return project

    def databases(self) -> str:
        raise NotImplementedError

    def hook(self, project: InnerProject, hook: str) -> None:
        """Have the test that commits do more than that."""
        project.write("app/tests.py", TESTS.replace("{hook}", hook))

    def keep(self, project: InnerProject, *arguments: str, **options: Any) -> Outcome:
        return project.test("--keepdb", *arguments, **options)

    def verdict(self, outcome: Outcome) -> str:
        """Return what the line says that tells what was done with the database."""
        found = re.findall(rf"^{self.name}: (.*)$", outcome.stderr, re.M)
        self.assertEqual(len(found), 1, outcome.output)
        return str(found[0])

    def migrated(self, project: InnerProject) -> list[str]:
        """Return the migrations that have run since this was asked last."""
        path = project.folder / "migrated.txt"
        lines = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    @property
    def name(self) -> str:
        """The name of the test database in messages."""
        raise NotImplementedError

    @contextmanager
    def running(self, project: InnerProject, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A run that is in the middle of a test until the file "go on" is there."""
        process = project.start("manage.py", "test", "--noinput", *arguments)
        try:
            inside = project.folder / "inside"
            while not inside.exists():
                self.assertIsNone(process.poll(), "the run has ended too early")
            inside.unlink()
            yield process
        finally:
            if process.poll() is None:
                (project.folder / "go on").touch()
            process.communicate(timeout=60)

    @contextmanager
    def waiting(self, project: InnerProject, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A run that waits for another."""
        process = project.start("manage.py", "test", *arguments)
        try:
            assert process.stderr is not None
            line = ""
            while "waiting" not in line:
                line = process.stderr.readline()
                self.assertTrue(line, "the second run did not wait")
            self.line = line
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=60)


class KeptContract(Case):
    """What holds on every vendor."""

    ROWS = "rows: (1, 'migrated')"
    BOTH = "rows: (1, 'migrated') (2, 'second')"

    def exists(self, project: InnerProject, suffix: str = "") -> bool:
        raise NotImplementedError

    def make_foreign(self, project: InnerProject) -> None:
        """Make a database that has the test name, with a table "precious"."""
        raise NotImplementedError

    def is_foreign(self, project: InnerProject) -> bool:
        raise NotImplementedError

    def leftovers(self, project: InnerProject) -> list[str]:
        """Return all databases, and files, that are test databases or belong to one."""
        raise NotImplementedError

    def age(self, project: InnerProject) -> None:
        """Make the mark of the database two days older."""
        raise NotImplementedError

    def mark(self, text: str) -> str:
        """Return the text of a mark, two days older."""
        return re.sub(r'"used_at": (\d+)', lambda m: f'"used_at": {int(m[1]) - 172_800}', text)

    # Current

    def test_current(self) -> None:
        project = self.project()
        first = self.passes(self.keep(project))
        self.assertIn(self.ROWS, first.stdout)
        self.assertEqual(self.migrated(project), ["0001"])
        self.assertIn("Creating test database for alias 'default'", first.stderr)
        for _ in range(2):
            again = self.passes(self.keep(project))
            self.assertEqual(self.verdict(again), "current")
            self.assertIn("Using existing test database for alias 'default'", again.stderr)
            self.assertIn("Preserving test database for alias 'default'", again.stderr)
            self.assertIn(self.ROWS, again.stdout)
            self.assertEqual(self.migrated(project), [])
        self.passes(project.test())
        self.assertEqual(self.migrated(project), ["0001"])
        self.assertEqual(self.leftovers(project), [])

    def test_quiet(self) -> None:
        project = self.project()
        self.passes(self.keep(project, "-v0"))
        again = self.passes(self.keep(project, "-v0"))
        self.assertNotIn("current", again.stderr)
        self.assertEqual(self.migrated(project), ["0001"])

    def test_names_and_connections_are_as_django_leaves_them(self) -> None:
        project = self.project(
            "from django.conf import settings\n"
            "        from django.db import connection, connections\n"
            "        name = str(connection.settings_dict['NAME'])\n"
            "        self.assertIn('test', name)\n"
            "        self.assertEqual(str(settings.DATABASES['default']['NAME']), name)\n"
            "        self.assertIsNotNone(connection.connection)\n"
            "        self.assertFalse(hasattr(connection, '_test_serialized_contents'))\n"
        )
        tests = (project.folder / "app/tests.py").read_text()
        project.write("app/tests.py", tests.replace("class Commits", SERIALIZED + "class Commits"))
        for _ in range(2):
            self.passes(self.keep(project))

    def test_killed_in_the_middle_of_a_test(self) -> None:
        project = self.project()
        self.passes(self.keep(project))
        self.hook(project, DIES)
        self.assertEqual(self.keep(project).returncode, -signal.SIGKILL)
        self.hook(project, "pass")
        self.migrated(project)
        outcome = self.passes(self.keep(project))
        self.assertEqual(self.verdict(outcome), "current")
        self.assertIn(self.ROWS, outcome.stdout)
        self.assertEqual(self.migrated(project), [])

    def test_killed_with_another_schema(self) -> None:
        project = self.project(
            "from django.db import connection\n"
            "        connection.cursor().execute('DROP TABLE app_thing')\n        " + DIES
        )
        self.assertEqual(self.keep(project).returncode, -signal.SIGKILL)
        self.hook(project, "pass")
        outcome = self.passes(self.keep(project))
        self.assertEqual(self.verdict(outcome), "current")
        self.assertIn(self.ROWS, outcome.stdout)

    def test_killed_without_keepdb(self) -> None:
        project = self.project(DIES)
        self.assertEqual(project.test().returncode, -signal.SIGKILL)
        self.assertTrue(self.exists(project))
        self.hook(project, "pass")
        outcome = self.passes(project.run("test"))  # which would ask
        self.assertNotIn("Type 'yes'", outcome.output)
        self.assertEqual(self.leftovers(project), [])

    def test_killed_in_a_migration(self) -> None:
        project = self.project()
        project.write("app/migrations/0002_second.py", SECOND + f"\n    {DIES}\n")
        broken = SECOND.replace("    apps.", f"    {DIES}\n    apps.")
        project.write("app/migrations/0002_second.py", broken)
        for arguments in ([], ["--keepdb"]):
            with self.subTest(arguments):
                project.write("app/migrations/0002_second.py", broken)
                outcome = project.test(*arguments)
                self.assertEqual(outcome.returncode, -signal.SIGKILL, outcome.output)
                project.write("app/migrations/0002_second.py", SECOND)
                outcome = self.passes(project.run("test", *arguments))
                self.assertIn(self.BOTH, outcome.stdout)
                self.assertNotIn("Type 'yes'", outcome.output)

    # Behind and different

    def test_behind(self) -> None:
        project = self.project()
        self.passes(self.keep(project))
        self.hook(project, DIES)
        self.keep(project)  # dirty, when the migration comes
        self.hook(project, "pass")
        self.migrated(project)
        project.write("app/migrations/0002_second.py", SECOND)
        outcome = self.passes(self.keep(project))
        self.assertEqual(self.verdict(outcome), "1 new migration: app.0002_second")
        self.assertEqual(self.migrated(project), ["0002"])
        self.assertRegex(outcome.stdout, r"rows: \(1, 'migrated'\) \(\d+, 'second'\)")
        again = self.passes(self.keep(project))
        self.assertEqual(self.verdict(again), "current")
        self.assertEqual(self.migrated(project), [])
        # Another branch, and back.
        (project.folder / "app/migrations/0002_second.py").unlink()
        outcome = self.passes(self.keep(project))
        self.assertEqual(self.verdict(outcome), "rebuilt, migration app.0002_second was removed")
        self.assertIn(self.ROWS, outcome.stdout)
        self.assertEqual(self.migrated(project), ["0001"])

    def test_failing_new_migration(self) -> None:
        """What it has done is undone, when it has been corrected."""
        project = self.project()
        self.passes(self.keep(project))
        self.migrated(project)
        broken = SECOND.replace(
            "[migrations.RunPython(note)]",
            "[migrations.RunSQL('CREATE TABLE half (a int)'), migrations.RunPython(note),"
            " migrations.RunSQL('SELECT * FROM nowhere')]\n    atomic = False",
        )
        project.write("app/migrations/0002_second.py", broken)
        self.assertNotEqual(self.keep(project).returncode, 0)
        project.write("app/migrations/0002_second.py", SECOND)
        outcome = self.passes(self.keep(project))
        self.assertEqual(self.verdict(outcome), "1 new migration: app.0002_second")
        self.assertRegex(outcome.stdout, r"rows: \(1, 'migrated'\) \(\d+, 'second'\)")

    def test_new_migration_before_one_that_was_run(self) -> None:
        project = self.project(**{"app/migrations/0003_third.py": SECOND})
        self.passes(self.keep(project))
        fourth = SECOND.replace(
            "    operations", '    run_before = [("app", "0003_third")]\n    operations'
        )
        project.write("app/migrations/0004_fourth.py", fourth)
        outcome = self.passes(self.keep(project))
        self.assertIn("1 new migration: app.0004_fourth", outcome.stderr)
        self.assertIn(f"{self.name}: rebuilt, Migration app.0003_third is", outcome.stderr)

    def test_edited_migration(self) -> None:
        project = self.project()
        self.passes(self.keep(project))
        project.write("app/migrations/0001_initial.py", FIRST.replace('"migrated"', '"edited"'))
        outcome = self.passes(self.keep(project))
        self.assertEqual(self.verdict(outcome), "rebuilt, migration app.0001_initial changed")
        self.assertIn("rows: (1, 'edited')", outcome.stdout)
        self.assertIn("Creating test database for alias 'default'", outcome.stderr)

    def test_changed_settings(self) -> None:
        project = self.project()
        self.passes(self.keep(project))
        path = project.folder / "settings.py"
        path.write_text(path.read_text() + 'LANGUAGE_CODE = "cs"\n')
        self.assertRegex(self.verdict(self.passes(self.keep(project))), "rebuilt, .*LANGUAGE_CODE")

    def test_fingerprint_files(self) -> None:
        project = self.project(**{"rows.txt": "a"})
        path = project.folder / "settings.py"
        path.write_text(path.read_text() + 'SANERUNNER["FINGERPRINT_FILES"] = ["*rows.txt"]\n')
        self.passes(self.keep(project))
        project.write("rows.txt", "b")
        self.assertRegex(self.verdict(self.passes(self.keep(project))), "rebuilt, file .*rows.txt")

    def test_create_db(self) -> None:
        project = self.project()
        self.passes(self.keep(project))
        self.migrated(project)
        outcome = self.passes(self.keep(project, "--create-db"))
        self.assertEqual(self.verdict(outcome), "rebuilt, as --create-db asks")
        self.assertEqual(self.migrated(project), ["0001"])

    # What is not ours

    def test_foreign_database_is_asked_for(self) -> None:
        for arguments in ([], ["--keepdb"]):
            with self.subTest(arguments):
                project = self.project()
                self.make_foreign(project)
                refused = project.run("test", *arguments, answer="no\n")
                self.assertEqual(refused.returncode, 1, refused.output)
                self.assertIn("Type 'yes' if you would like to try deleting", refused.stdout)
                self.assertIn("Tests cancelled.", refused.stderr)
                self.assertTrue(self.is_foreign(project))
                outcome = self.passes(project.run("test", *arguments, answer="yes\n"))
                self.assertIn("Type 'yes' if you would like to try deleting", outcome.stdout)
                self.assertIn(self.ROWS, outcome.stdout)
                if arguments:
                    self.assertEqual(self.verdict(self.passes(self.keep(project))), "current")
                self.passes(project.test())
                self.assertEqual(self.leftovers(project), [])

    def test_foreign_database_and_noinput(self) -> None:
        project = self.project()
        self.make_foreign(project)
        outcome = self.passes(self.keep(project))
        self.assertIn("Destroying old test database", outcome.stderr)
        self.assertFalse(self.is_foreign(project))
        self.assertEqual(self.verdict(self.passes(self.keep(project))), "current")

    def test_database_that_has_replaced_ours(self) -> None:
        project = self.project()
        self.passes(self.keep(project))
        self.make_foreign(project)
        outcome = project.run("test", "--keepdb", answer="no\n")
        self.assertIn("Type 'yes' if you would like to try deleting", outcome.stdout)
        self.assertTrue(self.is_foreign(project))

    # Several runs

    def test_second_run_waits(self) -> None:
        for arguments in ([], ["--keepdb"]):
            with self.subTest(arguments):
                project = self.project(WAITS)
                with (
                    self.running(project, *arguments) as first,
                    self.waiting(project, *arguments) as second,
                ):
                    self.assertRegex(
                        self.line,
                        rf"^{self.name} is in use by another run \(pid {first.pid} on .+\); "
                        "waiting; --database-suffix gives this run its own$",
                    )
                    self.assertIsNone(first.poll())
                    (project.folder / "go on").touch()
                    self.assertEqual(first.wait(60), 0)
                    stdout, stderr = second.communicate(timeout=60)
                self.assertEqual(second.returncode, 0, stderr)
                self.assertNotIn("waiting", stderr)
                self.assertIn(self.ROWS, stdout)
                expected = ["0001"] if arguments else ["0001", "0001"]
                self.assertEqual(self.migrated(project), expected)
                self.passes(project.test())
                self.assertEqual(self.leftovers(project), [])

    def test_ctrl_c_while_waiting(self) -> None:
        project = self.project(WAITS)
        with self.running(project) as first, self.waiting(project) as second:
            second.send_signal(signal.SIGINT)
            _, stderr = second.communicate(timeout=60)
            self.assertEqual(second.returncode, 130, stderr)
            self.assertNotIn("Traceback", stderr)
            self.assertTrue(self.exists(project))
            (project.folder / "go on").touch()
            self.assertEqual(first.wait(60), 0)
        self.assertEqual(self.leftovers(project), [])

    def test_forked_children_leave_the_lock_alone(self) -> None:
        project = self.project(FORKS + WAITS)
        with self.running(project) as first, self.waiting(project):
            self.assertIsNone(first.poll())

    def test_orphan_of_a_killed_run_does_not_hold_the_lock(self) -> None:
        project = self.project(
            "import os, signal, time\n"
            "        if not os.fork():\n"
            "            os.setsid(); open('orphan', 'w').write(str(os.getpid()))\n"
            "            os.closerange(0, 3); time.sleep(60); os._exit(0)\n"
            "        while not os.path.exists('orphan') or not open('orphan').read(): pass\n"
            "        os.kill(os.getpid(), signal.SIGKILL)"
        )
        process = project.start("manage.py", "test", "--noinput")
        process.communicate(timeout=60)
        orphan = int((project.folder / "orphan").read_text())
        try:
            self.hook(project, "pass")
            outcome = self.passes(project.test())
            self.assertNotIn("waiting", outcome.stderr)
        finally:
            os.kill(orphan, signal.SIGKILL)

    def test_suffix(self) -> None:
        project = self.project(WAITS)
        with self.running(project):
            self.hook(project, "pass")
            outcome = self.passes(project.test("--keepdb", "--database-suffix=b"))
            self.assertNotIn("waiting", outcome.stderr)
            self.assertTrue(self.exists(project, "b"))
        self.assertFalse(self.exists(project))
        again = self.passes(project.test("--keepdb", "--database-suffix=b"))
        self.assertIn(": current", again.stderr)
        outcome = self.passes(
            project.test(
                "--keepdb", environment={"JENKINS_URL": "http://ci", "EXECUTOR_NUMBER": "3"}
            )
        )
        self.assertTrue(self.exists(project, "ci3"))

    # Pruning

    def test_prune(self) -> None:
        project = self.project(DIES)
        project.test("--database-suffix=old")
        self.assertTrue(self.exists(project, "old"))
        self.hook(project, "pass")
        young = self.passes(project.test("--prune-databases"))
        self.assertNotIn("removed", young.stderr + young.stdout)
        self.assertTrue(self.exists(project, "old"))
        self.age(project)
        other = self.other_project(project)
        self.passes(other.test("--prune-databases"))
        self.assertTrue(self.exists(project, "old"))
        outcome = self.passes(project.test("--prune-databases"))
        self.assertRegex(outcome.output, r"old\S*: removed, last used on [\d-]+ [\d:]+ UTC by pid")
        self.assertEqual(self.leftovers(project), [])

    def test_prune_leaves_what_a_run_uses(self) -> None:
        project = self.project(WAITS)
        with self.running(project, "--database-suffix=old"):
            self.age(project)
            self.hook(project, "pass")
            outcome = self.passes(project.test("--prune-databases"))
            self.assertRegex(outcome.output, r"old\S*: not removed, it is in use by another run")
            self.assertTrue(self.exists(project, "old"))

    def other_project(self, project: InnerProject) -> InnerProject:
        """Return a project on the same server, or in the same folder."""
        mine = self.settings
        other = self.project()
        self.settings = mine
        settings = (project.folder / "settings.py").read_text()
        other.write(
            "settings.py",
            settings.replace(
                "Path(__file__).resolve().parent", f"Path({str(project.folder)!r})", 1
            ),
        )
        return other


# A child that lets go of all that it has inherited, as one does that ends in the usual way.
FORKS = """import gc, os
        child = os.fork()
        if not child:
            from sanerunner.databases import sites
            for each in gc.get_objects():
                if isinstance(each, sites.Site):
                    vars(each).clear()
            gc.collect()
            os._exit(0)
        os.waitpid(child, 0)
        """
SERIALIZED = """
from django.test import TransactionTestCase

class Serialized(TransactionTestCase):
    serialized_rollback = True
    def test_serialized(self):
        self.assertEqual([thing.name for thing in Thing.objects.all()], ["migrated"])

"""


class SQLiteTest(KeptContract):
    name = "kept.test"

    def databases(self) -> str:
        return 'DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "kept.test"}\n'

    def path(self, project: InnerProject, suffix: str = "") -> Path:
        return project.folder / (f"kept_{suffix}.test" if suffix else "kept.test")

    def exists(self, project: InnerProject, suffix: str = "") -> bool:
        return self.path(project, suffix).exists()

    def make_foreign(self, project: InnerProject) -> None:
        self.path(project).write_text("precious")

    def is_foreign(self, project: InnerProject) -> bool:
        return self.path(project).read_bytes() == b"precious"

    def leftovers(self, project: InnerProject) -> list[str]:
        return sorted(path.name for path in project.folder.glob("kept*"))

    def age(self, project: InnerProject) -> None:
        path = project.folder / "kept_old.test.sane-run"
        path.write_text(self.mark(path.read_text()))


class PostgreSQLTest(KeptContract):
    def databases(self) -> str:
        self.settings = require_postgresql(self, "kept")
        return f"DATABASES = {{'default': {self.settings!r}}}\n"

    @property
    def name(self) -> str:
        return f"test_{self.settings['NAME']}"

    def exists(self, project: InnerProject, suffix: str = "") -> bool:
        return self.name + (suffix and f"_{suffix}") in databases_on(self.settings)

    def make_foreign(self, project: InnerProject) -> None:
        on_postgresql(
            self.settings,
            f'DROP DATABASE IF EXISTS "{self.name}"',
            f'CREATE DATABASE "{self.name}"',
        )
        on_postgresql(self.settings, "CREATE TABLE precious (a int)", database=self.name)

    def is_foreign(self, project: InnerProject) -> bool:
        sql = "SELECT 1 FROM pg_tables WHERE tablename = 'precious'"
        return bool(on_postgresql(self.settings, sql, database=self.name))

    def leftovers(self, project: InnerProject) -> list[str]:
        return [name for name in databases_on(self.settings) if name.startswith(self.name)]

    def age(self, project: InnerProject) -> None:
        name = f"{self.name}_old"
        ((text,),) = on_postgresql(
            self.settings,
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
            f" WHERE datname = '{name}'",
        )
        on_postgresql(self.settings, f"COMMENT ON DATABASE \"{name}\" IS '{self.mark(text)}'")

    def test_copy_is_not_trusted(self) -> None:
        project = self.project()
        self.passes(self.keep(project))
        comment = on_postgresql(
            self.settings,
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
            f" WHERE datname = '{self.name}'",
        )[0][0]
        on_postgresql(
            self.settings,
            f'ALTER DATABASE "{self.name}" RENAME TO "{self.name}_x"',
            f'CREATE DATABASE "{self.name}" TEMPLATE "{self.name}_x"',
            f"COMMENT ON DATABASE \"{self.name}\" IS '{comment}'",
        )
        outcome = self.passes(self.keep(project))
        self.assertEqual(self.verdict(outcome), "rebuilt, it is a copy of another database")


class MariaDBTest(KeptContract):
    def databases(self) -> str:
        self.settings = require_mariadb(self, "kept")
        return f"DATABASES = {{'default': {self.settings!r}}}\n"

    @property
    def name(self) -> str:
        return f"test_{self.settings['NAME']}"

    def exists(self, project: InnerProject, suffix: str = "") -> bool:
        return self.name + (suffix and f"_{suffix}") in databases_on(self.settings)

    def make_foreign(self, project: InnerProject) -> None:
        on_mariadb(
            self.settings,
            "DO SLEEP(1.1)",  # the ages of tables are in seconds
            f"DROP DATABASE IF EXISTS `{self.name}`",
            f"CREATE DATABASE `{self.name}`",
            f"CREATE TABLE `{self.name}`.precious (a int)",
        )

    def is_foreign(self, project: InnerProject) -> bool:
        sql = f"SHOW TABLES FROM `{self.name}` LIKE 'precious'"
        return bool(on_mariadb(self.settings, sql))

    def leftovers(self, project: InnerProject) -> list[str]:
        return [name for name in databases_on(self.settings) if name.startswith(self.name)]

    def age(self, project: InnerProject) -> None:
        table = f"`{self.name}_old_sane`.documents"
        ((text,),) = on_mariadb(self.settings, f"SELECT content FROM {table} WHERE name = 'mark'")
        text = self.mark(text).replace("\n", "\\n")
        on_mariadb(self.settings, f"UPDATE {table} SET content = '{text}' WHERE name = 'mark'")


del KeptContract


class FlushTest(Case):
    """Without baselines nothing can be compared."""

    name = "kept.test"

    def databases(self) -> str:
        return (
            'DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "kept.test"}\n'
            'SANERUNNER = {"RESTORE": "flush"}\n'
        )

    def test_keepdb_goes_djangos_way(self) -> None:
        project = self.project()
        first = self.passes(self.keep(project))
        self.assertEqual(
            self.verdict(first),
            "kept in Django's way, whatever it was made from: comparing it needs "
            'SANERUNNER["RESTORE"] = "rewind"',
        )
        self.migrated(project)
        project.write("app/migrations/0001_initial.py", FIRST.replace('"migrated"', '"edited"'))
        self.passes(self.keep(project))
        self.assertEqual(self.migrated(project), [])
        self.assertEqual(sorted(path.name for path in project.folder.glob("kept*")), ["kept.test"])


class UndeclaredTest(Case):
    """A database that undeclared use has written to is rewound."""

    name = "kept.test"

    def databases(self) -> str:
        return 'DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "kept.test"}\n'

    def test_rewound(self) -> None:
        project = self.project()
        tests = (project.folder / "app/tests.py").read_text()
        project.write(
            "app/tests.py",
            "import unittest\n" + tests + "\nclass Plain(unittest.TestCase):\n"
            "    def test_plain(self): Thing.objects.create(name='plain')\n",
        )
        outcome = self.passes(project.test())
        self.assertIn(
            "Test database 'default' is rewound: app.tests.Plain.test_plain used it without "
            "declaring it, outside of any isolation.",
            outcome.stderr,
        )
        self.assertIn("rows: (1, 'migrated')", outcome.stdout)
        self.assertEqual(self.migrated(project), ["0001"])
        self.assertEqual(list(project.folder.glob("kept*")), [])


class JudgeTest(unittest.TestCase):
    """What is trusted."""

    def setUp(self) -> None:
        from django.db import connection

        self.wanted = take_fingerprint(connection)

    def judged(self, **changes: Any) -> tuple[Freshness, str]:
        document = new_document(project="shop", fingerprint=self.wanted, server="here")
        document.update(changes)
        found = judge(document, project="shop", server="here", wanted=self.wanted)
        return found.freshness, found.reason

    def test_current(self) -> None:
        self.assertEqual(self.judged(), (Freshness.CURRENT, ""))

    def test_untrusted(self) -> None:
        for changes, reason in (
            ({"format": 0}, "another version of sanerunner has made it"),
            ({"project": "other"}, "it was made by project 'other'"),
            ({"server": "there"}, "it is a copy of another database"),
            ({"fingerprint": {}}, "nothing tells what it was made from"),
            ({"fingerprint": None}, "nothing tells what it was made from"),
        ):
            with self.subTest(changes):
                self.assertEqual(self.judged(**changes), (Freshness.DIFFERENT, reason))
        found = judge(None, project="shop", server="here", wanted=self.wanted)
        self.assertIs(found.freshness, Freshness.DIFFERENT)

    def test_other_fingerprint(self) -> None:
        other = Fingerprint({**self.wanted.ingredients, "Django": "1.0"})
        freshness, reason = self.judged(fingerprint=other.to_json())
        self.assertIs(freshness, Freshness.DIFFERENT)
        self.assertIn("Django 1.0", reason)


class MarkTest(unittest.TestCase):
    def test_text(self) -> None:
        mark = Mark("shop", made=True)
        self.assertEqual(Mark.from_text(mark.to_text()), mark)
        self.assertIn(str(os.getpid()), mark.run)

    def test_what_is_no_mark(self) -> None:
        for text in (None, "", "x", "[]", "{}", '{"project": 1}', "null"):
            with self.subTest(text):
                self.assertIsNone(Mark.from_text(text))


class LocksTest(unittest.TestCase):
    """The order in which locks are taken."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="locks-")
        self.addCleanup(folder.cleanup)
        self.lines: list[str] = []
        entries = {
            alias: {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(Path(folder.name, f"{alias}.sqlite3")),
            }
            for alias in ("default", "a", "b")
        }
        handler = ConnectionHandler(entries)
        patched = mock.patch("sanerunner.databases.locks.connections", handler)
        patched.start()
        self.addCleanup(patched.stop)
        self.folder = Path(folder.name)

    def locks(self) -> DatabaseLocks:
        locks = DatabaseLocks(self.lines.append)
        self.addCleanup(locks.release)
        return locks

    def held(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def test_all_declared_at_once(self) -> None:
        locks = self.locks()
        self.assertIs(locks.take("b", ["a", "b"]), locks.take("b"))
        self.assertEqual(self.held(), ["a.sqlite3.sane-run", "b.sqlite3.sane-run"])
        locks.release()
        self.assertEqual(self.held(), [])

    def test_undeclared_one_that_is_in_use(self) -> None:
        first, second = self.locks(), self.locks()
        first.take("a")
        second.take("b")
        with self.assertRaises(DatabaseConfigurationError) as caught:
            second.take("a")
        self.assertIn(
            f"a.sqlite3 is in use by another run (pid {os.getpid()} on", str(caught.exception)
        )
        self.assertIn("--database-suffix", str(caught.exception))
        first.release()
        self.assertIsNotNone(second.take("a"))

    def test_folder_that_is_not_there(self) -> None:
        self.folder.rmdir()
        locks = self.locks()
        self.assertIsNone(locks.take("a"))
        self.assertEqual(self.lines, [])  # whether it can be made will be seen
        self.folder.mkdir()
        for _ in range(2):
            locks.tell_of_missing("a")
        self.assertEqual(len(self.lines), 1)
        self.assertIn("a.sqlite3: no lock keeps other runs away from it", self.lines[0])
