"""What a live server must be able to do."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any, Protocol

from ..exceptions import ServerError

WSGI, ASGI = "wsgi", "asgi"

#: How long threads are waited for at the end, when their connections were shut down, in seconds.
FAREWELL = 0.5

#: How long a server may take to accept what waits for it, in seconds.
PATIENCE = 1.0

#: Connections that wait to be accepted: Chromium opens many at once.
BACKLOG = 128


class LiveServer(Protocol):
    """Serves one application in threads of its own, from ``start()`` to ``stop()``.

    ``interface`` is the kind of application it takes, "wsgi" or "asgi". ``port`` is 0 until a
    server that was given none has started.
    """

    name: str
    interface: str
    host: str
    port: int

    def __init__(self, application: Callable[..., Any], *, host: str, port: int) -> None: ...

    def start(self) -> None:
        """Return when the port listens.

        Raises ServerError, with the address and what to change, where it cannot.
        """

    def renew(self) -> None:
        """End all connections, those that wait to be accepted too: what was sent over them, and
        was not passed to the application yet, never is.
        """

    def stop(self) -> None:
        """Accept nothing more, and shut down all connections: nothing answers afterwards.

        A request that does not return keeps its thread, which is a daemon.
        """


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host`` (a name or an address) and ``port`` (0: any).

    Raises ServerError.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise unavailable(host, port, error) from error
    # With a protocol that is not named, asyncio does not set TCP_NODELAY on what it accepts.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # What is accepted inherits this, where a server does not set it: 44 ms an answer.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if os.name == "posix":  # elsewhere it would let two servers have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise unavailable(host, port, error) from error
    return listener


def accept_all(port: int, host: str) -> None:
    """Return when a server has accepted what waited for it: it does so in turn."""
    everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
    try:
        with socket.create_connection((everywhere.get(host, host), port), PATIENCE) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while connection.recv(1024):
                pass
    except OSError:
        pass  # a server that is busy with requests without an end accepts nothing more


def shut_down(connection: socket.socket) -> None:
    """End a connection that another thread may be using: it finds that the client is gone."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the client was faster


def unavailable(host: str, port: int, error: Exception) -> ServerError:
    """Return the error for an address that cannot be listened on: what to change, and where."""
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        why = (
            f"port {port} is in use by another process. Set LIVE_SERVER_PORT to another port, or "
            "to 0 for any free one (--live-server-port); with --parallel each process needs its "
            "own."
        )
    elif code == errno.EACCES:
        why = (
            f"port {port} needs privileges. Set LIVE_SERVER_PORT to one above 1023, or to 0 for "
            "any free one (--live-server-port)."
        )
    else:
        reason = getattr(error, "strerror", None) or error
        why = f"{reason}. Set LIVE_SERVER_ADDRESS to an address of this machine, as 127.0.0.1."
    return ServerError(f"The live server cannot listen on {host}:{port}: {why}")
