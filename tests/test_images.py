"""The image cache: its files, and runs that load what an earlier run has migrated."""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from sanerunner.databases.copies import ImageError
from sanerunner.databases.imagefiles import SUFFIX, ImageFile, image_file, prune
from sanerunner.databases.images import group_digest

from .support.projects import InnerProject, Outcome, inner_project
from .support.services import (
    Settings,
    databases_on,
    on_mariadb,
    on_postgresql,
    require_mariadb,
    require_postgresql,
)

DAY = 86400


class FilesTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.cache = self.folder / "cache"
        self.file = image_file(self.cache, "sqlite", "d1")
        self.image = self.folder / "image"
        self.image.write_bytes(b"line\n" * 1000)

    def read(self, file: ImageFile | None = None) -> bytes | None:
        target = self.folder / "read"
        return target.read_bytes() if (file or self.file).read(target) else None

    def test_round_trip(self) -> None:
        self.assertFalse(self.file.check())
        self.assertIsNone(self.read())
        self.file.write(self.image)
        self.assertTrue(self.file.check())
        self.assertEqual(self.read(), self.image.read_bytes())
        self.assertEqual([path.name for path in self.cache.iterdir()], ["sqlite-d1.sane-image"])

    def damage(self, change: Callable[[bytes], bytes], message: str) -> None:
        self.file.write(self.image)
        self.file.path.write_bytes(change(self.file.path.read_bytes()))
        for read in (self.read, self.file.check):
            with self.assertRaisesRegex(ImageError, message):
                read()
        self.file.write(self.image)
        self.assertTrue(self.file.check(), "it is replaced")

    def test_truncated(self) -> None:
        for length in (5, 40, 200, 3000):
            with self.subTest(length=length):
                message = "no image" if length < 17 else "damaged"
                self.damage(lambda content, n=length: content[:n], message)  # type: ignore[misc]

    def test_empty(self) -> None:
        self.damage(lambda content: b"", "no image")

    def test_longer(self) -> None:
        self.damage(lambda content: content + b"x", "damaged")

    def test_bit_flipped(self) -> None:
        def flip(content: bytes) -> bytes:
            return content[:-100] + bytes([content[-100] ^ 4]) + content[-99:]

        self.damage(flip, "damaged")

    def test_foreign(self) -> None:
        self.damage(lambda content: b"SQLite format 3\0" + content, "it is no image of a database")

    def test_another_version(self) -> None:
        self.damage(lambda content: content.replace(b'"format": 1', b'"format": 9'), "version")

    def test_renamed(self) -> None:
        """The image of another fingerprint, or vendor."""
        self.file.write(self.image)
        for other in (
            image_file(self.cache, "sqlite", "d2"),
            image_file(self.cache, "mysql", "d1"),
        ):
            self.file.path.replace(other.path)
            with self.assertRaisesRegex(ImageError, "another database"):
                other.check()
            other.path.replace(self.file.path)

    def test_writers_at_once(self) -> None:
        """Whoever comes last: the file is whole, all the time."""
        self.file.write(self.image)
        others = [self.folder / f"image{number}" for number in range(4)]
        for number, other in enumerate(others):
            other.write_bytes(bytes([number]) * 300_000)
        errors: list[Exception] = []

        def write(image: Path) -> None:
            try:
                for _ in range(10):
                    self.file.write(image)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=write, args=[other]) for other in others]
        for thread in threads:
            thread.start()
        found = set()
        while any(thread.is_alive() for thread in threads):
            found.add(self.read())
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        self.assertLessEqual(found, {each.read_bytes() for each in (self.image, *others)})
        self.assertEqual(len(list(self.cache.iterdir())), 1)

    def stored(self, digest: str, days_ago: float) -> Path:
        file = image_file(self.cache, "sqlite", digest)
        file.write(self.image)
        used = time.time() - days_ago * DAY
        os.utime(file.path, (used, used))
        return file.path

    def test_prune(self) -> None:
        kept = [self.stored("a", 1), self.stored("b", 29)]
        gone = [self.stored("c", 31)]
        foreign = self.cache / f"notes{SUFFIX}"
        foreign.write_text("not ours")
        os.utime(foreign, (0, 0))
        other = self.cache / "readme.txt"
        other.write_text("not ours")
        os.utime(other, (0, 0))
        killed = self.cache / f"sqlite-x{SUFFIX}.abc.new"
        killed.write_text("half")
        os.utime(killed, (0, 0))
        writing = self.cache / f"sqlite-y{SUFFIX}.abc.new"
        writing.write_text("half")
        prune(self.cache, newest=10, days=30)
        self.assertEqual(set(self.cache.iterdir()), {*kept, foreign, other, writing})
        self.assertFalse(gone[0].exists())

    def test_prune_by_number(self) -> None:
        kept = [self.stored("a", 2), self.stored("b", 1)]
        self.stored("c", 3)
        prune(self.cache, newest=2, days=30)
        self.assertEqual(set(self.cache.iterdir()), set(kept))

    def test_group(self) -> None:
        """What another database's migrations may write is part of a database's image."""
        self.assertEqual(group_digest({"default": "a"}, "default"), "a")
        both = {"default": "a", "other": "b"}
        digests = {
            group_digest(both, "default"),
            group_digest(both, "other"),
            group_digest({**both, "other": "c"}, "default"),
        }
        self.assertEqual(len(digests), 3)


