"""--detect-leaks: every probe sees its leak, once, and none in ordinary tests."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import unittest
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.cache import cache
from django.test import SimpleTestCase, override_settings
from django.utils import timezone, translation

from sanerunner.behaviors.leaks import MAX_LINES, LeaksBehavior
from sanerunner.databases.baseline import Baselines
from sanerunner.events import Outcome

from .support.projects import InnerProject, inner_project
from .support.running import Ran, behaviors, run_classes
from .support.services import require_mariadb, require_postgresql

Body = Callable[[], Any]
LOCMEM = "django.core.cache.backends.locmem.LocMemCache"


def plugins(*, fail: bool = False) -> list[Any]:
    return [LeaksBehavior(Baselines(watched=True), fail=fail)]


def run_bodies(first: Body, second: Body = lambda: None, **options: Any) -> Ran:
    """Run a test with each body."""

    class Tests(unittest.TestCase):
        def test_1(self) -> None:
            first()

        def test_2(self) -> None:
            second()

    return run_classes(Tests, plugins=plugins(**options))


class ProbesTest(SimpleTestCase):
    def assert_leaks(self, body: Body, *lines: str) -> None:
        """The test with ``body`` has these leaks (regular expressions), the next one none."""
        ran = run_bodies(body)
        self.assertEqual(ran.outcomes, dict.fromkeys(("test_1", "test_2"), Outcome.PASSED))
        found = ran.finished["test_1"].leaks
        self.assertEqual(len(found), len(lines), found)
        for line, expected in zip(found, lines, strict=True):
            self.assertRegex(line, f"^{expected}$")
        self.assertEqual(ran.finished["test_2"].leaks, ())

    def assert_no_leaks(self, body: Body) -> None:
        self.assertEqual(run_bodies(body).finished["test_1"].leaks, ())

    def test_environment(self) -> None:
        def leak() -> None:
            os.environ["LEAK"] = "1"
            os.environ["LEAK_TOKEN"] = "secret"
            os.environ["KEPT"] = "b"
            del os.environ["GONE"]

        with mock.patch.dict(os.environ, {"KEPT": "a", "GONE": "c"}):
            self.assert_leaks(
                leak,
                "environment variable GONE: 'c' → not set",
                "environment variable KEPT: 'a' → 'b'",
                "environment variable LEAK: not set → '1'",
                r"environment variable LEAK_TOKEN: not set → '\*+'",
            )

        @mock.patch.dict(os.environ, {"TIDY": "1"})
        def tidy() -> None:
            os.environ["TIDY"] = "2"

        self.assert_no_leaks(tidy)

    def test_current_directory(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        with tempfile.TemporaryDirectory() as folder:
            self.assert_leaks(lambda: os.chdir(folder), "current directory: '.*' → '.*'")
            with tempfile.TemporaryDirectory() as gone:
                os.chdir(gone)
            self.assert_no_leaks(lambda: None)  # where there is none

    def test_import_path(self) -> None:
        self.addCleanup(sys.path.remove, "/leak")
        self.assert_leaks(lambda: sys.path.insert(0, "/leak"), "sys.path: not there → '/leak'")
        with mock.patch.object(sys, "path", list(sys.path)):
            self.assert_leaks(sys.path.reverse, "sys.path: the order has changed")

        @mock.patch.object(sys, "path", ["/else"])
        def tidy() -> None:
            sys.path.append("/tidy")

        self.assert_no_leaks(tidy)

    def test_settings(self) -> None:
        override = override_settings(APPEND_SLASH=False, LEAK=[1], SECRET_KEY="other")
        self.addCleanup(setattr, settings, "_wrapped", settings._wrapped)
        self.assert_leaks(
            override.enable,
            "setting APPEND_SLASH: True → False",
            r"setting LEAK: not set → \[1\]",
            r"setting SECRET_KEY: '\*+' → '\*+'",
        )

        @override_settings(LEAK=2)
        def tidy() -> None:
            self.assertEqual(settings.LEAK, 2)

        override.disable()
        self.assert_no_leaks(tidy)

    def test_settings_assigned_and_changed_in_place(self) -> None:
        with override_settings(NESTED={"a": [1]}, DELETED=1):

            def assign() -> None:
                settings.LEAK = "x"
                settings.NESTED["a"].append(2)
                del settings.DELETED

            self.assert_leaks(
                assign,
                "setting DELETED: 1 → not set",
                "setting LEAK: not set → 'x'",
                r"setting NESTED: \{'a': \[1\]\} → \{'a': \[1, 2\]\}",
            )
        databases = {**settings.DATABASES}
        with override_settings():
            self.assert_leaks(
                lambda: setattr(settings, "DATABASES", databases),
                r"setting DATABASES: '\*+' → '\*+'",
            )

    def test_language_and_time_zone(self) -> None:
        self.addCleanup(translation.activate, translation.get_language())
        self.addCleanup(timezone.deactivate)

        def leak() -> None:
            translation.activate("fr")
            timezone.activate("Asia/Tokyo")

        self.assert_leaks(
            leak,
            "active language: 'en' → 'fr'",
            "active time zone: '.*' → 'Asia/Tokyo'",
        )

        def tidy() -> None:
            with translation.override("de"), timezone.override("Europe/Prague"):
                pass

        self.assert_no_leaks(tidy)

    def test_threads(self) -> None:
        stop = threading.Event()
        self.addCleanup(stop.set)
        self.assert_leaks(
            threading.Thread(target=stop.wait, name="leak", daemon=True).start,
            "thread 'leak': not running → running",
        )
        ending = threading.Thread(target=stop.wait, args=[0.05])
        self.assert_no_leaks(ending.start)  # it has ended when a moment has passed
        of_a_server = threading.Thread(
            target=stop.wait, name="Thread-1 (process_request_thread)", daemon=True
        )
        self.assert_no_leaks(of_a_server.start)

    def test_logging(self) -> None:
        logger, root = logging.getLogger("tests.leaking"), logging.getLogger()
        handler = logging.StreamHandler()
        self.addCleanup(root.setLevel, root.level)
        self.addCleanup(root.removeHandler, handler)
        self.addCleanup(logger.setLevel, logging.NOTSET)
        self.addCleanup(setattr, logger, "propagate", True)
        self.addCleanup(logging.disable, logging.NOTSET)

        def leak() -> None:
            root.setLevel("DEBUG")
            root.addHandler(handler)
            logger.setLevel("ERROR")
            logger.propagate = False
            logging.disable("INFO")

        self.assert_leaks(
            leak,
            r"logging.disable\(\): NOTSET → INFO",
            "logger 'root', handlers: not there → <StreamHandler .*>",
            "logger 'root', level: WARNING → DEBUG",
            "logger 'tests.leaking', level: NOTSET → ERROR",
            "logger 'tests.leaking', propagate: True → False",
        )

        def tidy() -> None:
            with self.assertLogs("tests.tidy", "DEBUG"):
                logging.getLogger("tests.tidy").debug("x")
            logging.getLogger("tests.library").addHandler(logging.NullHandler())

        self.assert_no_leaks(tidy)

    def test_warning_filters(self) -> None:
        with warnings.catch_warnings():
            self.assert_leaks(
                lambda: warnings.simplefilter("ignore", BytesWarning),
                "warnings filter: not there → .*'ignore'.*BytesWarning.*",
            )

        def tidy() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", BytesWarning)

        self.assert_no_leaks(tidy)

    @override_settings(CACHES={"default": {"BACKEND": LOCMEM, "LOCATION": "leaks"}})
    def test_cache(self) -> None:
        cache.set("kept", 1)
        cache.set("gone", 1)
        cache.set("short", 1, timeout=0.001)

        def leak() -> None:
            cache.set("leak", 1)
            cache.set("kept", 2)
            cache.delete("gone")

        self.assert_leaks(
            leak,
            "cache 'default', key ':1:gone': set → not set",
            "cache 'default', key ':1:kept': set → another value",
            "cache 'default', key ':1:leak': not set → set",
        )

        def tidy() -> None:
            cache.get("kept")  # which makes it the most recent
            cache.set("tidy", 1)
            cache.delete("tidy")
            cache.set("expired", 1, timeout=-1)

        self.assert_no_leaks(tidy)

    def test_media_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder, override_settings(MEDIA_ROOT=folder):
            root = Path(folder)
            (root / "below").mkdir()
            (root / "below" / "kept").write_text("1")
            (root / "gone").write_text("12")

            def leak() -> None:
                (root / "leak").write_text("123")
                (root / "below" / "kept").write_text("12345")
                (root / "gone").unlink()

            self.assert_leaks(
                leak,
                "file '.*kept' in MEDIA_ROOT: 1 bytes → 5 bytes",
                "file 'gone' in MEDIA_ROOT: 2 bytes → not there",
                "file 'leak' in MEDIA_ROOT: not there → 3 bytes",
            )

            def tidy() -> None:
                (root / "tidy").write_text("1")
                (root / "tidy").unlink()

            self.assert_no_leaks(tidy)

    def test_many_lines_are_cut(self) -> None:
        names = [f"LEAK_{place:02}" for place in range(MAX_LINES + 3)]
        with mock.patch.dict(os.environ):
            ran = run_bodies(lambda: os.environ.update(dict.fromkeys(names, "1")))
        found = ran.finished["test_1"].leaks
        self.assertEqual((len(found), found[-1]), (MAX_LINES + 1, "… and 3 more"))


class BehaviorTest(SimpleTestCase):
    def test_costs_nothing_when_off(self) -> None:
        self.assertFalse([each for each in behaviors() if isinstance(each, LeaksBehavior)])
        self.assertIsInstance(behaviors(detect_leaks=True)[0], LeaksBehavior)
        self.assertIsInstance(behaviors(fail_on_leaks=True)[0], LeaksBehavior)

    def test_class_fixtures_are_not_blamed_on_tests(self) -> None:
        class Tests(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                os.environ["OF_CLASS"] = "1"

            @classmethod
            def tearDownClass(cls) -> None:
                os.environ["AFTER_CLASS"] = "1"

            def test_1(self) -> None:
                """Nothing is left by it."""

            def tearDown(self) -> None:
                os.environ.pop("OF_TEST", None)

            def test_2(self) -> None:
                os.environ["OF_TEST"] = "1"

        class Next(unittest.TestCase):
            def test_3(self) -> None:
                """Nothing either."""

        with mock.patch.dict(os.environ):
            ran = run_classes(Tests, Next, plugins=plugins(fail=True))
        self.assertEqual([event.leaks for event in ran.finished.values()], [()] * 3)
        self.assertTrue(ran.result.wasSuccessful())

    def test_fail(self) -> None:
        with mock.patch.dict(os.environ):
            ran = run_bodies(lambda: os.environ.update(LEAK="1"), fail=True)
        self.assertEqual(ran.outcomes, {"test_1": Outcome.ERRORED, "test_2": Outcome.PASSED})
        (failure,) = ran.finished["test_1"].failures
        self.assertEqual(failure.type, "LeakError")
        self.assertRegex(
            failure.message,
            r"\.test_1 left changed:\n  environment variable LEAK: not set → '1'$",
        )
        self.assertEqual(len(ran.finished["test_1"].leaks), 1)

    def test_a_skipped_and_a_failed_test_leak_too(self) -> None:
        def skip() -> None:
            os.environ["SKIPPED"] = "1"
            raise unittest.SkipTest("here")

        def fail() -> None:
            os.environ["FAILED"] = "1"
            raise AssertionError

        with mock.patch.dict(os.environ):
            ran = run_bodies(skip, fail)
        self.assertEqual(ran.outcomes, {"test_1": Outcome.SKIPPED, "test_2": Outcome.FAILED})
        self.assertEqual([len(event.leaks) for event in ran.finished.values()], [1, 1])


LEAKING = """
import os, unittest
from django.db import transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from app.models import Thing

