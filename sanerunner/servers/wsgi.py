"""Django's threaded WSGI server, without its waits, and with an end."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.servers.basehttp import (
    ThreadedWSGIServer,
    WSGIRequestHandler,
    is_broken_pipe_error,
)

from .base import BACKLOG, FAREWELL, PATIENCE, WSGI, listen, shut_down
from .wsgigate import ABORT, STALE

# What the listening thread is told.
_END, _RENEW = b"e", b"r"


class ThreadedServer:
    """Django's server. What differs, and what that was measured to be worth:

    - each answer is written in one piece, without Nagle's algorithm (44 ms an answer);
    - the listening thread sleeps until it is woken, and does not poll (up to 500 ms at the end);
    - connections that are still open at the end are shut down (or they would be answered on);
    - 128 connections may wait, not 10.
    """

    name = "wsgi"
    interface = WSGI

    def __init__(self, application: Callable[..., Any], *, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._application = application

    def start(self) -> None:
        listener = listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        self._server = _Server(listener, self._application)
        self._thread = threading.Thread(target=self._server.serve, name="live server", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        self._server.renew()

    def stop(self) -> None:
        self._server.end()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    connection: Any  # a socket, whatever Django's stubs say
    server: Any
    wbufsize = -1
    disable_nagle_algorithm = True

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ[ABORT] = partial(shut_down, self.connection)
        environ[STALE] = partial(self.server.is_stale, self.connection)
        return environ

    def finish(self) -> None:
        """Where the client has left, what is still to be written makes closing fail half-way."""
        try:
            super().finish()
        finally:
            self.rfile.close()

    def log_message(self, *args: Any) -> None:
        """Tests read no access log."""

    def log_request(self, *args: Any, **kwargs: Any) -> None:
        """Neither do they need the line of it."""


class _Server(ThreadedWSGIServer):
    """Serves connections to a socket that listens already."""

    daemon_threads = True
    block_on_close = False  # who is waited for is decided below
    request_queue_size = BACKLOG

    def __init__(self, listener: socket.socket, application: Callable[..., Any]) -> None:
        address = listener.getsockname()
        super().__init__(
            address,
            _Handler,
            bind_and_activate=False,
            ipv6=listener.family == socket.AF_INET6,
        )
        self.socket.close()
        self.socket = listener
        self.server_address = address
        self.server_name, self.server_port = address[0], address[1]
        self.setup_environ()
        self.set_app(application)
        self._ends, self._wakes = socket.socketpair()
        self._connections: dict[socket.socket, threading.Thread | None] = {}
        self._fresh: set[socket.socket] = set()  # those of them that were not ended
        self._renewed = threading.Event()
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Accept connections until ``end()``."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._wakes, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self.socket in ready:
                    self._handle_request_noblock()  # type: ignore[attr-defined]  # socketserver's
                elif self._wakes.recv(1) == _END:
                    return
                else:  # nobody waits to be accepted
                    self._shut_down_all()
                    self._renewed.set()

    def renew(self) -> None:
        self._renewed.clear()
        self._ends.send(_RENEW)
        self._renewed.wait(PATIENCE)

    def end(self) -> None:
        self._ends.send(_END)

    def is_stale(self, connection: socket.socket) -> bool:
        return connection not in self._fresh

    def _shut_down_all(self) -> list[threading.Thread]:
        """Return the threads of the connections."""
        with self._lock:
            self._fresh.clear()
            for connection in self._connections:
                shut_down(connection)
            return [thread for thread in self._connections.values() if thread is not None]

    def end_connections(self) -> None:
        """Shut down all connections, and wait for the threads that are not in a request."""
        threads = self._shut_down_all()
        deadline = time.monotonic() + FAREWELL
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def server_close(self) -> None:
        super().server_close()
        self._ends.close()
        self._wakes.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections[request] = None
            self._fresh.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections[request] = threading.current_thread()
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are nothing to tell, as Django would."""
        if not is_broken_pipe_error():
            super().handle_error(request, client_address)

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._connections.pop(request, None)
            self._fresh.discard(request)
        super().close_request(request)
