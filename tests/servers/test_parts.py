"""The parts of live servers that need no server to be tried."""

from __future__ import annotations

import socket
import sys
import threading
import unittest
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from django.db import DatabaseError, OperationalError, connections, transaction
from django.test import SimpleTestCase

from sanerunner import DestructiveDatabaseTestCase
from sanerunner.databases.sqlite.turns import Turn
from sanerunner.exceptions import ServerError
from sanerunner.servers.base import ASGI, WSGI, listen
from sanerunner.servers.connections import ThreadConnections
from sanerunner.servers.epochs import (
    CURRENT,
    REMEMBERED,
    Epoch,
    EpochOverError,
    Exchange,
    refuse_if_over,
)
from sanerunner.servers.gate import Gate
from sanerunner.servers.inheriting import Inheritance
from sanerunner.servers.process import ProcessServer
from sanerunner.servers.registry import SERVERS, server_class
from tests.shop.models import Category, Entry


def in_thread(work: Callable[[], Any]) -> Any:
    """Return what ``work`` returns, or raise what it raises, in a new thread."""
    ended: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            ended.append((work(), None))
        except BaseException as error:
            ended.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    result, error = ended[0]
    if error is not None:
        raise error
    return result


def entered(epoch: Epoch, url: str = "/", cancel: Callable[[], object] | None = None) -> Exchange:
    exchange = epoch.enter("GET", url, cancel)
    assert exchange is not None
    return exchange


class EpochTest(unittest.TestCase):
    def test_the_end(self) -> None:
        epoch = Epoch("a test", None)
        done, late, stream = entered(epoch, "/done/"), entered(epoch, "/late/"), entered(epoch)
        cancelled = mock.Mock()
        late.cancel = cancelled
        epoch.leave(done)
        epoch.leave(done)  # again
        epoch.streams(stream)
        closed = epoch.end(grace=0, stream_grace=0)
        self.assertEqual([each.url for each in closed.late], ["/late/"])
        self.assertEqual({each.url for each in closed.requests}, {"/done/", "/late/", "/"})
        cancelled.assert_called_once_with()
        self.assertIsNone(epoch.enter("GET", "/too-late/"))

    def test_only_the_last_requests_are_kept(self) -> None:
        epoch = Epoch("a test", None)
        for number in range(REMEMBERED + 5):
            epoch.leave(entered(epoch, f"/{number}/"))
        closed = epoch.end(grace=0, stream_grace=0)
        self.assertEqual(len(closed.requests), REMEMBERED)
        self.assertEqual(closed.requests[-1].url, f"/{REMEMBERED + 4}/")

    def test_refusal(self) -> None:
        refuse_if_over()  # no request
        epoch = Epoch("a.Test.test", None)
        before = CURRENT.set(entered(epoch, "/x/"))
        try:
            refuse_if_over()
            epoch.end(grace=0, stream_grace=0)
            with self.assertRaises(EpochOverError) as caught:
                refuse_if_over()
        finally:
            CURRENT.reset(before)
        self.assertEqual(
            str(caught.exception),
            "GET /x/ was still running when a.Test.test had ended: it may use no database any "
            "more.",
        )
        self.assertIsInstance(caught.exception, DatabaseError)

    def test_a_failure_counts_once(self) -> None:
        epoch, error = Epoch("a test", None), ValueError("x")
        exchange = entered(epoch)
        epoch.fail(exchange, error)
        epoch.fail(exchange, error)
        epoch.fail(exchange, EpochOverError("of another"))
        closed = epoch.end(grace=0, stream_grace=0)
        epoch.fail(exchange, ValueError("too late"))
        self.assertEqual([each.message for each in closed.errors], ["x"])
        self.assertEqual(len(epoch.failures), 1)