class Plain(unittest.TestCase):
    test_type = "database"
    databases = {"default"}

    def test_1_writes(self): Thing.objects.create(name="left")
    def test_2_reads(self): self.assertEqual(Thing.objects.count(), 2)
    def test_3_adds_and_removes(self): Thing.objects.create(name="x").delete()
    def test_4_changes(self): Thing.objects.update(name="other")

class Simple(SimpleTestCase):
    databases = {"default"}
    def test_5_writes_too(self): Thing.objects.create(name="left")

class Environment(TestCase):
    def test_6(self):
        os.environ["LEAK"] = "1"
        print("before", end="")
"""

ORDINARY = """
import asyncio, logging, unittest
from urllib.request import urlopen
from django.core.cache import cache
from django.test import (LiveServerTestCase, SimpleTestCase, TestCase, TransactionTestCase,
    override_settings)
from django.utils import translation
from sanerunner import DestructiveDatabaseTestCase, NonIsolatedDestructiveDatabaseTestCase
from app.models import Thing

class Unit(SimpleTestCase):
    def test_settings(self):
        with self.settings(DEBUG=True, NEW=1): pass
    @override_settings(LANGUAGE_CODE="de", TIME_ZONE="Asia/Tokyo")
    def test_language(self):
        with translation.override("de"): pass
    async def test_async(self): await self.async_client.get("/")
    async def test_async_again(self): await asyncio.sleep(0)
    def test_client(self): self.client.get("/")
    def test_logs(self):
        with self.assertLogs("app", "INFO"): logging.getLogger("app").info("")

