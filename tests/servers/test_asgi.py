"""What only the ASGI server can do."""

from __future__ import annotations

from typing import Any

from django.test import override_settings

from sanerunner.exceptions import ServerError

from .contract import ServerContract, require_package

told: list[str] = []
Scope = dict[str, Any]


async def application(scope: Scope, receive: Any, send: Any) -> None:
    """A WebSocket that says everything twice, and a page; it wants to be started."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            told.append(message["type"])
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "http":
        if scope["path"] == "/broken/":
            raise LookupError("this application fails")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a page"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        told.append(message["type"])
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": message["text"] * 2})


async def unwilling(scope: Scope, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no such thing"})


class ASGITest(ServerContract):
    kind = "asgi"
    test_type = "destructive"

    def setUp(self) -> None:
        super().setUp()
        told.clear()

    def test_an_async_view_that_does_not_return_is_cancelled(self) -> None:
        self.open().send("/sleeping/")
        self.assertTrue(self.signals.reached.wait(30))
        (late,) = self.server.shut(grace=0).late
        self.assertEqual(late.url, "/sleeping/")
        self.assertTrue(self.signals.ended.wait(30))

    @override_settings(ASGI_APPLICATION=f"{__name__}.application")
    def test_the_application_of_the_settings(self) -> None:
        self.assertEqual(self.open().get("/"), "a page")
        self.server.stop()
        self.assertEqual(told, ["lifespan.startup", "lifespan.shutdown"])

    @override_settings(ASGI_APPLICATION=f"{__name__}.application")
    def test_an_application_that_raises(self) -> None:
        self.assertTrue(self.open().get("/broken/").startswith("500 "))
        (failure,) = self.server.shut().errors
        self.assertEqual((failure.url, failure.type), ("/broken/", "LookupError"))

    @override_settings(ASGI_APPLICATION=f"{__name__}.unwilling")
    def test_an_application_that_does_not_start(self) -> None:
        with self.assertRaises(ServerError) as caught:
            self.open()
        self.assertEqual(str(caught.exception), "The live server cannot start: no such thing")
        self.assertFalse(self.server.is_running)

    @override_settings(ASGI_APPLICATION="tests.nothing.application")
    def test_an_application_that_is_not_there(self) -> None:
        with self.assertRaises(ServerError) as caught:
            self.open()
        self.assertEqual(
            str(caught.exception),
            "ASGI_APPLICATION 'tests.nothing.application' cannot be imported: No module named "
            "'tests.nothing'",
        )


class WebSocketTest(ServerContract):
    kind = "asgi"
    test_type = "destructive"

    def setUp(self) -> None:
        super().setUp()
        require_package("websockets", "asgi")
        override = override_settings(ASGI_APPLICATION=f"{__name__}.application")
        override.enable()
        self.addCleanup(override.disable)
        told.clear()

    def connect(self) -> Any:
        from websockets.sync.client import connect

        return connect(f"ws://127.0.0.1:{self.server.port}/echo/")

    def test_talk(self) -> None:
        self.server.open(self.id())
        with self.connect() as socket:
            socket.send("ab")
            self.assertEqual(socket.recv(timeout=30), "abab")
            (running,) = self.server.running()
            self.assertEqual((running.method, running.url), ("WEBSOCKET", "/echo/"))
        closed = self.server.shut()
        self.assertEqual([(each.url, each.status) for each in closed.requests], [("/echo/", 101)])

    def test_it_ends_with_its_epoch(self) -> None:
        from websockets.exceptions import ConnectionClosed

        self.server.open(self.id())
        with self.connect() as socket:
            self.assertEqual(self.server.shut(grace=60).late, ())
            with self.assertRaises(ConnectionClosed):
                socket.recv(timeout=30)
        self.assertIn("websocket.disconnect", told)

    def test_it_is_refused_between_tests(self) -> None:
        from websockets.exceptions import InvalidStatus

        self.server.start()
        with self.assertRaises(InvalidStatus) as caught, self.connect():
            pass
        self.assertEqual(caught.exception.response.status_code, 403)
