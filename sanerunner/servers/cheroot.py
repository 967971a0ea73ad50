"""CherryPy's server."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from cheroot import wsgi
from cheroot.server import HTTPConnection
from cheroot.workers.threadpool import _SHUTDOWNREQUEST

from .base import FAREWELL, WSGI, accept_all, listen, shut_down
from .wsgigate import ABORT, STALE

#: Threads that answer; one is busy with each request, and each connection that says nothing.
THREADS = 32
#: How long a connection may say nothing, in seconds.
IDLE = 60
#: How often the listening thread looks whether it is to end, in seconds.
INTERVAL = 0.05


class CherootServer:
    name = "cheroot"
    interface = WSGI

    def __init__(self, application: Callable[..., Any], *, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._application = application

    def start(self) -> None:
        listener = listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        self._server = _Server(listener, self._application)
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=[ready], name="live server", daemon=True
        )
        self._thread.start()
        ready.wait()

    def _serve(self, ready: threading.Event) -> None:
        """Workers are made here: they are daemons because this thread is one."""
        self._server.prepare()
        ready.set()
        self._server.serve()

    def renew(self) -> None:
        accept_all(self.port, self.host)
        for connection in list(self._server.open_connections):
            connection.is_stale = True
            shut_down(connection.socket)

    def stop(self) -> None:
        self._server.stop()
        self._thread.join()


class _Connection(HTTPConnection):
    """Forgets what a client that has left was to be sent, and does not try again."""

    def __init__(self, server: _Server, *args: Any) -> None:
        super().__init__(server, *args)
        self.is_stale = False
        server.open_connections.add(self)

    def close(self) -> None:
        self.server.open_connections.discard(self)
        super().close()
        buffer = getattr(self.wfile, "_write_buf", None)
        if buffer:
            buffer.clear()


class _Gateway(wsgi.Gateway_10):
    """Tells the application how to end the connection."""

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        connection = self.req.conn
        environ[ABORT] = partial(shut_down, connection.socket)
        environ[STALE] = lambda: connection.is_stale
        return environ


class _Server(wsgi.Server):
    """Serves connections to a socket that listens already."""

    expiration_interval = INTERVAL
    ConnectionClass = _Connection

    def __init__(self, listener: socket.socket, application: Callable[..., Any]) -> None:
        address = listener.getsockname()[:2]
        super().__init__(address, application, numthreads=THREADS, timeout=IDLE)
        self.gateway = _Gateway
        self.open_connections: set[_Connection] = set()
        self._listener = listener
        self.requests.stop = self._end_workers

    def bind(self, *args: Any) -> socket.socket:
        self.socket = self._listener
        return self._listener

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        if level >= logging.ERROR:
            super().error_log(msg, level, traceback)

    def _end_workers(self, timeout: float = 0) -> None:
        """Cheroot's own way waits for ever for a request that does not return."""
        workers = list(self.requests._clear_threads())
        for worker in workers:
            self.requests.put(_SHUTDOWNREQUEST)
            if worker.conn is not None:
                shut_down(worker.conn.socket)
        deadline = time.monotonic() + FAREWELL
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
