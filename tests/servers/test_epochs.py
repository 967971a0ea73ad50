"""A request never outlives its test, on any server and database."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import closing

from django.db import connections

from sanerunner.exceptions import ServerError
from sanerunner.servers.epochs import EpochOverError, ServedRequest
from sanerunner.servers.process import ProcessServer
from tests.shop.models import Category

from .contract import ServerContract, for_each_server


class ServingContract(ServerContract):
    def test_requests_pass_while_an_epoch_is_open(self) -> None:
        self.server.start()
        client = self.client_of_server()
        self.assertTrue(client.get("/ping/").startswith("503 "))
        self.server.open("first")
        self.assertEqual(client.get("/ping/"), "pong")
        self.assertEqual(self.server.shut().owner, "first")
        self.assertTrue(client.get("/ping/").startswith("503 "))
        self.server.open("second")
        self.assertEqual(client.get("/ping/"), "pong")
        self.assertEqual(self.server.shut().owner, "second")

    def test_a_test_and_its_server_see_each_other(self) -> None:
        client = self.open()
        Category.objects.using(self.served).create(name="of test")
        self.assertEqual(client.get(self.url("count/of/")), "1")
        self.assertEqual(client.get(self.url("create/of-view/")), "1")
        self.assertEqual(self.names(), {"of test", "of-view"})

    def test_requests_are_remembered(self) -> None:
        client = self.open()
        client.get("/ping/?a=1")
        client.get("/nothing/")
        self.server.shut()
        closed = self.again(lambda: (client.get("/ping/"), client.get("/fail/")))
        self.assertEqual(
            [(each.method, each.url, each.status) for each in closed],
            [("GET", "/ping/", 200), ("GET", "/fail/", 500)],
        )
        self.assertGreater(closed[0].milliseconds, 0)

    def again(self, work: object) -> tuple[ServedRequest, ...]:
        self.server.open("again")
        assert callable(work)
        work()
        return self.server.shut().requests

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

    def test_a_body_in_parts(self) -> None:
        self.assertEqual(self.open().get("/short/"), "one\ntwo\n")

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
        self.assertTrue(self.signals.ended.wait(30))
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


globals().update(for_each_server(ServingContract, files=True))
del ServingContract