class WSGIGateTest(unittest.TestCase):
    """Applications that Django would not be."""

    def setUp(self) -> None:
        self.gate = Gate(WSGI)
        self.addCleanup(self.gate.shut, grace=0)
        self.started: list[Any] = []

    def ask(self, application: Callable[..., Any], path: str = "/") -> Iterable[bytes]:
        self.gate.open("a test", application=application)
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "a=1"}
        body: Iterable[bytes] = self.gate.application(environ, self.start)
        return body

    def start(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        self.started.append(status)

    def end(self, body: Any) -> bytes:
        try:
            return b"".join(body)
        finally:
            body.close()

    def test_a_generator_that_fails_when_it_begins(self) -> None:
        def application(environ: Any, start: Any) -> Any:
            start("200 OK", [])
            yield b"some"
            raise LookupError("in the body")

        body = self.ask(application)
        with self.assertRaises(LookupError):
            self.end(body)
        self.assertIsNone(CURRENT.get())
        (failure,) = self.gate.shut(grace=0).errors
        self.assertEqual((failure.url, failure.message), ("/?a=1", "in the body"))

    def test_an_application_that_raises(self) -> None:
        def application(environ: Any, start: Any) -> Any:
            raise LookupError("at once")

        self.assertIn(b"exception", self.end(self.ask(application)))
        self.assertEqual(self.started, ["500 Internal Server Error"])
        closed = self.gate.shut(grace=0)
        self.assertEqual([each.message for each in closed.errors], ["at once"])
        self.assertEqual([each.status for each in closed.requests], [500])

    def test_an_application_that_ends_the_thread(self) -> None:
        def application(environ: Any, start: Any) -> Any:
            raise SystemExit

        with self.assertRaises(SystemExit):
            self.ask(application)
        self.assertEqual(self.gate.running(), ())

    def test_paths_as_they_were_sent(self) -> None:
        def application(environ: Any, start: Any) -> Any:
            start("200 OK", [])
            return [b""]

        self.end(self.ask(application, "/über".encode().decode("latin-1")))
        (request,) = self.gate.shut(grace=0).requests
        self.assertEqual(request.url, "/%C3%BCber?a=1")

    def test_a_body_is_cut_off_at_the_end_of_its_epoch(self) -> None:
        def application(environ: Any, start: Any) -> Any:
            start("200 OK", [])
            while True:
                yield b"more"

        body = self.ask(application)
        chunks = iter(body)
        next(chunks)
        self.assertEqual(self.gate.shut(grace=60).late, ())
        with self.assertRaises(ConnectionError):
            next(chunks)
        body.close()  # type: ignore[attr-defined]

    def test_one_epoch_at_a_time(self) -> None:
        self.gate.open("first", application=lambda: None)
        with self.assertRaisesRegex(RuntimeError, "the gate is open for first"):
            self.gate.open("second", application=lambda: None)

    def test_shut_twice(self) -> None:
        self.assertEqual(self.gate.shut(grace=0).owner, "")
        self.assertEqual((self.gate.running(), self.gate.errors()), ((), ()))


class InheritanceTest(unittest.TestCase):
    def setUp(self) -> None:
        self.before = (threading.Thread.start, ThreadPoolExecutor.submit)
        self.inheritance = Inheritance()
        self.inheritance.begin()
        self.addCleanup(self.inheritance.end)
        self.epoch = Epoch("a test", None)

    def test_threads(self) -> None:
        exchange = entered(self.epoch)
        self.assertIsNone(in_thread(CURRENT.get))
        before = CURRENT.set(exchange)
        try:
            self.assertIs(in_thread(CURRENT.get), exchange)
            self.assertIs(in_thread(lambda: in_thread(CURRENT.get)), exchange)
        finally:
            CURRENT.reset(before)

    def test_pools_that_live_longer_than_a_request(self) -> None:
        first, second = entered(self.epoch), entered(self.epoch)
        with ThreadPoolExecutor(1) as pool:
            for exchange in (first, second, None):
                before = CURRENT.set(exchange)
                try:
                    self.assertIs(pool.submit(CURRENT.get).result(), exchange)
                finally:
                    CURRENT.reset(before)

    def test_the_end(self) -> None:
        self.inheritance.begin()  # again, which does nothing
        self.inheritance.end()
        self.inheritance.end()
        self.assertEqual((threading.Thread.start, ThreadPoolExecutor.submit), self.before)


class TurnTest(unittest.TestCase):
    def test_one_after_another(self) -> None:
        turn, order = Turn(), []
        self.assertTrue(turn.take(0) and turn.take(0))
        threads = []
        for number in range(3):
            threads.append(threading.Thread(target=self.take, args=[turn, order, number]))
            threads[-1].start()
            while len(turn._waiting) <= number:
                pass
        turn.pass_on()
        for thread in threads:
            thread.join()
        self.assertEqual(order, [0, 1, 2])
        self.assertIsNone(turn.holder)

    def take(self, turn: Turn, order: list[int], number: int) -> None:
        turn.take(60)
        order.append(number)
        turn.pass_on()

    def test_in_vain(self) -> None:
        turn = Turn()
        turn.take(0)
        self.assertFalse(in_thread(lambda: turn.take(0)))
        in_thread(turn.pass_on)  # not its turn
        self.assertTrue(turn.is_mine)
        in_thread(turn.take_away)
        self.assertFalse(turn.is_mine)
        self.assertTrue(in_thread(lambda: turn.take(0)))


class ThreadConnectionsTest(DestructiveDatabaseTestCase):
    multi_db = True

    def setUp(self) -> None:
        self.created = connections.create_connection
        self.connections = ThreadConnections()
        self.connections.open()
        self.addCleanup(self.connections.close)
        self.epoch = Epoch("a test", None)

    def request(self, work: Callable[[], Any]) -> Any:
        """Do it as a thread of a request does."""
        exchange = entered(self.epoch)

        def run() -> Any:
            CURRENT.set(exchange)
            return work()

        try:
            return in_thread(run)
        finally:
            self.epoch.leave(exchange)

    def test_a_mirror_sees_what_its_primary_has_not_committed(self) -> None:
        def work() -> tuple[int, int]:
            with transaction.atomic():
                Category.objects.create(name="x")
                mirror = Category.objects.using("replica").filter(name="x").count()
                Category.objects.using("replica").filter(name="x").update(name="y")
            count = Category.objects.filter(name="y").count()
            connections.close_all()
            return mirror, count

        self.assertEqual(self.request(work), (1, 1))
        self.assertEqual(Category.objects.filter(name="y").count(), 1)

    def test_a_mirror_alone(self) -> None:
        Category.objects.create(name="x")
        rows = Category.objects.using("replica").filter(name="x")
        self.assertEqual(self.request(rows.count), 1)
        self.assertEqual(Category.objects.using("replica").filter(name="x").count(), 1)

    def test_every_database(self) -> None:
        self.request(lambda: Entry.objects.create(text="x"))
        self.assertEqual(Entry.objects.get().text, "x")

    def test_rows_are_read_in_parts(self) -> None:
        Category.objects.bulk_create(Category(name=f"x{number}") for number in range(250))

        def work() -> int:
            rows = Category.objects.filter(name__startswith="x").iterator(chunk_size=100)
            read = [next(rows).name]
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT name FROM shop_category WHERE name LIKE 'x%'")
                self.assertEqual(len(cursor.fetchmany(7)), 7)
                self.assertIsNotNone(cursor.fetchone())
                self.assertEqual(len(list(cursor)), 242)
                self.assertEqual((cursor.fetchone(), list(cursor.fetchall())), (None, []))
            return len(read) + len(list(rows))

        self.assertEqual(self.request(work), 250)

    def test_autocommit_turned_off(self) -> None:
        def work() -> None:
            transaction.set_autocommit(False)
            Category.objects.create(name="x")
            transaction.rollback()
            Category.objects.create(name="y")
            connections.close_all()  # as at the end of a request

        self.request(work)
        self.assertEqual(Category.objects.filter(name__in=["x", "y"]).count(), 0)
        Category.objects.create(name="x")
        self.assertEqual(self.request(Category.objects.filter(name="x").count), 1)

    def test_threads_of_others_are_left_alone(self) -> None:
        in_thread(lambda: connections["default"])
        self.assertEqual(self.connections._served, [])

    def test_sessions_end_with_the_epoch(self) -> None:
        def work() -> Any:
            Category.objects.count()
            return connections["default"]

        wrapper = self.request(work)
        self.epoch.end(grace=0, stream_grace=0)
        self.assertEqual(self.connections.end(), [])
        self.assertIsNone(wrapper.connection)
        self.assertEqual(self.connections._served, [])
        self.epoch.accepting = True  # as for a thread that is started now
        with self.assertRaises(EpochOverError):
            self.request(Category.objects.count)

    def test_django_is_as_it_was(self) -> None:
        self.connections.end()
        self.connections.open()
        self.connections.close()
        self.assertEqual(connections.create_connection, self.created)
        hooks = {"create_cursor", "_commit", "_rollback", "_set_autocommit"}
        for connection in connections.all():
            self.assertEqual(hooks & vars(connection).keys(), set(), connection.alias)
        self.connections.close()  # again, which does nothing

    def test_a_session_that_was_ended_by_others(self) -> None:
        def work() -> Any:
            Category.objects.count()
            return connections["default"]

        wrapper = self.request(work)
        if wrapper.connection is not connections["default"].connection:
            wrapper.connection.close()
        self.assertEqual(self.connections.end(), [])

    def test_a_statement_that_takes_long_is_cancelled(self) -> None:
        vendor = connections["default"].vendor
        sql = {"postgresql": "SELECT pg_sleep(60)", "mysql": "SELECT sleep(60)"}.get(vendor)
        if sql is None:
            self.skipTest("needs a server")
        begun, ended = threading.Event(), threading.Event()
        exchange = entered(self.epoch)

        def work() -> None:
            CURRENT.set(exchange)
            try:
                with connections["default"].cursor() as cursor:
                    begun.set()
                    cursor.execute(sql)
            except DatabaseError:
                ended.set()

        thread = threading.Thread(target=work)
        thread.start()
        self.assertTrue(begun.wait(60))
        with mock.patch("sanerunner.servers.connections.PATIENCE", 0.5):
            self.epoch.end(grace=0, stream_grace=0)
            self.assertEqual(self.connections.end(), [])
        thread.join()
        self.assertTrue(ended.is_set())


class MemoryTest(DestructiveDatabaseTestCase):
    """A database in memory, which has one session."""

    def setUp(self) -> None:
        if connections["default"].vendor != "sqlite":
            self.skipTest("needs SQLite")
        self.connections = ThreadConnections()
        timeouts = mock.patch.dict(connections["default"].settings_dict["OPTIONS"], timeout=0)
        with timeouts:
            self.connections.open()
        self.addCleanup(self.connections.close)
        self.exchange = entered(Epoch("a test", None))

    def in_request(self, work: Callable[[], Any]) -> Any:
        def run() -> Any:
            CURRENT.set(self.exchange)
            return work()

        return in_thread(run)

    def test_a_test_in_a_transaction(self) -> None:
        """Nobody waits for ever."""
        with transaction.atomic():
            Category.objects.create(name="x")
            with self.assertRaisesRegex(OperationalError, "a test that waits for a request must"):
                self.in_request(Category.objects.count)
        self.assertEqual(self.in_request(Category.objects.filter(name="x").count), 1)

    def test_what_a_dead_request_holds_is_taken_from_it(self) -> None:
        def work() -> None:
            transaction.atomic().__enter__()
            Category.objects.create(name="x")

        self.in_request(work)
        self.assertTrue(connections["default"].connection.in_transaction)
        self.exchange.epoch.end(grace=0, stream_grace=0)
        self.connections.end()
        self.assertFalse(connections["default"].connection.in_transaction)
        with transaction.atomic():
            Category.objects.create(name="y")
        self.assertEqual(Category.objects.filter(name__in=["x", "y"]).count(), 1)


class ProcessServerTest(unittest.TestCase):
    def test_urls(self) -> None:
        for arguments, url, host in (
            ({}, "http://127.0.0.1:8001", "127.0.0.1"),
            ({"host": "::1"}, "http://[::1]:8001", "::1"),
            ({"host": "0.0.0.0"}, "http://localhost:8001", "localhost"),
            ({"host": "0.0.0.0", "url_host": "web"}, "http://web:8001", "web"),
            ({"url_root": "https://web/"}, "https://web", "web"),
        ):
            with self.subTest(arguments):
                server = ProcessServer(port=8001, **arguments)  # type: ignore[arg-type]
                self.assertEqual((server.url, server.host), (url, host))

    def test_nothing_runs_before_it_is_needed(self) -> None:
        server = ProcessServer()
        self.assertEqual((server.is_running, server.is_open, server.port), (False, False, 0))
        self.assertEqual(server.shut().owner, "")
        self.assertEqual((server.running(), server.errors()), ((), ()))
        server.stop()

    def test_interfaces(self) -> None:
        self.assertEqual(ProcessServer("wsgi").interface, WSGI)


class RegistryTest(SimpleTestCase):
    def test_names(self) -> None:
        self.assertEqual(list(SERVERS), ["wsgi", "cheroot", "asgi"])
        with self.assertRaises(ServerError) as caught:
            server_class("cherrot")
        self.assertEqual(
            str(caught.exception),
            "unknown live server 'cherrot' (did you mean 'cheroot'?); known: wsgi, cheroot, asgi.",
        )

    def test_a_package_that_is_not_installed(self) -> None:
        for name, package in (("cheroot", "cheroot"), ("asgi", "uvicorn")):
            module = f"sanerunner.servers.{name}"
            with (
                self.subTest(name),
                mock.patch.dict(sys.modules, {package: None}),
                self.assertRaises(ServerError) as caught,
            ):
                sys.modules.pop(module, None)
                server_class(name)
            self.assertEqual(
                str(caught.exception),
                f"The live server '{name}' needs {package}: pip install sanerunner[{name}]",
            )

    def test_interfaces(self) -> None:
        self.assertEqual((server_class("wsgi").name, server_class("wsgi").interface), (WSGI, WSGI))
        self.assertNotEqual(WSGI, ASGI)


class ListenTest(unittest.TestCase):
    def assert_refused(self, host: str, port: int, message: str) -> None:
        with self.assertRaises(ServerError) as caught:
            listen(host, port).close()
        self.assertIn(message, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_addresses(self) -> None:
        for host in ("127.0.0.1", "localhost"):
            with listen(host, 0) as listener:
                socket.create_connection((host, listener.getsockname()[1])).close()

    def test_what_cannot_be_listened_on(self) -> None:
        self.assert_refused("192.0.2.1", 0, "listen on 192.0.2.1:0: ")
        self.assert_refused("no.such.host.invalid", 0, "Set LIVE_SERVER_ADDRESS to an address")
        denied = mock.patch.object(socket.socket, "bind", side_effect=PermissionError(13, "no"))
        with denied:
            self.assert_refused("127.0.0.1", 80, "port 80 needs privileges. Set LIVE_SERVER_PORT")

    def test_the_port_of_a_run_before(self) -> None:
        """Closed connections of that do not keep this one from it."""
        with listen("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                accepted, _ = listener.accept()
                accepted.close()  # first, so that this port waits
        listen("127.0.0.1", port).close()