@override_settings(DEBUG=True)
class Rows(TestCase):
    fixtures = ()
    @classmethod
    def setUpTestData(cls): cls.thing = Thing.objects.create(name="class")
    def test_write(self): Thing.objects.create(name="x")
    def test_change(self): Thing.objects.update(name="x")
    async def test_async(self): self.assertEqual(await Thing.objects.acount(), 1)
    def test_queries(self):
        with self.assertNumQueries(1): Thing.objects.count()

class BeforeOthers(TransactionTestCase):  # by its name, as Django needs it here
    serialized_rollback = True
    def test_1(self): Thing.objects.create(name="x")
    def test_2(self): self.assertEqual(Thing.objects.count(), 0)

class Commits(TransactionTestCase):
    def test_1(self): Thing.objects.create(name="x")
    def test_2(self): self.assertEqual(Thing.objects.count(), 0)

class Live(LiveServerTestCase):
    def test_1(self): self.assertEqual(urlopen(self.live_server_url + "/count/").read(), b"0")
    def test_2(self):
        Thing.objects.create(name="x")
        self.assertEqual(urlopen(self.live_server_url + "/count/").read(), b"1")

class Destructive(DestructiveDatabaseTestCase):
    @classmethod
    def setUpTestData(cls): Thing.objects.create(name="class")
    def test_1(self): Thing.objects.create(name="x")
    def test_2(self): self.assertEqual(Thing.objects.count(), 1)

