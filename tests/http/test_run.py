"""HttpTestCase and plain classes with a live server, as a user runs them."""

from __future__ import annotations

import unittest

from ..support.services import require_mariadb, require_postgresql
from .project import FILE_DATABASE, http_project

IN_MEMORY = ""

ISOLATED = """
class OakTest(HttpTestCase):
    @classmethod
    def setUpTestData(cls):
        cls.oak = Thing.objects.create(name="oak")

    def setUp(self):
        self.assertEqual(rows(), ["oak"])
        self.assertEqual(self.oak.name, "oak")
        self.oak.name = "changed in memory"

    def test_1_the_server_sees_class_data(self):
        self.assertEqual(self.urlopen("/things/").read(), b"oak")

    def test_2_and_writes(self):
        self.urlopen("/add/?name=elm").read()
        self.assertEqual(rows(), ["oak", "elm"])
        self.oak.delete()

    def test_3_what_the_test_commits_is_seen(self):
        Thing.objects.create(name="ash")
        self.assertEqual(self.urlopen("/things/").read(), b"oak,ash")

    def test_4_addresses(self):
        self.assertEqual(self.url("/things/"), self.live_server_url + "/things/")
        self.assertEqual(self.url(), self.live_server_url + "/")
        self.assertRegex(self.live_server_url, r"^http://(127.0.0.1|localhost):\\d+$")
        self.assertEqual(self.urlopen(self.url("/things/")).status, 200)

class EmptyTest(HttpTestCase):
    def test_nothing_is_left(self):
        self.assertEqual(rows(), [])
        self.assertEqual(read(self.url("/things/")), "")

class PlainTest(unittest.TestCase):
    start_live_server = True

    @classmethod
    def setUpClass(cls):
        Thing.objects.create(name="of the class")
        assert read(cls.url("/things/")) == "of the class"

    @classmethod
    def tearDownClass(cls):
        assert read(cls.url("/things/")) == "of the class"

    def test_1(self):
        read(self.live_server_url + "/add/")
        self.assertEqual(rows(), ["of the class", "new"])

    test_2 = test_3 = test_1

class MethodTest(unittest.TestCase):
    def test_1(self):
        read(self.url("/add/"))
        self.assertEqual(rows(), ["new"])

    def test_2_has_no_server(self):
        self.assertFalse(hasattr(self, "url"))

    test_1.start_live_server = True
    test_3 = test_1
"""


class IsolationTest(unittest.TestCase):
    """Each test finds what the class has committed, and nothing of the others."""

    def isolate(self, settings: str, *options: str) -> None:
        project = http_project(self, ISOLATED, settings)
        for arguments in ("--verify-rewind", "--reverse --parallel=2", *options):
            with self.subTest(arguments):
                outcome = project.test(*arguments.split())
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertIn("Ran 11 tests", outcome.stderr)

    def test_sqlite_file(self) -> None:
        self.isolate(
            FILE_DATABASE, "--shuffle=1", "--keepdb", "--fail-on-leaks", "--restore=flush"
        )

    def test_sqlite_in_memory(self) -> None:
        self.isolate(IN_MEMORY, "--shuffle=2")

    def test_postgresql(self) -> None:
        database = require_postgresql(self, "http")
        self.isolate(f"DATABASES = {{'default': {database!r}}}\n")

    def test_mariadb(self) -> None:
        database = require_mariadb(self, "http")
        self.isolate(f"DATABASES = {{'default': {database!r}}}\n")

    def test_under_django_runner(self) -> None:
        """There HttpTestCase stands on Django's own live server."""
        project = http_project(self, ISOLATED)
        runner = "--testrunner=django.test.runner.DiscoverRunner"
        outcome = project.test(runner, "app.tests.OakTest", "app.tests.EmptyTest")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("Ran 5 tests", outcome.stderr)
