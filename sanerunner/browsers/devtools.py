"""A browser's own DevTools connection, beside the driver's: for what drivers cannot do."""

from __future__ import annotations

import itertools
import json
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

TIMEOUT = 5.0  # seconds, for an answer


class DevtoolsError(Exception):
    """The browser does not answer, or refuses."""


class Devtools:
    """Commands to the browser as a whole. ``url`` is that of its WebSocket."""

    def __init__(self, url: str) -> None:
        import websocket  # a dependency of Selenium's

        self._failures: Any = (websocket.WebSocketException, OSError, ValueError)
        self._ids = itertools.count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        try:
            # Browsers refuse an Origin that they do not know.
            self._socket = websocket.create_connection(url, timeout=TIMEOUT, suppress_origin=True)
        except self._failures as error:
            raise DevtoolsError(f"{url} does not answer: {error}") from error

    def send(self, method: str, session: str = "", **parameters: Any) -> int:
        """Send a command, to the browser or to what a session is attached to; return its number
        for ``answer()``.
        """
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        try:
            self._socket.send(json.dumps(message))
        except self._failures as error:
            raise DevtoolsError(f"{method}: {error}") from error
        return number

    def answer(self, number: int, *, timeout: float = TIMEOUT) -> dict[str, Any]:
        """Wait for the answer to a command; return its result. Raises DevtoolsError."""
        deadline = time.monotonic() + timeout
        while number not in self._answers:
            left = deadline - time.monotonic()
            if left <= 0:
                raise DevtoolsError(f"no answer within {timeout:g} s")
            try:
                self._socket.settimeout(left)
                message = json.loads(self._socket.recv())
            except self._failures as error:
                raise DevtoolsError(f"no answer: {error}") from error
            if "id" in message:  # else an event
                self._answers[message["id"]] = message
        answer = self._answers.pop(number)
        if "error" in answer:
            raise DevtoolsError(str(answer["error"].get("message", answer["error"])))
        result: dict[str, Any] = answer.get("result", {})
        return result

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command; return its result. Raises DevtoolsError."""
        return self.answer(self.send(method, **parameters))

    def close(self) -> None:
        try:
            self._socket.close(timeout=1)
        except self._failures:
            pass


def devtools_url(capabilities: Mapping[str, Any]) -> str | None:
    """Return the URL of the WebSocket of a Chromium that a driver has started, or None."""
    if isinstance(found := capabilities.get("se:cdp"), str):  # a Grid passes it on
        return found
    options = capabilities.get("goog:chromeOptions")
    address = options.get("debuggerAddress") if isinstance(options, Mapping) else None
    if not address:
        return None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/json/version", timeout=TIMEOUT) as response:
            url: str = json.load(response)["webSocketDebuggerUrl"]
    except (OSError, ValueError, KeyError):  # on another machine, behind a Grid
        return None
    return url
