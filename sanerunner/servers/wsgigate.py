"""The gate's WSGI form."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from .epochs import CURRENT, Epoch, Exchange

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

#: What a server may put into ``environ``: a function that ends the connection to the client.
ABORT = "sanerunner.abort"

#: Another one: a function that says whether the connection was ended by ``renew()``.
STALE = "sanerunner.stale"

CLOSED = b"No test is running: the request came too late, or too early.\n"
FAILED = b"The view raised an exception, which the test reports.\n"


class WSGIGate:
    """An application in front of that of the epoch which ``present`` returns."""

    def __init__(self, present: Callable[[], Epoch | None]) -> None:
        self._present = present

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        epoch = self._present()
        exchange = None
        if epoch is not None:
            exchange = epoch.enter(environ["REQUEST_METHOD"], _url(environ), environ.get(ABORT))
        if exchange is not None and STALE in environ and environ[STALE]():
            exchange.epoch.forget(exchange)
            exchange = None
        if exchange is None:
            return _answer(start_response, "503 Service Unavailable", CLOSED)
        CURRENT.set(exchange)
        try:
            return self._pass(exchange, environ, start_response)
        except BaseException:
            _leave(exchange)
            raise

    def _pass(
        self, exchange: Exchange, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        ends = False

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            nonlocal ends
            exchange.status = int(status.partition(" ")[0])
            ends = any(name.lower() == "content-length" for name, _ in headers)
            return start_response(status, headers, *exc_info)

        application = exchange.epoch.application
        assert application is not None
        try:
            body = application(environ, start)
        except Exception as error:
            exchange.epoch.fail(exchange, error)
            exchange.status, ends = 500, True
            status = "500 Internal Server Error"
            body = _answer(start_response, status, FAILED, sys.exc_info())
        if not ends and not _is_whole(body):
            exchange.epoch.streams(exchange)
        return _Body(body, exchange)


class _Body:
    """The body of an answer: the exchange ends with it."""

    def __init__(self, body: Iterable[bytes], exchange: Exchange) -> None:
        self._body = body
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        try:
            for chunk in self._body:
                if exchange.epoch.dead:
                    raise ConnectionAbortedError(f"{exchange.epoch.owner} has ended")
                yield chunk
        except Exception as error:
            exchange.epoch.fail(exchange, error)
            raise

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            _leave(self._exchange)


def _leave(exchange: Exchange) -> None:
    exchange.epoch.leave(exchange)
    CURRENT.set(None)


def _is_whole(body: Iterable[bytes]) -> bool:
    """Whether all of ``body`` is there, so that sending it ends."""
    return isinstance(body, (list, tuple)) or getattr(body, "streaming", True) is False


def _answer(start: StartResponse, status: str, text: bytes, *exc_info: Any) -> list[bytes]:
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))]
    start(status, headers, *exc_info)
    return [text]


def _url(environ: Environ) -> str:
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query = environ.get("QUERY_STRING", "")
    return quote(path.encode("latin-1")) + (f"?{query}" if query else "")
