"""A request never outlives its test, on any server and database."""

from __future__ import annotations

import gc
import http.client
import os
import socket
import subprocess
import sys
import threading
import warnings
from contextlib import closing
from typing import Any
from unittest import mock

from django.db import connections
from django.test import SimpleTestCase

from sanerunner.exceptions import ServerError
from sanerunner.servers.epochs import EpochOverError
from sanerunner.servers.process import ProcessServer
from sanerunner.servers.registry import SERVERS
from tests.shop.models import Category

from .contract import ROOT, ServerContract, for_each_server, require


def watching_wsgi(gate: Any, seen: list[str]) -> Any:
    def watching(environ: Any, start_response: Any) -> Any:
        seen.append(environ["PATH_INFO"])
        return gate(environ, start_response)

    return watching


def watching_asgi(gate: Any, seen: list[str]) -> Any:
    async def watching(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            seen.append(scope["path"])
        await gate(scope, receive, send)

    return watching


class ServingContract(ServerContract):
    def test_requests_pass_while_an_epoch_is_open(self) -> None:
        self.server.start()
        client = self.client_of_server()
        self.assertTrue(client.get("/ping/").startswith("503 "))
        for owner in ("first", "second"):
            self.server.open(owner)
            client = self.client_of_server()
            self.assertEqual(client.get("/ping/"), "pong")
            self.assertEqual(client.get("/ping/"), "pong")
            self.assertEqual(self.server.shut().owner, owner)
            self.assertTrue(client.get("/ping/").startswith("503 "))

    def test_a_test_and_its_server_see_each_other(self) -> None:
        client = self.open()
        Category.objects.using(self.served).create(name="of test")
        self.assertEqual(client.get(self.url("count/of/")), "1")
        self.assertEqual(client.get(self.url("create/of-view/")), "1")
        self.assertEqual(self.names(), {"of test", "of-view"})

    def test_requests_are_remembered(self) -> None:
        for urls in (["/nothing/"], ["/ping/?a=1", "/fail/"]):
            client = self.open()
            for url in urls:
                client.get(url)
            requests = self.server.shut().requests
        self.assertEqual(
            [(each.method, each.url, each.status) for each in requests],
            [("GET", "/ping/?a=1", 200), ("GET", "/fail/", 500)],
        )
        self.assertGreater(requests[0].milliseconds, 0)

    def test_what_was_begun_to_be_sent_before_is_not_answered(self) -> None:
        self.open()
        url = self.url("create/late/")
        for sent in (f"GET {url} HTT", f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1\r\n"):
            with socket.create_connection(("127.0.0.1", self.server.port)) as connection:
                connection.sendall(sent.encode())
                self.server.shut()
                self.server.open("the next")
                try:
                    connection.sendall(b"P/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                    self.assertNotIn(b"200", connection.recv(1000))
                except OSError:
                    pass  # it was reset
        self.assertEqual(self.server.shut().requests, ())
        self.assertEqual(self.names(), set())

    def test_what_a_view_raises_is_reported(self) -> None:
        client = self.open()
        self.assertTrue(client.get("/fail/?a=1").startswith("500 "))
        (failure,) = self.server.shut().errors
        self.assertEqual((failure.method, failure.url), ("GET", "/fail/?a=1"))
        self.assertEqual(
            (failure.type, failure.message), ("LookupError", "this view always fails")
        )
        self.assertIn('raise LookupError("this view always fails")', failure.traceback)
        self.server.open("another")
        self.assertEqual(self.server.shut().errors, ())

    def test_epoch_after_epoch(self) -> None:
        """Threads that answer in several of them have what they need in each."""
        clients = 40
        for epoch in range(3):
            self.server.open(f"epoch {epoch}")
            for number in range(clients):
                client = self.client_of_server()
                self.assertEqual(client.get(self.url(f"create/{epoch}-{number}/")), "1")
                client.close()
            closed = self.server.shut()
            self.assertEqual((closed.errors, closed.late), ((), ()))
            self.assertEqual(len(self.names()), (epoch + 1) * clients)

    def test_what_is_sent_between_epochs_is_read(self) -> None:
        self.server.start()
        client = self.client_of_server()
        for _ in range(3):
            self.assertTrue(client.post("/ping/", b"x" * 200_000).startswith("503 "))
        self.assertEqual(self.open().post("/ping/", b"x" * 200_000), "pong")

    def test_a_middleware_in_front_of_the_gate(self) -> None:
        """It sees what the gate refuses: the control of a server that is no test's."""
        seen: list[str] = []
        asks = watching_asgi if self.server.interface == "asgi" else watching_wsgi
        self.server = ProcessServer(self.kind, wrap=lambda gate: asks(gate, seen), renews=False)
        self.server.start()
        client = self.client_of_server()
        self.assertTrue(client.get("/ping/").startswith("503 "))
        self.server.open(self.id())
        self.assertEqual(client.get("/ping/"), "pong")  # over the same connection
        self.assertEqual(seen, ["/ping/", "/ping/"])

    def test_a_body_in_parts(self) -> None:
        self.assertEqual(self.open().get("/short/"), "one\ntwo\n")

    def test_nothing_is_open_when_a_client_has_left(self) -> None:
        client = self.open()
        client.send("/wait/x/")
        self.assertTrue(self.signals.reached.wait(30))
        client.reset()
        left: list[Any] = []
        with (
            mock.patch.object(
                sys, "unraisablehook", lambda each: left.append(str(each.exc_value))
            ),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("error", ResourceWarning)
            self.signals.proceed.set()
            self.server.shut(grace=30)
            self.server.stop()
            gc.collect()
        self.assertEqual(left, [])

    def test_requests_in_flight_are_waited_for(self) -> None:
        client, other = self.open(), self.client_of_server()
        client.send("/wait/x/")
        self.assertTrue(self.signals.reached.wait(30))
        (running,) = self.server.running()
        self.assertEqual((running.method, running.url), ("GET", "/wait/x/"))
        closed = []
        shutting = threading.Thread(target=lambda: closed.append(self.server.shut(grace=60)))
        shutting.start()
        while not other.get("/ping/").startswith("503 "):
            pass
        self.signals.proceed.set()
        shutting.join()
        self.assertEqual(closed[0].late, ())
        self.assertEqual(client.answer().read(), b"waited")
        self.assertEqual(
            [each.status for each in closed[0].requests if each.url == "/wait/x/"], [200]
        )

    def test_a_request_that_does_not_return_is_named(self) -> None:
        self.open().send("/wait/x/?a=1")
        self.assertTrue(self.signals.reached.wait(30))
        closed = self.server.shut(grace=0)
        (late,) = closed.late
        self.assertEqual((late.method, late.url), ("GET", "/wait/x/?a=1"))
        self.server.open("the next")
        self.assertEqual(self.client_of_server().get(self.url("create/y/")), "1")
        self.assertEqual(self.server.shut().late, ())

    def test_an_endless_body_is_not_waited_for(self) -> None:
        client = self.open()
        client.send("/stream/")
        self.assertTrue(self.signals.reached.wait(30))
        self.assertEqual(self.server.shut(grace=60).late, ())
        for _ in range(300):
            if self.signals.ended.wait(0.1):
                break
            gc.collect()  # Django leaves the end of async iterators to it
        self.assertTrue(self.signals.ended.is_set())
        with client.answer() as response:
            try:
                response.read()
            except (http.client.HTTPException, ConnectionError):
                pass  # as any answer that is cut off

    # Databases

    def assert_refused(self, path: str) -> None:
        """What ``path`` writes after the end of its epoch is refused, and disturbs nobody."""
        self.open().send(path)
        self.assertTrue(self.signals.reached.wait(30))
        self.server.shut(grace=0)
        names = self.names()
        self.assertEqual(names, set())
        Category.objects.using(self.served).create(name="of the next test")
        self.server.open("the next")
        self.assertEqual(self.client_of_server().get(self.url("create/next/")), "1")
        self.signals.proceed.set()
        self.assertTrue(self.signals.ended.wait(30))
        self.assertIsInstance(self.signals.error, EpochOverError)
        self.assertEqual(self.client_of_server().get(self.url("create/after/")), "1")
        self.server.shut()
        self.assertEqual(self.names(), {"of the next test", "next", "after"})

    def test_a_late_write(self) -> None:
        self.assert_refused(self.url("late/x/"))

    def test_a_late_write_in_a_transaction(self) -> None:
        self.assert_refused(self.url("late/x/", open="1"))

    def test_a_late_write_of_a_thread(self) -> None:
        self.assert_refused(self.url("thread/x/"))

    def test_a_late_commit(self) -> None:
        self.assert_refused(self.url("late/x/", commit="1"))

    def test_no_session_is_left(self) -> None:
        before = self.sessions()
        clients = [self.open(), *(self.client_of_server() for _ in range(5))]
        for number, client in enumerate(clients):
            self.assertEqual(client.get(self.url(f"create/{number}/")), "1")
        self.server.shut()
        while self.sessions() > before:
            pass  # a server takes note of the end of a session when it comes to it
        self.assertEqual(self.sessions(), before)

    def sessions(self) -> int:
        """Count the sessions in the database, where there is a server to ask."""
        connection = connections[self.served]
        sql = {
            "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = %s",
            "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = %s",
        }.get(connection.vendor)
        if sql is None:
            return 0
        with connection.cursor() as cursor:
            cursor.execute(sql, [connection.settings_dict["NAME"]])
            found: int = cursor.fetchone()[0]
        return found

    # The end

    def test_nothing_answers_after_the_end(self) -> None:
        clients = [self.open(), self.client_of_server(), self.client_of_server()]
        for client in clients[:2]:
            self.assertEqual(client.get("/ping/"), "pong")
        port = self.server.port
        self.server.stop()
        for client in clients[:2]:
            with self.assertRaises((http.client.HTTPException, OSError)):
                client.get("/ping/")
        with self.assertRaises(OSError), closing(socket.create_connection(("127.0.0.1", port))):
            pass
        self.assertEqual(set(threading.enumerate()) - self.threads, set())
        self.server.stop()  # again, which does nothing

    def test_it_starts_again(self) -> None:
        self.open()
        self.server.stop()
        self.assertEqual(self.open().get("/ping/"), "pong")

    def test_the_end_with_a_request_that_does_not_return(self) -> None:
        self.open().send("/wait/x/")
        self.assertTrue(self.signals.reached.wait(30))
        self.server.stop()
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", self.server.port or 9))

    def test_a_port_in_use(self) -> None:
        self.open()
        second = ProcessServer(self.kind, port=self.server.port)
        with self.assertRaises(ServerError) as caught:
            second.open("x")
        self.assertEqual(
            str(caught.exception),
            f"The live server cannot listen on 127.0.0.1:{self.server.port}: port "
            f"{self.server.port} is in use by another process. Set LIVE_SERVER_PORT to another "
            "port, or to 0 for any free one (--live-server-port); with --parallel each process "
            "needs its own.",
        )
        self.assertEqual(self.client_of_server().get("/ping/"), "pong")


class ExitTest(SimpleTestCase):
    """A request that never returns keeps no process from its end."""

    def test_each_server(self) -> None:
        for kind in SERVERS:
            with self.subTest(kind):
                require(kind)
                completed = subprocess.run(
                    [sys.executable, "-W", "error", "-c", NEVER_RETURNS, kind],
                    cwd=ROOT,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                    capture_output=True,
                    text=True,
                    timeout=120,
                )
                self.assertEqual((completed.returncode, completed.stderr), (0, ""))
                self.assertEqual(completed.stdout, "/wait/x/\n")


NEVER_RETURNS = """
import http.client
import sys
import threading

import django
from django.conf import settings

settings.configure(ROOT_URLCONF="tests.servers.views", INSTALLED_APPS=[
    "django.contrib.contenttypes", "tests.shop"])
django.setup()

from sanerunner.servers.process import ProcessServer
from tests.servers import views

views.signals.proceed.wait = lambda timeout: threading.Event().wait()
server = ProcessServer(sys.argv[1])
server.open("a test")
settings.ALLOWED_HOSTS = [server.host]
client = http.client.HTTPConnection(server.host, server.port)
client.request("GET", "/wait/x/")
views.signals.reached.wait()
print(server.shut(grace=0).late[0].url)
server.stop()
client.close()
"""


globals().update(for_each_server(ServingContract, files=True))
del ServingContract