MIGRATION = """
from pathlib import Path
from django.db import migrations, models

def fill(apps, schema_editor):
    with open(Path(__file__).resolve().parents[2] / "migrated.txt", "a") as file:
        file.write(schema_editor.connection.alias + "\\n")
    Thing = apps.get_model("app", "Thing")
    for name in ("Überfluß 'x' \\\\ \\"", "second", "third"):
        Thing.objects.using(schema_editor.connection.alias).create(name=name)
    Thing.objects.using(schema_editor.connection.alias).get(name="second").delete()

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Thing", [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=50)),
        ]),
        migrations.RunPython(fill),
    ]
"""

TESTS = """
import json
from django.apps import apps
from django.core.cache import cache
from django.db import connection
from django.test import TestCase, TransactionTestCase
from .models import Thing

def content():
    found = {}
    for model in apps.get_models():
        rows = model.objects.order_by("pk").values_list()
        found[model._meta.label] = [[str(value) for value in row] for row in rows]
    return found

class ATest(TestCase):
    def test_rows(self):
        names = connection.introspection.table_names()
        with open("rows.txt", "a") as file:
            new = Thing(name="new")
            found = content()
            new.save()
            print(json.dumps([found, new.id, sorted(names)], sort_keys=True), file=file)
        cache.set("key", 1)
        self.assertEqual(cache.get("key"), 1)

class BTest(TransactionTestCase):
    serialized_rollback = True
    def test_1(self):
        Thing.objects.all().delete()
    def test_2(self):
        self.assertEqual(Thing.objects.count(), 2)
"""

SETTINGS = """
DATABASES = {{"default": {settings!r}}}
CACHES = {{"default": {{
    "BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache_table"
}}}}
SANERUNNER = {{"IMAGE_CACHE": BASE_DIR / "images", "RESTORE": "{restore}"}}
"""


