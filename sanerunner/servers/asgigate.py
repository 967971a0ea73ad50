"""The gate's ASGI form."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .epochs import CURRENT, Epoch, EpochOverError, Exchange
from .holding import Hold
from .wsgigate import CLOSED, FAILED

#: How long an application has to end an exchange whose client has left, in seconds.
PATIENCE = 0.1

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ASGIGate:
    """An application in front of that of the epoch which ``present`` returns.

    Requests and WebSockets that are given up are cancelled. The application
    ``first`` is told of the start and the end of the server (*lifespan*).
    """

    def __init__(
        self,
        present: Callable[[], Epoch | None],
        hold: Hold,
        first: Callable[..., Any] | None = None,
    ) -> None:
        self._present = present
        self._hold = hold
        self._begins = first or _has_no_lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._begins(scope, receive, send)
            return
        client = _Client(scope["type"], receive)
        exchange = await self._enter(scope, client)
        if exchange is None:
            await _refuse(scope, send)
            return
        CURRENT.set(exchange)
        try:
            await self._pass(exchange, scope, client, send)
        finally:
            exchange.epoch.leave(exchange)

    async def _enter(self, scope: Scope, client: _Client) -> Exchange | None:
        """Let a request in, perhaps after a while; None if no epoch is open."""
        while True:
            ticket, epoch = self._hold.ticket(), self._present()
            exchange = epoch.enter(_method(scope), _url(scope), client.leave) if epoch else None
            if exchange is not None or not await self._hold.wait_async(ticket):
                return exchange

    async def _pass(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        application = exchange.epoch.application
        assert application is not None
        tell = _Told(exchange, scope["type"], send)
        try:
            await application(scope, receive, tell)
        except asyncio.CancelledError:
            if not exchange.epoch.dead:
                raise
            # Given up by us: for the server, the application has returned.
        except EpochOverError:
            return
        except Exception as error:
            exchange.epoch.fail(exchange, error)
            if scope["type"] != "http" or tell.started:
                raise
            await _answer(tell, 500, FAILED)


class _Told:
    """``send()`` of an exchange: learns its status and whether its body may be endless."""

    def __init__(self, exchange: Exchange, kind: str, send: Send) -> None:
        self._exchange = exchange
        self._send = send
        self._ends = False
        self.started = False
        if kind == "websocket":
            exchange.epoch.streams(exchange)

    async def __call__(self, message: Message) -> None:
        exchange = self._exchange
        if exchange.epoch.dead:
            raise EpochOverError(f"{exchange.epoch.owner} has ended")
        if message["type"] == "http.response.start":
            self.started = True
            exchange.status = message["status"]
            names = [bytes(name).lower() for name, _ in message.get("headers", ())]
            self._ends = b"content-length" in names
        elif message["type"] == "http.response.body" and message.get("more_body"):
            if not self._ends and not exchange.endless:
                exchange.epoch.streams(exchange)
        elif message["type"] == "websocket.accept":
            exchange.status = 101
        await self._send(message)


class _Client:
    """``receive()`` of an exchange: the client leaves when the exchange is given up.

    Most applications end their views then. A task that has not ended soon after is cancelled.
    """

    def __init__(self, kind: str, receive: Receive) -> None:
        self._kind = kind
        self._receive = receive
        self._left = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()

    async def __call__(self) -> Message:
        message = asyncio.ensure_future(self._receive())
        left = asyncio.ensure_future(self._left.wait())
        try:
            await asyncio.wait([message, left], return_when=asyncio.FIRST_COMPLETED)
            if message.done():
                return message.result()
            return {"type": f"{self._kind}.disconnect", "code": 1001}
        finally:
            for future in (message, left):
                future.cancel()

    def leave(self) -> None:
        """Called from another thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._left.set()
        if self._task is not None:
            self._loop.call_later(PATIENCE, self._task.cancel)


async def _has_no_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("there is nothing to start")  # which a server has to take


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1013})  # "try again later"
    else:
        await _answer(send, 503, CLOSED)


async def _answer(send: Send, status: int, text: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _method(scope: Scope) -> str:
    return "WEBSOCKET" if scope["type"] == "websocket" else str(scope["method"])


def _url(scope: Scope) -> str:
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw else str(scope["path"])
    query = scope.get("query_string", b"").decode("latin-1")
    return path + (f"?{query}" if query else "")
