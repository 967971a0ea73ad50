"""HttpTestCase and plain classes with a live server, as a user runs them."""

from __future__ import annotations

import socket
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
        self.isolate(FILE_DATABASE, "--shuffle=1", "--keepdb", "--fail-on-leaks")

    def test_sqlite_in_memory(self) -> None:
        self.isolate(IN_MEMORY, "--shuffle=2")

    def test_postgresql(self) -> None:
        database = require_postgresql(self, "http")
        self.isolate(f"DATABASES = {{'default': {database!r}}}\n")

    def test_mariadb(self) -> None:
        database = require_mariadb(self, "http")
        self.isolate(f"DATABASES = {{'default': {database!r}}}\n")

    def test_mirrors_in_memory(self) -> None:
        """A request must not close the one session that there is."""
        tests = """
        class MirrorTest(HttpTestCase):
            databases = {"default", "replica"}

            def test_1(self):
                Thing.objects.create(name="oak")
                self.assertEqual(self.urlopen("/things/?from=replica").read(), b"oak")

            def test_2(self):
                self.assertEqual(self.urlopen("/things/?from=replica").read(), b"")
        """
        mirror = 'DATABASES["replica"] = {**DATABASES["default"], "TEST": {"MIRROR": "default"}}'
        outcome = http_project(self, tests, mirror).test()
        self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_without_rewinds(self) -> None:
        project = http_project(self, ISOLATED)
        classes = [f"app.tests.{name}Test" for name in ("Oak", "Empty", "Method")]
        outcome = project.test("--restore=flush", *classes)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("Ran 8 tests", outcome.stderr)

    def test_the_server_is_no_leak_of_the_first_test(self) -> None:
        for server in ("wsgi", "cheroot", "asgi"):
            with self.subTest(server):
                project = http_project(self, ISOLATED)
                arguments = ("--fail-on-leaks", f"--live-server={server}", "app.tests.MethodTest")
                outcome = project.test(*arguments)
                self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_under_django_runner(self) -> None:
        """There HttpTestCase stands on Django's own live server."""
        project = http_project(self, ISOLATED)
        runner = "--testrunner=django.test.runner.DiscoverRunner"
        outcome = project.test(runner, "app.tests.OakTest", "app.tests.EmptyTest")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("Ran 5 tests", outcome.stderr)


FAILING = """
class FailingTest(HttpTestCase):
    def test_1_a_view_raises(self):
        self.assertEqual(self.http.get("/boom/").status_code, 500)

    def test_2_urlopen_raises(self):
        self.urlopen("/boom/")

    def test_3_it_is_caught(self):
        with self.assertRaises(HTTPServerError) as caught:
            self.urlopen("/boom/")
        self.assertIn("LookupError: no such tree", str(caught.exception))
        self.assertIn(b"<h1>Server Error", caught.exception.read())

    def test_4_it_is_allowed(self):
        self.assertEqual(self.http.get("/boom/").status_code, 500)

    def test_5_other_errors_are_no_failure(self):
        with self.assertRaises(HTTPError) as caught:
            self.urlopen("/nothing/")
        self.assertEqual(caught.exception.code, 404)
        self.assertEqual(self.http.get("/nothing/").status_code, 404)

    test_4_it_is_allowed.raise_server_errors = False

class FixtureTest(HttpTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            urlopen(cls.url("/boom/"))
        except HTTPError as error:
            error.close()

    def test_1(self):
        pass

    def test_2(self):
        pass

class StockTest(LiveServerTestCase):
    def test(self):
        with self.assertRaises(HTTPError) as caught:
            urlopen(self.live_server_url + "/boom/")
        caught.exception.close()

class PlainTest(unittest.TestCase):
    start_live_server = True

    def test(self):
        with self.assertRaises(HTTPError) as caught:
            urlopen(self.url("/boom/"))
        caught.exception.close()
"""

LATE = """
def request(url):
    def work():
        try:
            read(url)
        except OSError:  # the server has hung up, or answered 503
            pass
    threading.Thread(target=work, daemon=True).start()
    assert views.entered.wait(60)

class LateTest(HttpTestCase):
    def setUp(self):
        views.entered.clear()
        views.go_on.clear()

    def test_1_leaves_a_request(self):
        request(self.url("/slow/?tree=oak"))

    def test_2_is_not_disturbed(self):
        views.go_on.set()
        self.assertEqual(self.urlopen("/things/").read(), b"")
        self.assertEqual(rows(), [])

    def test_3_is_not_either(self):
        self.assertEqual(rows(), [])

class StockTest(LiveServerTestCase):
    setUp = LateTest.setUp
    test_1 = LateTest.test_1_leaves_a_request
    url = lambda self, path: self.live_server_url + path

    def test_2(self):
        views.go_on.set()
        self.assertEqual(rows(), [])
"""


