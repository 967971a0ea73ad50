"""What the tests of live servers ask for. ``?db=`` names the database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.db import connections, transaction
from django.db.models import Value
from django.db.models.functions import Concat
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from tests.shop.models import Category, Product


class Signals:
    """How a test and a view wait for each other."""

    def __init__(self) -> None:
        self.reached = threading.Event()  # the view is there
        self.proceed = threading.Event()  # it may go on
        self.ended = threading.Event()  # it has gone on
        self.error: BaseException | None = None  # how

    def wait(self) -> None:
        self.reached.set()
        assert self.proceed.wait(30)

    def do(self, work: Callable[[], Any]) -> None:
        """Wait, then do it, and remember how it ended."""
        self.watch(lambda: (self.wait(), work()))

    def watch(self, work: Callable[[], Any]) -> None:
        """Do it, and remember how it ended."""
        try:
            work()
        except BaseException as error:
            self.error = error
        finally:
            for connection in connections.all(initialized_only=True):
                connection.close()
            self.ended.set()


#: Of the test that runs.
signals = Signals()


def reset() -> Signals:
    global signals
    signals = Signals()
    return signals


def answer(value: object, status: int = 200) -> HttpResponse:
    text = str(value)
    return HttpResponse(text, status=status, headers={"Content-Length": len(text.encode())})


def _rows(request: HttpRequest) -> Any:
    return Category.objects.using(request.GET.get("db", "default"))


def ping(request: HttpRequest) -> HttpResponse:
    return answer("pong")


def create(request: HttpRequest, name: str) -> HttpResponse:
    """Two rows in one transaction, seen by itself."""
    rows = _rows(request)
    with transaction.atomic(rows.db):
        category = rows.create(name=name)
        Product.objects.using(rows.db).create(category=category, name=name)
        return answer(Product.objects.using(rows.db).filter(category__name=name).count())


def undo(request: HttpRequest, name: str) -> HttpResponse:
    """A row that is rolled back."""
    rows = _rows(request)
    try:
        with transaction.atomic(rows.db):
            rows.create(name=name)
            seen = rows.filter(name=name).count()
            raise ValueError
    except ValueError:
        return answer(seen)


def rename(request: HttpRequest, name: str, to: str) -> HttpResponse:
    rows = _rows(request)
    return answer(rows.filter(name=name).update(name=to))


def grow(request: HttpRequest, name: str) -> HttpResponse:
    """Make the name longer by one, in a row that all threads write."""
    return answer(
        _rows(request).filter(name__startswith=name).update(name=Concat("name", Value("+")))
    )


def count(request: HttpRequest, prefix: str) -> HttpResponse:
    """Count by reading every row."""
    names = [row.name for row in _rows(request).all() if row.name.startswith(prefix)]
    return answer(len(names))


def fail(request: HttpRequest) -> HttpResponse:
    raise LookupError("this view always fails")


def wait(request: HttpRequest, name: str) -> HttpResponse:
    """Answer when the test lets it."""
    signals.wait()
    signals.ended.set()
    return answer("waited")


def late(request: HttpRequest, name: str) -> HttpResponse:
    """Write when the test lets it, in a transaction that began before."""
    rows = _rows(request)
    if request.GET.keys() & {"open", "commit"}:

        def write() -> None:
            with transaction.atomic(rows.db):
                rows.create(name=f"{name} before")
                signals.wait()
                if "commit" not in request.GET:
                    rows.create(name=name)

        signals.watch(write)
    else:
        rows.count()
        signals.do(lambda: rows.create(name=name))
    return answer("written")


def in_thread(request: HttpRequest, name: str) -> HttpResponse:
    """Answer at once, and write in a thread when the test lets it."""
    rows = _rows(request)

    def write() -> None:
        signals.do(lambda: rows.create(name=name))

    threading.Thread(target=write, name="started by a view").start()
    return answer("started")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """A body without an end."""

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                yield b"more\n"
                signals.reached.set()
                signals.proceed.wait(0.01)
        finally:
            signals.ended.set()

    async def chunks_async() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"more\n"
                signals.reached.set()
                await asyncio.sleep(0.01)
        finally:
            signals.ended.set()

    return StreamingHttpResponse(chunks_async() if _is_async(request) else chunks())


def short_stream(request: HttpRequest) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one\n"
        yield b"two\n"

    body = chunks() if _is_async(request) else iter([b"one\n", b"two\n"])
    return StreamingHttpResponse(body)


def _is_async(request: HttpRequest) -> bool:
    """Whether bodies have to be async iterators."""
    return isinstance(request, ASGIRequest)


async def sleeping(request: HttpRequest) -> HttpResponse:
    """An async view that never returns."""
    signals.reached.set()
    try:
        await asyncio.Event().wait()
    finally:
        signals.ended.set()
    return answer("never")


urlpatterns = [
    path("ping/", ping),
    path("create/<name>/", create),
    path("undo/<name>/", undo),
    path("rename/<name>/<to>/", rename),
    path("grow/<name>/", grow),
    path("count/<prefix>/", count),
    path("fail/", fail),
    path("wait/<name>/", wait),
    path("late/<name>/", late),
    path("thread/<name>/", in_thread),
    path("stream/", stream),
    path("short/", short_stream),
    path("sleeping/", sleeping),
]
