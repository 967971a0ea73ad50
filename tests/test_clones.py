"""Clones for workers, on real databases: made, used in another process, kept and destroyed."""

from __future__ import annotations

import json
import unittest
from contextlib import nullcontext
from typing import Any, ClassVar
from unittest import mock

from sanerunner.databases.clones import Clones

from .support.projects import InnerProject, inner_project
from .support.services import Settings, databases_on, require_mariadb, require_postgresql

MIGRATION = """
from django.db import migrations, models

def fill(apps, schema_editor):
    apps.get_model("app", "Thing").objects.create(name="migrated")

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Thing", [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=50)),
        ]),
        migrations.RunPython(fill),
    ]
"""

# Arguments: how many workers, then words: "keep", "anew", "flush" (no rewind), "discard".
COORDINATOR = """
import json, os, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

from django.db import connections
from sanerunner.databases.baseline import MIGRATED, Baselines
from sanerunner.databases.clones import Clones
from sanerunner.databases.making import Keeping
from sanerunner.databases.provisioning import Provisioner
from worker import work

def main():
    count, *words = sys.argv[1:]
    numbers = range(1, int(count) + 1)
    baselines = None if "flush" in words else Baselines()
    keeping = Keeping(project="p", keepdb="keep" in words, create_db="anew" in words)
    provisioner = Provisioner(interactive=False, keeping=keeping, baselines=baselines)
    with provisioner.guarded():
        layout = provisioner.require({"default": False})
        clones = Clones(
            guard=provisioner.guard, baselines=baselines, keepdb="keep" in words
        )
        clones.ensure(layout.databases, numbers)
        clones.ensure(layout.databases, numbers)  # they are there
        told = [clones.clone_of("default", number) for number in numbers]
        answers = []
        with ProcessPoolExecutor(len(told), mp_context=get_context("spawn")) as pool:
            answers = list(pool.map(work, told, [baselines is not None] * len(told)))
        from app.models import Thing
        own = [str(clones.settings_of("default", n)["NAME"]) for n in numbers]
        names = sorted(Thing.objects.values_list("name", flat=True))
        if baselines is not None:
            Thing.objects.create(name="coordinator")
            baselines.rewind(["default"], MIGRATED)
            assert sorted(Thing.objects.values_list("name", flat=True)) == names
        if "discard" in words:
            clones.discard(1)
            clones.ensure(layout.databases, numbers)
            answers += [work_again for work_again in _again(clones)]
        connections["default"].close()
        clones.destroy()
    print(json.dumps({"workers": answers, "coordinator": names, "names": own}))

def _again(clones):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool.submit(work, clones.clone_of("default", 1), True).result()

if __name__ == "__main__":
    main()
"""

WORKER = """
import os

def work(clone, rewinds):
    import django
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    django.setup()
    from threading import Thread
    from django.db import connection, connections
    from sanerunner.databases.baseline import MIGRATED, Baselines
    from sanerunner.databases.clone import use
    from sanerunner.databases.guard import ConnectionGuard
    from app.models import Thing

    captures = []
    class Watched(Baselines):
        def capture(self, aliases, state, **how):
            captures.append(state)
            super().capture(aliases, state, **how)

    guard = ConnectionGuard(lambda alias: None)
    guard.install()
    baselines = Watched(verify=True) if rewinds else None
    use(clone, baselines=baselines, guard=guard)

    def names():
        return sorted(Thing.objects.values_list("name", flat=True))

    found = [names()]
    Thing.objects.create(name=f"worker {clone.number}")
    elsewhere = []
    thread = Thread(target=lambda: (elsewhere.extend(names()), connections.close_all()))
    thread.start()
    thread.join()
    found.append(elsewhere)
    if rewinds:
        baselines.rewind(["default"], MIGRATED)
        found.append(names())
    Thing.objects.create(name="left behind")
    last = Thing.objects.latest("id").id
    replica = sorted(Thing.objects.using("replica").values_list("name", flat=True))
    if rewinds:
        baselines.detach("default", dropped=False)
    connections.close_all()
    guard.uninstall()
    return {"found": found, "captures": captures, "replica": replica, "last": last,
            "database": str(connection.settings_dict["NAME"])}
"""

START = ["migrated"]


class ClonesContract(unittest.TestCase):
    """Whatever the vendor."""

    resumes: ClassVar[bool] = True

    def database(self) -> Settings:
        raise NotImplementedError

    def setUp(self) -> None:
        self.settings = self.database()
        self.project = inner_project(
            self,
            settings=f"""
            _MAIN = {self.settings!r}
            DATABASES = {{
                "default": _MAIN,
                "replica": {{**_MAIN, "TEST": {{"MIRROR": "default"}}}},
            }}
            """,
            **{
                "app/migrations/__init__.py": "",
                "app/migrations/0001_initial.py": MIGRATION,
                "coordinate.py": COORDINATOR,
                "worker.py": WORKER,
            },
        )

    def coordinate(self, *words: str, project: InnerProject | None = None) -> dict[str, Any]:
        outcome = (project or self.project).python("coordinate.py", *words)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        answer: dict[str, Any] = json.loads(outcome.stdout)
        answer["stderr"] = outcome.stderr
        return answer

    def left(self) -> set[str]:
        """Return the databases that there are, but the real one."""
        raise NotImplementedError

    def check_workers(self, answer: dict[str, Any], count: int) -> None:
        self.assertEqual(len(answer["workers"]), count)
        for number, worker in enumerate(answer["workers"], start=1):
            mine = sorted([*START, f"worker {number}"])
            self.assertEqual(worker["found"], [START, mine, START])
            self.assertEqual(worker["replica"], sorted(["left behind", *START]))
            self.assertEqual(worker["last"], 2, "the counter was put back")
            self.assertEqual(worker["captures"], [] if self.resumes else ["migrated"])
        self.assertEqual(answer["coordinator"], START)
        names = [worker["database"] for worker in answer["workers"]]
        self.assertEqual(names, answer["names"])
        self.assertEqual(len(set(names)), count)

    def test_clones(self) -> None:
        answer = self.coordinate("3")
        self.check_workers(answer, 3)
        self.assertEqual(self.left(), set())

    def test_without_rewinds(self) -> None:
        answer = self.coordinate("2", "flush")
        for number, worker in enumerate(answer["workers"], start=1):
            self.assertEqual(worker["found"], [START, sorted([*START, f"worker {number}"])])
        self.assertEqual(self.left(), set())

    def test_the_clones_of_a_lost_worker(self) -> None:
        """They are made anew, for the worker that takes its place."""
        answer = self.coordinate("2", "discard")
        self.assertEqual(answer["workers"][2]["found"], answer["workers"][0]["found"])
        self.assertEqual(self.left(), set())