class ErrorsTest(unittest.TestCase):
    """What goes wrong on the server is the business of the test that has caused it."""

    def test_views_that_raise(self) -> None:
        project = http_project(self, FAILING)
        outcome = project.test("--junit=junit.xml")
        expected = {
            "test_1_a_view_raises": "error",
            "test_2_urlopen_raises": "error",
            "test_3_it_is_caught": "passed",
            "test_4_it_is_allowed": "passed",
            "test_5_other_errors_are_no_failure": "passed",
            "test_1": "error",
            "test_2": "passed",
            "test": "passed",
        }
        self.assertEqual(project.verdicts(), expected, outcome.output)
        self.assertIn("errors=3)", outcome.stderr)  # each of them is told once
        self.assertIn("GET /boom/ raised LookupError: no such tree\n", outcome.stderr)
        self.assertIn("HTTP Error 500: Internal Server Error (http://127.0.0.1:", outcome.stderr)
        self.assertEqual(outcome.stderr.count("in boom\n"), 3)

    def test_requests_that_outlive_their_test(self) -> None:
        project = http_project(self, LATE)
        outcome = project.test(
            "--junit=junit.xml", "--live-server-grace=0.1", "app.tests.LateTest"
        )
        expected = {
            "test_1_leaves_a_request": "error",
            "test_2_is_not_disturbed": "passed",
            "test_3_is_not_either": "passed",
        }
        self.assertEqual(project.verdicts(), expected, outcome.output)
        self.assertIn(
            "LateRequestError: app.tests.LateTest.test_1_leaves_a_request ended while the live "
            "server was answering GET /slow/?tree=oak (for 0.",
            outcome.stderr,
        )

    def test_in_memory_databases_are_not_written_to_either(self) -> None:
        project = http_project(self, LATE, settings="")
        outcome = project.test("--live-server-grace=0.1", "app.tests.LateTest")
        self.assertIn("FAILED (errors=1)", outcome.stderr, outcome.output)

    def test_stock_classes_are_warned(self) -> None:
        """Under Django's runner the test would pass; warnings are errors in an inner project."""
        project = http_project(self, LATE)
        outcome = project.test("--live-server-grace=0.1", "app.tests.StockTest")
        self.assertIn("FAILED (errors=1)", outcome.stderr, outcome.output)
        self.assertIn(
            "LateRequestWarning: app.tests.StockTest.test_1 ended while the live server",
            outcome.stderr,
        )


HANGING = """
class HangingTest(HttpTestCase):
    def test_hangs(self):
        self.urlopen("/hang/?for=ever")

    def test_next(self):
        self.urlopen("/things/")

    test_hangs.sane_timeout = 1
"""


class TimeoutTest(unittest.TestCase):
    """A view that never returns is named by the test's timeout."""

    def names_the_request(self, *options: str) -> None:
        project = http_project(self, HANGING)
        outcome = project.test("--junit=junit.xml", "--live-server-grace=0.1", *options)
        expected = {"test_hangs": "error", "test_next": "passed"}
        self.assertEqual(project.verdicts(), expected, outcome.output)
        self.assertRegex(
            outcome.stderr,
            r"TestTimeout: .*test_hangs.*, while the live server was answering "
            r"GET /hang/\?for=ever \(for \d+\.\d s\)",
        )

    def test_serial(self) -> None:
        self.names_the_request()

    def test_parallel(self) -> None:
        self.names_the_request("--parallel=2")


PLACES = """
import os

class FirstTest(HttpTestCase):
    def test(self):
        self.urlopen("/things/")
        with open("places.txt", "a") as file:
            file.write(f"{os.getpid()} {self.server_thread.port}\\n")

class SecondTest(FirstTest):
    pass

class ThirdTest(FirstTest):
    pass

class FourthTest(FirstTest):
    pass
"""

ADDRESS = """
class SaneTest(HttpTestCase):
    def test(self):
        pass

class PlainTest(unittest.TestCase):
    start_live_server = True

    def test(self):
        pass

class StockTest(LiveServerTestCase):
    def test(self):
        self.assertEqual(read(self.live_server_url + "/things/"), "")
"""


class ServerTest(unittest.TestCase):
    """There is one server for each process that runs tests."""

    def places(self, *options: str) -> set[str]:
        project = http_project(self, PLACES)
        outcome = project.test(*options)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        lines = (project.folder / "places.txt").read_text().splitlines()
        self.assertEqual(len(lines), 4)
        return set(lines)

    def test_serial(self) -> None:
        self.assertEqual(len(self.places()), 1)

    def test_parallel(self) -> None:
        """Workers take what comes, but never more than one server each."""
        places = [line.split() for line in self.places("--parallel=2")]
        processes, ports = ({place[index] for place in places} for index in (0, 1))
        self.assertEqual((len(processes), len(ports)), (len(places), len(places)))

    def test_an_address_that_is_taken(self) -> None:
        """Stock classes find another one, as under Django's runner."""
        project = http_project(self, ADDRESS)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            outcome = project.test("--junit=junit.xml", f"--live-server-port={port}")
        self.assertIn("FAILED (errors=2)", outcome.stderr, outcome.output)
        message = f"ServerError: The live server cannot listen on 127.0.0.1:{port}: port {port} is"
        self.assertEqual(outcome.stderr.count(message), 2)
        self.assertNotIn("Traceback", outcome.stderr)

    def test_every_server_isolates(self) -> None:
        for server in ("cheroot", "asgi"):
            for settings in (FILE_DATABASE, IN_MEMORY):
                with self.subTest(server, settings=settings):
                    outcome = http_project(self, ISOLATED, settings).test(
                        f"--live-server={server}"
                    )
                    self.assertEqual(outcome.returncode, 0, outcome.output)
