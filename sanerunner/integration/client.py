"""A client of the control API, for pytest and for scripts: nothing but the standard library.

It does not import Django, and needs no settings.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

Json = dict[str, Any]


class ControlError(Exception):
    """The integration server has refused a request, or failed at it: nothing of it was applied.

    ``status`` is that of HTTP, 0 where there was no answer. ``problem`` holds all that the
    server says: ``type``, ``title``, ``detail``, and more (``matches``, ``traceback``).
    """

    def __init__(self, status: int, problem: Json) -> None:
        self.status = status
        self.problem = problem
        super().__init__(str(problem.get("detail", "")))

    def __str__(self) -> str:
        traceback = self.problem.get("traceback", "")
        return f"{self.args[0]}\n{traceback}" if traceback else str(self.args[0])


class Cookie(NamedTuple):
    """A session's cookie."""

    name: str
    value: str


class Client:
    """Tells a running ``manage.py integrationserver`` what to do.

    ``url`` and ``token`` are by default those that ``--exec`` puts into the environment:
    SANE_BASE_URL and SANE_CONTROL_TOKEN. ``timeout`` is how long an answer may take, in seconds.
    All methods raise ControlError.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, timeout: float = 60.0
    ) -> None:
        self.url = (url or os.environ.get("SANE_BASE_URL", "")).rstrip("/")
        self._token = token or os.environ.get("SANE_CONTROL_TOKEN", "")
        self._timeout = timeout
        for value, name, variable in (
            (self.url, "URL", "SANE_BASE_URL"),
            (self._token, "token", "SANE_CONTROL_TOKEN"),
        ):
            if not value:
                raise ControlError(
                    0,
                    {
                        "detail": f"No {name} of an integration server: give one, set {variable}, "
                        "or run this by manage.py integrationserver --exec."
                    },
                )

    def reset(self) -> None:
        """Put the databases back to the populated state; clear caches, mail and sessions."""
        self._post("reset", {})

    def checkpoint(self, name: str) -> None:
        """Take what there is now as the state ``name``, in place of one of that name."""
        self._post("checkpoint", {"name": name})

    def rollback(self, name: str) -> None:
        """Put all back to the state ``name``."""
        self._post("rollback", {"name": name})

    def create(self, factory: str, /, *traits: str, **attributes: Any) -> Json:
        """Return the fields of a new object: ``create("order", "paid", total=5)``."""
        found: Json = self.create_batch(factory, 1, *traits, **attributes)[0]
        return found

    def create_batch(
        self, factory: str, count: int, /, *traits: str, **attributes: Any
    ) -> list[Any]:
        """Return ``count`` new objects."""
        answer = self._post(
            "factory",
            {"factory": factory, "count": count, "traits": traits, "attributes": attributes},
        )
        found: list[Any] = answer["objects"]
        return found

    def scenario(self, name: str, /, **arguments: Any) -> Any:
        """Return what a registered function returns."""
        return self._post(f"scenario/{quote(name, safe='')}", {"arguments": arguments})["result"]

    def login(self, user: str | int | Mapping[str, Any]) -> Cookie:
        """Return the cookie of a new session of a user: by name, primary key, or fields."""
        cookie = self._post("login", {"user": user})["cookie"]
        return Cookie(cookie["name"], cookie["value"])

    def mail(self) -> list[Json]:
        """Return the messages that the site has sent since the last reset."""
        found: list[Json] = self._send("GET", "mail")["messages"]
        return found

    def time(self, at: str | None, *, tick: bool = False) -> None:
        """Make it ``at`` (ISO 8601) for the site, and stop the time there unless it is to
        ``tick``; None is the real time.
        """
        self._post("time", {"at": at, "tick": tick})

    def state(self) -> Json:
        """Return what there is to know of the server."""
        found: Json = self._send("GET", "state")
        return found

    def command(self, commands: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Return the results of commands that are applied in order, all or none:
        ``[{"command": "reset"}, {"command": "factory", "factory": "order", "count": 3}]``.
        """
        found: list[Any] = self._post("command", list(commands))["results"]
        return found

    def _post(self, path: str, data: Any) -> Any:
        return self._send("POST", path, json.dumps(data, default=str).encode())

    def _send(self, method: str, path: str, body: bytes | None = None) -> Any:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        # No proxy and no redirect: the token is for this server only.
        connection = kind(parts.hostname or "", parts.port, timeout=self._timeout)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"{parts.path}/__sane__/{path}/", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__
            detail = f"The integration server at {self.url} does not answer: {reason}"
            raise ControlError(0, {"detail": detail}) from error
        finally:
            connection.close()
        return self._parsed(answer.status, text)

    def _parsed(self, status: int, text: bytes) -> Any:
        try:
            value = json.loads(text)
        except ValueError:
            detail = f"{self.url} is no integration server with a control API: it answers {status}"
            raise ControlError(status, {"detail": detail}) from None
        if status >= 400:
            raise ControlError(status, value)
        return value
