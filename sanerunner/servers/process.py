"""The server of this process: started when it is first needed, stopped at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from .application import application_for
from .base import LiveServer
from .connections import ThreadConnections
from .epochs import Closed, Epoch, LateRequest, ServerFailure
from .gate import Gate
from .inheriting import Inheritance
from .registry import server_class

LOOPBACK = "127.0.0.1"

#: Addresses that mean all of a machine's: a client needs one of them.
_ANY = {"", "0.0.0.0", "::"}


class ProcessServer:
    """One live server, the gate in front of its application, and its threads' connections.

    ``kind`` is "wsgi", "cheroot" or "asgi". ``port`` 0 is any free one. ``url_root`` is what
    clients see if there is something in between (a proxy, a Grid on another machine); of
    ``url_host`` only the host is another. ``wrap`` puts a middleware of the same interface in
    front of the gate: it sees every request, also while no epoch is open. If such a request may
    open an epoch, ``renews`` has to be False: its connection would be ended.
    """

    def __init__(
        self,
        kind: str = "wsgi",
        *,
        host: str = LOOPBACK,
        port: int = 0,
        url_host: str = "",
        url_root: str = "",
        grace: float = 2.0,
        wrap: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None,
        renews: bool = True,
    ) -> None:
        self.kind = kind
        self.grace = grace
        self._host = host
        self._port = port
        self._url_host = url_host
        self._url_root = url_root
        self._wrap = wrap
        self._renews = renews
        self._server: LiveServer | None = None
        self._gate: Gate | None = None
        self._application: Callable[..., Any] | None = None
        self._connections = ThreadConnections()
        self._inheritance = Inheritance()

    @property
    def interface(self) -> str:
        """The kind of application that the server takes: "wsgi" or "asgi"."""
        return server_class(self.kind).interface

    @property
    def is_running(self) -> bool:
        return self._server is not None

    @property
    def is_open(self) -> bool:
        return self._gate is not None and self._gate.is_open

    @property
    def host(self) -> str:
        """The host in ``url``: what ALLOWED_HOSTS needs."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port that the server listens on; what was asked for before it has started."""
        return self._server.port if self._server is not None else self._port

    @property
    def url(self) -> str:
        """Where clients find the server, without a slash at the end."""
        if self._url_root:
            return self._url_root.rstrip("/")
        host = self._url_host or ("localhost" if self._host in _ANY else self._host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def start(self, application: Callable[..., Any] | None = None) -> None:
        """Start the server, if it has not been; nothing is let in. ``open()`` calls this.

        ``application`` is the one that is told of start and end (ASGI's lifespan), by default
        the project's.

        Raises ServerError where it cannot listen, or a package is missing.
        """
        if self._server is not None:
            return
        server_type = server_class(self.kind)
        gate = Gate(server_type.interface, application or self._project())
        served = gate.application if self._wrap is None else self._wrap(gate.application)
        server = server_type(served, host=self._host, port=self._port)
        self._inheritance.begin()
        try:
            server.start()
        except BaseException:
            self._inheritance.end()
            raise
        self._gate, self._server = gate, server

    def open(
        self, owner: str, *, application: Callable[..., Any] | None = None, as_django: bool = False
    ) -> Epoch:
        """Let requests through, for ``owner``: a test's id. In-memory databases of this thread
        are shared with the server's threads.

        Connections from before are ended, unless ``renews`` is False: what was sent over one of
        them, and nobody has read yet, belongs to no epoch any more.

        With ``as_django`` connections go on, as over the tests of a LiveServerTestCase, and the
        application itself shares in-memory databases.

        ``application`` is the project's, if none is given; it has to be of ``interface``.
        """
        if application is None:
            application = self._project()
        was_running = self.is_running
        self.start(application)
        assert self._gate is not None and self._server is not None
        if self._gate.is_open:
            self.shut()
        if was_running and self._renews and not as_django:
            self._server.renew()
        self._connections.open(shares=not as_django)
        return self._gate.open(owner, application=application)

    def shut(self, *, grace: float | None = None) -> Closed:
        """Let nothing in any more, wait for requests, and end their connections to databases.

        Nothing that a request does after this reaches a database. ``grace`` is how many seconds
        are waited at most. The server goes on to listen, and answers 503.
        """
        if self._gate is None:
            return Closed("")
        try:
            return self._gate.shut(grace=self.grace if grace is None else grace)
        finally:
            self._connections.end()

    @contextmanager
    def held(self, owner: str) -> Iterator[Closed]:
        """Shut while the block lasts, open for ``owner`` after it; no client is refused: what
        comes meanwhile waits. Yield what ``shut()`` returns.
        """
        gate = self._gate
        if gate is None:
            raise RuntimeError("the server has not been started")
        gate.hold.begin()
        try:
            yield self.shut()
        finally:
            try:
                if self._gate is gate:  # else it was stopped
                    self.open(owner)
            finally:
                gate.hold.end()

    def _project(self) -> Callable[..., Any]:
        if self._application is None:
            self._application = application_for(self.interface)
        return self._application

    def running(self) -> tuple[LateRequest, ...]:
        """Return the requests that are being answered now."""
        return self._gate.running() if self._gate is not None else ()

    def errors(self) -> tuple[ServerFailure, ...]:
        """Return what views have not handled so far, in this epoch."""
        return self._gate.errors() if self._gate is not None else ()

    def stop(self) -> None:
        """Shut the gate and stop the server; it can be started again."""
        if self._server is None:
            return
        try:
            self.shut(grace=0)
            self._server.stop()
        finally:
            self._connections.close()
            self._inheritance.end()
            self._server = self._gate = None