class KeptClonesContract(ClonesContract):
    """Clones that outlive a run."""

    def clone(self, *words: str, existing: int, made: int) -> None:
        answer = self.coordinate(str(existing + made), "keep", *words)
        self.check_workers(answer, existing + made)  # what was left behind is gone
        lines = answer["stderr"]
        self.assertEqual(lines.count("Using existing clone"), existing, lines)
        self.assertEqual(lines.count("Cloning test database"), made, lines)

    def test_kept_clones(self) -> None:
        self.clone(existing=0, made=2)
        self.assertGreaterEqual(len(self.left()), 3)
        self.clone(existing=2, made=0)
        self.clone(existing=2, made=1)

    def test_clones_follow_their_template(self) -> None:
        self.clone(existing=0, made=2)
        self.project.write("app/migrations/0001_initial.py", f"VERSION = 2\n{MIGRATION}")
        self.clone(existing=0, made=2)
        self.clone("anew", existing=0, made=2)  # the same fingerprint, but another database
        self.clone(existing=2, made=0)


class SQLiteFileClones(KeptClonesContract):
    def database(self) -> Settings:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "real.sqlite3",
            "TEST": {"NAME": "test.sqlite3"},
        }

    def left(self) -> set[str]:
        return {path.name for path in self.project.folder.glob("test*")}

    def test_a_damaged_clone_is_made_anew(self) -> None:
        self.clone(existing=0, made=2)
        (self.project.folder / "test_1.sqlite3").write_bytes(b"damaged" * 1000)
        self.clone(existing=1, made=1)

    def test_a_name_that_is_taken(self) -> None:
        other = "{**_MAIN, 'NAME': 'test_2.sqlite3', 'TEST': {'NAME': 'o'}}"
        settings = (self.project.folder / "settings.py").read_text()
        self.project.write("settings.py", f"{settings}\nDATABASES['other'] = {other}\n")
        outcome = self.project.python("coordinate.py", "2")
        self.assertIn(
            "UnsafeDatabaseError: The clone of database 'default' for worker 2", outcome.stderr
        )
        self.assertIn('DATABASES["default"]["TEST"]["NAME"]', outcome.stderr)


class SQLiteMemoryClones(ClonesContract):
    resumes = False

    def database(self) -> Settings:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": "real.sqlite3"}

    def left(self) -> set[str]:
        return {path.name for path in self.project.folder.glob("*sqlite3*")}


class MemoryImagesTest(unittest.TestCase):
    def test_no_image_is_written_twice(self) -> None:
        """The worker that takes a lost one's place may still be reading its own."""
        clones = Clones(guard=mock.Mock())
        self.addCleanup(clones.destroy)
        template = mock.Mock()
        template.database.configure_mock(alias="default", aliases=("default",))
        written: list[str] = []
        with mock.patch.object(clones, "_cloning", lambda template: nullcontext(written.append)):
            clones._make_in_memory(template, [1, 2])
            for lost in (1, 2):
                clones.discard(lost)
                clones._make_in_memory(template, [lost])
        self.assertEqual(len(set(written)), 3)


class PostgreSQLClones(KeptClonesContract):
    def database(self) -> Settings:
        settings = require_postgresql(self, "clones")
        self.addCleanup(self.drop_all)
        return settings

    def left(self) -> set[str]:
        return {name for name in databases_on(self.settings) if self.settings["NAME"] in name}

    def drop_all(self) -> None:
        from .support.services import on_postgresql

        for name in self.left():
            on_postgresql(self.settings, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class MariaDBClones(KeptClonesContract):
    def database(self) -> Settings:
        settings = require_mariadb(self, "clones")
        self.addCleanup(self.drop_all)
        return settings

    def left(self) -> set[str]:
        return {name for name in databases_on(self.settings) if self.settings["NAME"] in name}

    def drop_all(self) -> None:
        from .support.services import on_mariadb

        for name in self.left():
            on_mariadb(self.settings, f"DROP DATABASE IF EXISTS `{name}`")


def load_tests(loader: unittest.TestLoader, tests: object, pattern: object) -> unittest.TestSuite:
    """All but the contracts themselves."""
    classes = (SQLiteFileClones, SQLiteMemoryClones, PostgreSQLClones, MariaDBClones)
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, classes))
