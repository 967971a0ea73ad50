"""Django's own live server classes, served by the one server of the process."""

from __future__ import annotations

import unittest

from .project import http_project

TAKEN_OVER = """
from http.client import HTTPConnection
from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.test.testcases import LiveServerThread

PORTS, SOCKETS = [], set()
SHARED = "SharedServerThread"

class Stock(LiveServerTestCase):
    def of(self):
        return type(self.server_thread).__name__

class FirstTest(Stock):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        assert read(cls.live_server_url + "/things/") == ""

    @classmethod
    def tearDownClass(cls):
        assert read(cls.live_server_url + "/things/") == ""
        super().tearDownClass()

    def test_1(self):
        self.assertEqual(self.of(), SHARED)
        self.assertRegex(self.live_server_url, r"^http://localhost:\\d+$")
        self.assertEqual((self.server_thread.host, self.server_thread.error), ("localhost", None))
        self.assertTrue(self.server_thread.is_ready.is_set())
        PORTS.append(self.server_thread.port)
        Thing.objects.create(name="oak")
        self.assertEqual(read(self.live_server_url + "/things/"), "oak")
        read(self.live_server_url + "/add/")

    def test_2(self):
        self.assertEqual(rows(), [])

    def test_3_others_start_servers_as_django_does(self):
        other = type("Other", (LiveServerTestCase,), {})
        other._start_server_thread()
        try:
            self.assertNotEqual(other.live_server_url, self.live_server_url)
            self.assertEqual(read(other.live_server_url + "/things/"), "")
        finally:
            other.doClassCleanups()

class StaticTest(StaticLiveServerTestCase):
    of = Stock.of

    def test_static_files(self):
        self.assertEqual(self.of(), SHARED)
        self.assertEqual(PORTS, [self.server_thread.port])
        self.assertEqual(read(self.live_server_url + "/static/app/tree.txt"), "a tree")
        self.assertEqual(rows(), [])

class CollectedTest(Stock):
    def test_static_files_are_not_found(self):
        self.assertEqual(self.of(), SHARED)
        with self.assertRaises(HTTPError) as caught:
            read(self.live_server_url + "/static/app/tree.txt")
        caught.exception.close()

class MediaTest(Stock):
    def test_settings_are_no_media(self):
        for path in ("/settings.py", "/media/settings.py"):
            with self.assertRaises(HTTPError) as caught:
                read(self.live_server_url + path)
            caught.exception.close()

class Thread(LiveServerThread):
    pass

class KeptTest(Stock):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.connection = HTTPConnection("localhost", cls.server_thread.port)
        cls.addClassCleanup(cls.connection.close)

    def test_1_a_connection_goes_on_over_tests(self):
        self.connection.request("GET", "/things/")
        self.connection.getresponse().read()
        SOCKETS.add(self.connection.sock)
        self.assertEqual(len(SOCKETS), 1)

    test_2 = test_3 = test_1_a_connection_goes_on_over_tests

class ThreadTest(Stock):
    server_thread_class = Thread

    def test(self):
        self.assertEqual(self.of(), "Thread")
        self.assertNotEqual(PORTS, [self.server_thread.port])
        self.assertEqual(read(self.live_server_url + "/things/"), "")

class HostTest(Stock):
    host = "127.0.0.1"

    def test(self):
        self.assertEqual(self.of(), "LiveServerThread")
        self.assertEqual(read(self.live_server_url + "/things/"), "")

class MethodTest(Stock):
    @classmethod
    def _create_server_thread(cls, connections_override):
        cls.created = super()._create_server_thread(connections_override)
        return cls.created

    def test(self):
        self.assertIs(self.server_thread, self.created)
        self.assertEqual(read(self.live_server_url + "/things/"), "")
"""

IN_MEMORY = """
from django.db import transaction

class MemoryTest(LiveServerTestCase):
    def test_a_request_is_part_of_the_transaction(self):
        "The server's threads use the connection of the test, as with Django's server."
        with transaction.atomic():
            Thing.objects.create(name="oak")
            self.assertEqual(read(self.live_server_url + "/things/"), "oak")

class NextTest(HttpTestCase):
    def test_the_threads_are_not_confused(self):
        "Keep-alive connections go on over classes, and so do their threads."
        self.assertEqual(self.http.get("/add/").text, "added")
        self.assertEqual(rows(), ["new"])
"""


class StockTest(unittest.TestCase):
    def test_what_is_taken_over(self) -> None:
        files = {"app/static/app/tree.txt": "a tree"}
        project = http_project(self, TAKEN_OVER, **files)
        for options in ((), ("--live-server=cheroot",)):
            with self.subTest(options):
                outcome = project.test("--verify-rewind", *options)
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertIn("Ran 12 tests", outcome.stderr)

    def test_databases_in_memory(self) -> None:
        project = http_project(self, IN_MEMORY, settings="")
        outcome = project.test()
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("Ran 2 tests", outcome.stderr)
