"""uvicorn: async views, and WebSockets with an ASGI application."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import uvicorn

from ..exceptions import ServerError
from .base import ASGI, FAREWELL, PATIENCE, accept_all, listen

#: How long a connection may say nothing, in seconds.
IDLE = 120


class UvicornServer:
    name = "asgi"
    interface = ASGI

    def __init__(self, application: Callable[..., Any], *, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._application = application

    def start(self) -> None:
        listener = listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        self._server = _Server(self._application)
        self._thread = threading.Thread(
            target=self._server.run_on, args=[listener], name="live server", daemon=True
        )
        self._thread.start()
        self._server.ready.wait()
        if not self._server.started:
            self._thread.join()
            listener.close()
            raise ServerError(
                f"The live server cannot start: {self._server.why or 'uvicorn gives no reason'}"
            )

    def renew(self) -> None:
        accept_all(self.port, self.host)
        self._server.renew()

    def stop(self) -> None:
        self._server.end()
        self._thread.join(FAREWELL * 4)  # an application may keep the event loop busy


class _Server(uvicorn.Server):
    """Ends when it is told to, and not at the next tenth of a second."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self.ready = threading.Event()
        self.why = ""
        super().__init__(
            uvicorn.Config(
                self._watched(application),
                access_log=False,
                log_config=None,
                log_level="critical",  # what applications raise is told by the gate
                ws=_websockets(),
                timeout_keep_alive=IDLE,
                timeout_graceful_shutdown=0,
            )
        )

    def run_on(self, listener: socket.socket) -> None:
        """Serve until ``end()``."""
        try:
            asyncio.run(self.serve(sockets=[listener]))
        except SystemExit:
            pass  # it has not started
        finally:
            self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._ends = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets=sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        counter = 0
        while not self._ends.is_set():
            await self.on_tick(counter)
            counter += 10  # once a second: the time in the header "date"
            try:
                await asyncio.wait_for(self._ends.wait(), 1)
            except asyncio.TimeoutError:
                pass

    def renew(self) -> None:
        """Return when the requests that came over them are with the application."""
        renewed = threading.Event()

        def abort() -> None:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            self._loop.call_soon(renewed.set)  # after the tasks that were made already

        self._loop.call_soon_threadsafe(abort)
        renewed.wait(PATIENCE)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ends.set)

    def _watched(self, application: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(scope: Any, receive: Any, send: Any) -> None:
            async def tell(message: Any) -> None:
                if message["type"] == "lifespan.startup.failed":
                    self.why = message.get("message") or "the application's lifespan has failed"
                await send(message)

            await application(scope, receive, tell if scope["type"] == "lifespan" else send)

        return watched


def _websockets() -> Any:
    """Return how uvicorn speaks WebSocket: by ``websockets`` if that is installed."""
    return "websockets-sansio" if find_spec("websockets") else "none"