class ImageContract(unittest.TestCase):
    """Whatever the vendor."""

    restore: ClassVar[str] = "rewind"

    def database(self) -> Settings:
        raise NotImplementedError

    def setUp(self) -> None:
        self.settings = self.database()
        # Images on a server are found by what the database is made from, by any project.
        self.migration = f"TOKEN = {secrets.token_hex(8)!r}\n{MIGRATION}"
        self.project = self.make_project()
        self.images = self.project.folder / "images"

    def make_project(self) -> InnerProject:
        return inner_project(
            self,
            TESTS,
            SETTINGS.format(settings=self.settings, restore=self.restore),
            **{"app/migrations/__init__.py": "", "app/migrations/0001_initial.py": self.migration},
        )

    def run_tests(self, *arguments: str, **options: dict[str, str]) -> Outcome:
        outcome = self.project.test("app", *arguments, **options)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.forget_on_server()
        return outcome

    def forget_on_server(self) -> None:
        """Leave only the file, so that it is what the next run uses."""

    def migrations(self) -> list[str]:
        path = self.project.folder / "migrated.txt"
        return path.read_text().split() if path.exists() else []

    def rows(self) -> list[str]:
        return (self.project.folder / "rows.txt").read_text().splitlines()

    def image(self) -> Path:
        (image,) = self.images.glob(f"*{SUFFIX}")
        return image

    def test_the_second_run_migrates_nothing(self) -> None:
        first = self.run_tests()
        self.assertEqual(self.migrations(), ["default"])
        self.assertNotIn("Image cache", first.output)
        for _ in range(2):
            loaded = self.run_tests()
            self.assertEqual(self.migrations(), ["default"])
            self.assertIn("Creating test database for alias 'default'", loaded.stderr)
            self.assertNotIn("Image cache", loaded.output)
        self.assertEqual(len(set(self.rows())), 1, self.rows())
        self.assertIn("cache_table", self.rows()[0])

    def test_kept_databases(self) -> None:
        """A database that is not there yet is loaded, and then kept as any other."""
        self.run_tests()
        self.run_tests("--keepdb")
        self.assertEqual(self.migrations(), ["default"])
        self.run_tests("--keepdb")
        self.assertEqual(self.migrations(), ["default"])
        self.assertEqual(len(set(self.rows())), 1, self.rows())

    def test_another_migration(self) -> None:
        self.run_tests()
        source = self.migration.replace('"third"', '"third", "fourth"')
        self.project.write("app/migrations/0001_initial.py", source)
        tests = TESTS.replace("count(), 2", "count(), 3")
        self.project.write("app/tests.py", tests)
        self.run_tests()
        self.assertEqual(self.migrations(), ["default"] * 2)
        self.run_tests()
        self.assertEqual(self.migrations(), ["default"] * 2)
        self.assertEqual(len(list(self.images.iterdir())), 2)

    def test_a_damaged_file(self) -> None:
        self.run_tests()
        image = self.image()
        content = image.read_bytes()
        image.write_bytes(content[:-50] + bytes([content[-50] ^ 1]) + content[-49:])
        outcome = self.run_tests()
        self.assertEqual(outcome.output.count("Image cache:"), 1, outcome.output)
        self.assertIn(f"{image} is not used: it is damaged.", outcome.stderr)
        self.assertEqual(self.migrations(), ["default"] * 2)
        self.run_tests()
        self.assertEqual(self.migrations(), ["default"] * 2, "the image was replaced")
        self.assertEqual(len(set(self.rows())), 1, self.rows())

    def test_an_image_that_cannot_be_loaded(self) -> None:
        """What the checksum cannot tell: the vendor refuses it."""
        self.run_tests()
        image = self.image()
        vendor, digest = image.name.removesuffix(SUFFIX).split("-")
        nonsense = self.project.folder / "nonsense"
        nonsense.write_bytes(b"nonsense" * 1000)
        image_file(self.images, vendor, digest).write(nonsense)
        outcome = self.run_tests()
        self.assertIn("cannot be loaded, and is removed", outcome.stderr)
        self.assertEqual(self.migrations(), ["default"] * 2)
        self.run_tests()
        self.assertEqual(self.migrations(), ["default"] * 2)
        self.assertEqual(len(set(self.rows())), 1, self.rows())

    def test_a_folder_that_cannot_be_written(self) -> None:
        self.images.write_text("a file, no folder")
        outcome = self.run_tests()
        self.assertIn(f"Image cache: no image was stored in {self.images}", outcome.stderr)


class SQLiteMemoryImages(ImageContract):
    def database(self) -> Settings:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": "real.sqlite3"}

    def test_two_runs_at_once(self) -> None:
        """Both migrate, both store; a third loads."""
        self.project.write(
            "app/migrations/0001_initial.py",
            self.migration.replace(
                "    Thing = apps", "    import time; time.sleep(1)\n    Thing = apps"
            ),
        )
        threads = [threading.Thread(target=self.project.test, args=["app"]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.migrations(), ["default"] * 2)
        self.run_tests()
        self.assertEqual(self.migrations(), ["default"] * 2)
        self.assertEqual(len(list(self.images.iterdir())), 1)

    def test_several_databases(self) -> None:
        """One that has to be migrated means that all are: migrations may write to any."""
        settings = (self.project.folder / "settings.py").read_text()
        self.project.write(
            "settings.py",
            settings + "\nDATABASES['other'] = {\n"
            "    'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'other.sqlite3'}\n",
        )
        crossing = self.migration.replace(
            "    for name in",
            "    if schema_editor.connection.alias == 'other':\n"
            "        Thing.objects.using('default').create(name='from other')\n"
            "        return\n"
            "    for name in",
        )
        self.project.write("app/migrations/0001_initial.py", crossing)
        self.project.write(
            "app/tests.py",
            """
            from django.test import TestCase
            from .models import Thing

            class BothTest(TestCase):
                databases = {"default", "other"}
                def test_rows(self):
                    with open("rows.txt", "a") as file:
                        for alias in ("default", "other"):
                            names = Thing.objects.using(alias).values_list("name", flat=True)
                            print(*names, end="; ", file=file)
                        print(file=file)
        """,
        )
        self.run_tests()
        self.run_tests()
        self.assertEqual(sorted(self.migrations()), ["default", "other"])
        images = sorted(self.images.iterdir())
        self.assertEqual(len(images), 2)
        for image in images:
            image.write_bytes(b"")
            outcome = self.run_tests()
            self.assertIn("is not used: it is no image", outcome.stderr)
        self.assertEqual(sorted(self.migrations()), ["default"] * 3 + ["other"] * 3)
        self.assertEqual(len(set(self.rows())), 1, self.rows())
        self.assertIn("from other", self.rows()[0])


class FlushedImages(SQLiteMemoryImages):
    restore = "flush"


class SQLiteFileImages(ImageContract):
    def database(self) -> Settings:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "real.sqlite3",
            "TEST": {"NAME": "test.sqlite3"},
        }


