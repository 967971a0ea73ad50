"""The parts of live servers for tests: which classes share one, what is told, clients."""

from __future__ import annotations

import io
import sys
import tempfile
import unittest
from email.message import Message
from pathlib import Path
from typing import Any
from unittest import mock

from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.db import connections
from django.test import LiveServerTestCase, override_settings
from django.test.testcases import LiveServerThread

from sanerunner import HTTPServerError, HttpTestCase
from sanerunner.behaviors.service import LateRequestWarning, Service
from sanerunner.behaviors.sharing import around_tear_down, can_share, stock_application
from sanerunner.clients import extras
from sanerunner.exceptions import LateRequestError, ViewError
from sanerunner.servers import journal
from sanerunner.servers.epochs import Closed, LateRequest, ServerFailure
from sanerunner.servers.journal import Journal, Running


class OtherThread(LiveServerThread):
    pass


class CanShareTest(unittest.TestCase):
    def shares(self, base: Any, *server: str, **own: Any) -> bool:
        interface, host = server or ("wsgi", "127.0.0.1")
        return can_share(type("Made", (base,), own), interface=interface, host=host)

    def test_classes_as_they_are(self) -> None:
        for base in (LiveServerTestCase, StaticLiveServerTestCase, HttpTestCase):
            with self.subTest(base):
                self.assertTrue(self.shares(base))

    def test_classes_that_have_changed_their_server(self) -> None:
        for own in (
            {"host": "127.0.0.1"},
            {"port": 8099},
            {"server_thread_class": OtherThread},
            {"static_handler": lambda application: application},
            {"_create_server_thread": classmethod(lambda cls, override: None)},
            {"_make_connections_override": classmethod(lambda cls: {})},
            {"_terminate_thread": classmethod(lambda cls: None)},
        ):
            for base in (LiveServerTestCase, HttpTestCase):
                with self.subTest(base, own=own):
                    self.assertFalse(self.shares(base, **own))

    def test_servers_that_a_stock_class_could_tell_from_its_own(self) -> None:
        for interface, host in (("asgi", "127.0.0.1"), ("wsgi", "10.0.0.7")):
            with self.subTest(interface, host=host):
                self.assertFalse(self.shares(LiveServerTestCase, interface, host))
                self.assertTrue(self.shares(HttpTestCase, interface, host))


class StockApplicationTest(unittest.TestCase):
    def answer(self, path: str) -> int:
        application = stock_application(LiveServerTestCase, {})
        statuses: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "wsgi.input": io.BytesIO(),
        }
        body = application(environ, lambda status, headers: statuses.append(status))
        list(body)
        body.close()
        return int(statuses[0][:3])

    @override_settings(STATIC_URL="/static/", MEDIA_URL="/media/", ALLOWED_HOSTS=["*"])
    def test_media_are_those_of_media_root(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "leaf.txt").touch()
            with override_settings(MEDIA_ROOT=folder):
                self.assertEqual(self.answer("/media/leaf.txt"), 200)
            with override_settings(MEDIA_ROOT=""), mock.patch("os.getcwd", lambda: folder):
                self.assertEqual(self.answer("/media/leaf.txt"), 404)

    def test_threads_use_shared_connections_for_a_request(self) -> None:
        shared, before = object(), connections["default"]
        self.addCleanup(connections.__setitem__, "default", before)
        seen = []

        def handle(application: Any) -> Any:
            def answer(environ: Any, start: Any) -> list[bytes]:
                seen.append(connections["default"])
                return [b"leaf"]

            return answer

        made: Any = type("Made", (LiveServerTestCase,), {"static_handler": staticmethod(handle)})
        sharing: Any = {"default": shared}
        body = stock_application(made, sharing)({}, None)
        self.assertEqual(list(body), [b"leaf"])
        self.assertEqual((seen, connections["default"]), ([shared], shared))
        body.close()
        self.assertIsNot(connections["default"], shared)


class TearDownTest(unittest.TestCase):
    def test_it_is_wrapped_and_put_back(self) -> None:
        calls: list[str] = []

        class Base(unittest.TestCase):
            @classmethod
            def tearDownClass(cls) -> None:
                calls.append(f"{cls.__name__} down")

        class Inherits(Base):
            pass

        for test_class in (Base, Inherits):
            own = vars(test_class).get("tearDownClass")
            opened = mock.MagicMock()
            opened.return_value.__enter__.side_effect = lambda: calls.append("open")
            opened.return_value.__exit__.side_effect = lambda *args: calls.append("shut")
            with around_tear_down(test_class, opened):
                test_class.tearDownClass()
            self.assertEqual(calls, ["open", f"{test_class.__name__} down", "shut"])
            self.assertIs(vars(test_class).get("tearDownClass"), own)
            calls.clear()