class Shared(NonIsolatedDestructiveDatabaseTestCase):
    def test_1(self): Thing.objects.create(name="x")
    def test_2(self): self.assertEqual(Thing.objects.count(), 1)

class Plain(unittest.TestCase):
    database_single_transaction = True
    def test_1(self): Thing.objects.create(name="x")

class PlainAtEnd(unittest.TestCase):
    database_single_transaction_at_end = True
    def test_1(self): Thing.objects.create(name="x")

class PlainFlush(unittest.TestCase):
    database_flush = True
    def test_1(self): Thing.objects.create(name="x")

class Reads(unittest.TestCase):
    test_type = "database"
    databases = {"default"}
    def test_1(self): Thing.objects.count()
"""

URLS = """
from django.http import HttpResponse
from django.urls import path
from app.models import Thing

def count(request):
    return HttpResponse(str(Thing.objects.count()))

urlpatterns = [path("", lambda request: HttpResponse("")), path("count/", count)]
"""


class InnerTest(unittest.TestCase):
    """Real runs: ``settings`` is text that configures the database."""

    def assert_rows_are_seen(self, settings: str) -> None:
        project = inner_project(self, LEAKING, settings)
        outcome = project.test("--detect-leaks", "--junit=junit.xml")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        changed = "  database 'default', table app_thing: rows as before → other rows"
        expected = ["Leaks: 4 tests left something changed", "-" * 70]
        for name, line in (
            ("test_6 (app.tests.Environment", "  environment variable LEAK: not set → '1'"),
            ("test_5_writes_too (app.tests.Simple", changed),
            ("test_1_writes (app.tests.Plain", changed),
            ("test_4_changes (app.tests.Plain", changed),
        ):
            expected += [name, line]
        section = outcome.stderr.partition("Leaks: ")[1:]
        lines = "".join(section).splitlines()[: len(expected)]
        self.assertEqual([a[: len(b)] for a, b in zip(lines, expected, strict=True)], expected)
        cases = {case.get("name"): case for case in project.xml().iter("testcase")}
        self.assertEqual(
            cases["test_6"].findtext("system-out"),
            "before\nLeft changed:\n  environment variable LEAK: not set → '1'\n",
        )
        self.assertIsNone(cases["test_2_reads"].find("system-out"))
        self.assert_failing(project)

    def assert_failing(self, project: InnerProject) -> None:
        outcome = project.test("--fail-on-leaks", "--junit=junit.xml", "--keep-going")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertIn("FAILED (errors=4)", outcome.stderr)
        verdicts = project.verdicts()
        self.assertEqual(verdicts["test_1_writes"], "error")
        self.assertEqual(verdicts["test_3_adds_and_removes"], "passed")
        self.assertIn("LeakError: app.tests.Environment.test_6 left changed:", outcome.stderr)
        self.assertNotIn("raise LeakError", outcome.stderr)  # no frames of the runner's own

    def assert_no_false_alarm(self, settings: str) -> None:
        settings += '\nROOT_URLCONF = "app.urls"\nSTATIC_URL = "static/"'
        project = inner_project(self, ORDINARY, settings, **{"app/urls.py": URLS})
        outcome = project.test("--fail-on-leaks")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertNotIn("Leaks", outcome.output)

    def assert_both(self, settings: str) -> None:
        self.assert_rows_are_seen(settings)
        self.assert_no_false_alarm(settings)
        self.assert_no_false_alarm(f'{settings}\nSANERUNNER["RESTORE"] = "flush"')

    def test_sqlite_in_memory(self) -> None:
        self.assert_both("")

    def test_sqlite_file(self) -> None:
        self.assert_both('DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "test.sqlite3"}')

    def test_postgresql(self) -> None:
        database = require_postgresql(self, "leaks")
        self.assert_both(f'DATABASES = {{"default": {database!r}}}')

    def test_mariadb(self) -> None:
        database = require_mariadb(self, "leaks")
        self.assert_both(f'DATABASES = {{"default": {database!r}}}')

    def test_a_database_that_is_used_undeclared(self) -> None:
        tests = """
            import unittest
            from app.models import Thing

            class Plain(unittest.TestCase):
                def test_1(self): Thing.objects.create(name="left")
                def test_2(self): Thing.objects.count()
        """
        outcome = inner_project(self, tests).test("--detect-leaks")
        self.assertIn("Leaks: 1 test left something changed", outcome.stderr)
        self.assertIn("table app_thing: rows as before", outcome.stderr)

    def test_a_transaction_that_is_left_open(self) -> None:
        tests = """
            import unittest
            from django.db import connection, transaction
            from app.models import Thing

            class Plain(unittest.TestCase):
                test_type = "database"
                databases = {"default"}
                def test_1(self):
                    transaction.set_autocommit(False)
                    Thing.objects.create(name="left")
                def test_2(self):
                    transaction.rollback()
                    transaction.set_autocommit(True)
        """
        outcome = inner_project(self, tests).test("--detect-leaks")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("Leaks: 1 test left something changed", outcome.stderr)
        self.assertIn("database 'default': readable → A session in database", outcome.stderr)

    def test_schema(self) -> None:
        tests = """
            import unittest
            from django.db import connection

            class Plain(unittest.TestCase):
                test_type = "database"
                databases = {"default"}
                def test_1(self): connection.cursor().execute("CREATE TABLE leak (id integer)")
        """
        outcome = inner_project(self, tests).test("--detect-leaks")
        self.assertIn("database 'default': schema as before → another", outcome.stderr)

    def test_what_cannot_be_seen_is_said(self) -> None:
        caches = """
            CACHES = {
                "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
                "files": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
                          "LOCATION": BASE_DIR / "cache"},
            }
        """
        outcome = inner_project(self, "", caches).test("--detect-leaks")
        self.assertIn("Leaks cannot be seen in: cache 'files' (FileBasedCache).", outcome.stderr)