class PostgreSQLFileImages(ImageContract):
    """Dumps, as on a new server."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.forget_on_server)  # while the files are there, which name them

    def database(self) -> Settings:
        return require_postgresql(self, "images")

    def test_a_folder_that_cannot_be_written(self) -> None:
        self.skipTest("the image on the server would stay: only a file tells its name")

    def images_on_server(self, settings: Settings) -> set[str]:
        return {name for name in databases_on(settings) if name.startswith("sane_image_")}

    def own_images(self) -> set[str]:
        """Return the images on the server that this test's project has made."""
        files = [path.name.removesuffix(SUFFIX) for path in self.images.glob(f"*{SUFFIX}")]
        named = {f"sane_image_{name.partition('-')[2][:40]}" for name in files}
        return self.images_on_server(self.settings) & named

    def forget_on_server(self) -> None:
        for name in self.own_images():
            on_postgresql(self.settings, f'DROP DATABASE IF EXISTS "{name}"')


class PostgreSQLServerImages(PostgreSQLFileImages):
    """Databases on the server; the files are what tells which are ours."""

    def run_tests(self, *arguments: str, **options: dict[str, str]) -> Outcome:
        outcome = self.project.test("app", *arguments, **options)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        return outcome

    def test_a_damaged_file(self) -> None:
        """It is not looked at."""
        self.run_tests()
        self.image().write_bytes(b"")
        outcome = self.run_tests()
        self.assertNotIn("Image cache", outcome.output)
        self.assertEqual(self.migrations(), ["default"])

    test_an_image_that_cannot_be_loaded = test_a_damaged_file

    def test_a_file_fills_the_server(self) -> None:
        self.run_tests()
        self.forget_on_server()
        self.assertEqual(self.own_images(), set())
        self.run_tests()
        self.assertEqual(len(self.own_images()), 1)
        self.assertEqual(self.migrations(), ["default"])

    def test_without_the_programs(self) -> None:
        self.run_tests()
        digest = self.image().name
        self.forget_on_server()
        self.image().unlink()
        outcome = self.run_tests(environment={"PATH": ""})
        self.assertEqual(outcome.output.count("Image cache:"), 1, outcome.output)
        self.assertIn("pg_dump is not installed (package postgresql-client)", outcome.stderr)
        outcome = self.run_tests(environment={"PATH": ""})
        self.assertEqual(self.migrations(), ["default"] * 2, "the image on the server is used")
        self.images.mkdir(exist_ok=True)
        (self.images / digest).touch()  # for what tidies up


class MariaDBImages(ImageContract):
    def database(self) -> Settings:
        settings = require_mariadb(self, "images")
        self.addCleanup(self.drop_all, settings)
        return settings

    def drop_all(self, settings: Settings) -> None:
        for name in databases_on(settings):
            if settings["NAME"] in name:
                on_mariadb(settings, f"DROP DATABASE IF EXISTS `{name}`")


def load_tests(loader: unittest.TestLoader, tests: object, pattern: object) -> unittest.TestSuite:
    """All but the contract itself."""
    classes = (
        *(FilesTest, SQLiteMemoryImages, FlushedImages, SQLiteFileImages),
        *(PostgreSQLFileImages, PostgreSQLServerImages, MariaDBImages),
    )
    return unittest.TestSuite(map(loader.loadTestsFromTestCase, classes))
