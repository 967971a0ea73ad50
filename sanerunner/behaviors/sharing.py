"""The server of this process in place of the thread that each LiveServerTestCase has."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import LiveServerTestCase
from django.test.testcases import (
    LiveServerThread,
    _MediaFilesHandler,
    _StaticFilesHandler,
)

from ..cases import HttpTestCase

START = "_start_server_thread"

#: What a class must not have changed, so that it cannot tell the server from its own.
_STOCK = ("_create_server_thread", "_make_connections_override", "_terminate_thread")
#: Where a stock class finds its server: Django's listens on 127.0.0.1 only.
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class SharedServerThread:
    """What a class finds as its ``server_thread``: the server of this process.

    ``tell_failures()`` returns the tracebacks of views that nobody has asked for yet; ``drain()``
    ends requests before the databases are put back.
    """

    error: Exception | None = None
    daemon = True

    def __init__(
        self,
        test_class: Any,
        *,
        url: str | None,
        host: str,
        port: int,
        connections_override: dict[str, BaseDatabaseWrapper],
        tell_failures: Callable[[], str],
        drain: Callable[[], object],
    ) -> None:
        self.url = url  # None: that of Django's thread
        self.host = host
        self.port = port
        self.tell_failures = tell_failures
        self.drain = drain
        self.static_handler = test_class.static_handler
        self.connections_override = connections_override
        self.is_ready = threading.Event()
        self.is_ready.set()

    def is_alive(self) -> bool:
        return True

    def terminate(self) -> None:
        """Other classes need it still."""

    def join(self, timeout: float | None = None) -> None:
        """It ends with the process; nobody has to wait for it."""


def can_share(test_class: Any, *, interface: str, host: str) -> bool:
    """Whether the server of this process is for ``test_class`` as good as Django's would be.

    ``interface`` and ``host`` are those of the server.
    """
    if not is_sane(test_class) and (interface != "wsgi" or host not in _LOCAL):
        return False
    handlers = (_StaticFilesHandler, StaticFilesHandler, HttpTestCase.static_handler)
    return (
        test_class.host == LiveServerTestCase.host
        and test_class.port == LiveServerTestCase.port
        and test_class.server_thread_class is LiveServerThread
        and test_class.static_handler in handlers
        and all(_is_inherited(test_class, name) for name in _STOCK)
    )


def stock_application(
    test_class: Any, shared: Mapping[str, BaseDatabaseWrapper]
) -> Callable[..., Any]:
    """Return the application that a LiveServerThread of ``test_class`` would serve; threads use
    the connections ``shared``, by alias, of the thread that runs the tests.

    Without MEDIA_ROOT Django would serve the current folder, settings and all, as media.
    """
    application: Any = WSGIHandler()
    if settings.MEDIA_ROOT:
        application = _MediaFilesHandler(application)
    application = test_class.static_handler(application)

    def application_sharing(environ: Any, start_response: Any) -> Any:
        for alias, connection in shared.items():
            connections[alias] = connection
        return _Body(application(environ, start_response), shared)

    return application_sharing if shared else application


class _Body:
    """The body of an answer; the thread may serve another class next."""

    def __init__(self, body: Any, shared: Iterable[str]) -> None:
        self._body = body
        self._shared = shared
        self.streaming = getattr(body, "streaming", True)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            for alias in self._shared:
                del connections[alias]


@contextmanager
def shared_connections(test_class: Any) -> Iterator[dict[str, BaseDatabaseWrapper]]:
    """In this block other threads may use those connections that Django's live server would."""
    shared: dict[str, BaseDatabaseWrapper] = test_class._make_connections_override()
    for connection in shared.values():
        connection.inc_thread_sharing()
    try:
        yield shared
    finally:
        for connection in shared.values():
            connection.dec_thread_sharing()


def replace_start(start: Callable[[Any], None]) -> Callable[[], None]:
    """Have LiveServerTestCase call ``start(class)`` for its server; return what ends this."""
    before = vars(LiveServerTestCase)[START]
    setattr(LiveServerTestCase, START, classmethod(start))
    return lambda: setattr(LiveServerTestCase, START, before)


def original_start() -> Callable[[Any], None]:
    """Return what starts Django's server, as a function of the class."""
    function: Callable[[Any], None] = vars(LiveServerTestCase)[START].__func__
    return function


@contextmanager
def around_tear_down(test_class: Any, around: Callable[[], Any]) -> Iterator[None]:
    """Run ``tearDownClass()`` of the class in the context ``around()``, for this block."""
    own = vars(test_class).get("tearDownClass")
    tear_down = test_class.tearDownClass

    def tear_down_class() -> None:
        with around():
            tear_down()

    test_class.tearDownClass = staticmethod(tear_down_class)
    try:
        yield
    finally:
        if own is None:
            del test_class.tearDownClass
        else:
            test_class.tearDownClass = own


def is_sane(test_class: Any) -> bool:
    """Whether the class asks for our server, not for Django's."""
    return getattr(test_class, "start_live_server", None) is True


def _is_inherited(test_class: Any, name: str) -> bool:
    return inspect.getattr_static(test_class, name) is vars(LiveServerTestCase)[name]