class FakeServer:
    """What a Service uses of a ProcessServer."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, bool]] = []
        self.failed: list[ServerFailure] = []
        self.late: tuple[LateRequest, ...] = ()
        self.is_open = False

    def open(self, owner: str, *, application: Any, as_django: bool) -> None:
        self.opened.append((owner, as_django))
        self.is_open = True

    def shut(self) -> Closed:
        self.is_open = False
        failed, self.failed = tuple(self.failed), []
        return Closed(self.opened[-1][0], self.late, failed)

    def errors(self) -> tuple[ServerFailure, ...]:
        return tuple(self.failed)


def failure(url: str) -> ServerFailure:
    return ServerFailure("GET", url, "ValueError", "no tree", f"Traceback of {url}")


class ServiceTest(unittest.TestCase):
    def setUp(self) -> None:
        self.server: Any = FakeServer()

    def service(self, *, sane: bool = True) -> Service:
        return Service(self.server, "shop.Test", mock.sentinel.application, sane=sane)

    def test_who_it_is_open_for(self) -> None:
        service = self.service()
        service.open()
        service.open("shop.Test.test_a")
        self.assertEqual(self.server.opened, [("shop.Test", False), ("shop.Test.test_a", False)])
        self.service(sane=False).open()
        self.assertEqual(self.server.opened[-1], ("shop.Test", True))

    def test_failures(self) -> None:
        service = self.service()
        service.open()
        self.server.failed = [failure("/a/"), failure("/b/")]
        first, second = service.shut(fails=True)
        self.assertIsInstance(first, ViewError)
        self.assertEqual(str(first), "GET /a/ raised ValueError: no tree\n\nTraceback of /a/")
        self.assertIn("GET /b/", str(second))
        self.assertEqual(service.shut(fails=True), [])

    def test_failures_that_are_allowed(self) -> None:
        service = self.service()
        service.open()
        self.server.failed = [failure("/a/")]
        self.assertEqual(service.shut(fails=False), [])

    def test_what_a_client_has_raised_is_not_told_again(self) -> None:
        service = self.service()
        service.open()
        self.server.failed = [failure("/a/"), failure("/b/")]
        told = service.tell_failures()
        self.assertEqual(told, "GET /a/:\nTraceback of /a/\n\nGET /b/:\nTraceback of /b/")
        self.assertEqual(service.tell_failures(), "")
        self.server.failed.append(failure("/c/"))
        (problem,) = service.shut(fails=True)
        self.assertIn("GET /c/", str(problem))
        service.open()
        self.server.failed = [failure("/d/")]
        self.assertEqual(len(service.shut(fails=True)), 1)

    def test_the_fixtures_of_the_class_are_the_affair_of_the_first_test(self) -> None:
        service = self.service()
        with service.fixtures():
            self.server.failed = [failure("/fixture/")]
        service.open("shop.Test.test_a")
        self.assertEqual(len(service.shut(fails=True)), 1)
        self.assertEqual(service.shut(fails=True), [])

    def test_late_requests(self) -> None:
        service = self.service()
        service.open("shop.Test.test_a")
        self.server.late = (LateRequest("GET", "/slow/", 2.04), LateRequest("POST", "/x/", 0.5))
        (problem,) = service.shut(fails=False)
        self.assertIsInstance(problem, LateRequestError)
        self.assertIn(
            "shop.Test.test_a ended while the live server was answering GET /slow/ (for 2.0 s), "
            "POST /x/ (for 0.5 s).",
            str(problem),
        )

    def test_stock_classes_are_warned_of_them(self) -> None:
        service = self.service(sane=False)
        service.open("shop.Test.test_a")
        self.server.late = (LateRequest("GET", "/slow/", 2.0),)
        with self.assertWarnsRegex(LateRequestWarning, "test_a ended while .* GET /slow/"):
            self.assertEqual(service.shut(fails=False), [])


class JournalTest(unittest.TestCase):
    def test_nothing(self) -> None:
        self.assertEqual(Journal().describe(), "")

    def test_in_a_file_for_others(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "requests")
            mine = Journal()
            self.addCleanup(mine.close)
            mine.write_to(path)
            requests = (Running("GET", "/a b/?x=%20é", 12.5), Running("POST", "/", 13.25))
            mine.note(requests)
            self.assertEqual(journal.read(path), requests)
            mine.note(requests[1:])
            self.assertEqual(journal.read(path), requests[1:])
            mine.note(())
            self.assertEqual(journal.read(path), ())

    def test_as_a_clause(self) -> None:
        with mock.patch("time.monotonic", lambda: 20.0):
            text = journal.described([Running("GET", "/a/", 12.5), Running("GET", "/b/", 19.75)])
        self.assertEqual(
            text, ", while the live server was answering GET /a/ (for 7.5 s), GET /b/ (for 0.2 s)"
        )


class ClientsTest(unittest.TestCase):
    def test_the_message_has_the_traceback(self) -> None:
        error = HTTPServerError("http://a/", 500, "broken", Message(), io.BytesIO())
        self.addCleanup(error.close)
        self.assertEqual(str(error), "HTTP Error 500: broken (http://a/)")
        error.traceback = "GET /:\nTraceback"
        self.assertEqual(str(error), "HTTP Error 500: broken (http://a/)\n\nGET /:\nTraceback")

    def test_a_package_that_is_missing_is_named_with_its_extra(self) -> None:
        with mock.patch.dict(sys.modules, {"httpx": None}):  # type: ignore[dict-item]
            sys.modules.pop("sanerunner.clients.http", None)
            with self.assertRaisesRegex(unittest.SkipTest, r"pip install 'sanerunner\[http\]'"):
                extras.load("http", needs="httpx", extra="http")

    def test_what_it_needs_itself_is_another_matter(self) -> None:
        with mock.patch.dict(sys.modules, {"httpx": None}):  # type: ignore[dict-item]
            sys.modules.pop("sanerunner.clients.http", None)
            with self.assertRaises(ModuleNotFoundError):
                extras.load("http", needs="something_else", extra="http")
