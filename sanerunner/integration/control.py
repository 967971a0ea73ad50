"""The control API: ``/__sane__/`` in front of the site's own URLs.

Each request is refused or admitted (``security``), understood (``requests``, ``verbs``) and
applied whole or not at all (``applying``).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, NamedTuple

from django.core.serializers.json import DjangoJSONEncoder

from ..exceptions import RunnerError, ServerError
from .applying import Action, Doing, apply
from .factories import failed
from .problems import CONTENT_TYPE, Problem
from .requests import LIMIT, PREFIX, Request, is_ours, length_of, parse, require_json, too_long
from .runtime import Integration
from .security import Doorkeeper
from .verbs import Verbs

Application = Callable[..., Any]

READING = ("state", "mail")
POSTING = ("reset", "checkpoint", "rollback", "factory", "login", "time", "command")
_SCENARIO = re.compile(r"scenario/([^/]+)")
# What was made, and not only changed.
_CREATED = {"factory"}


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: list[tuple[str, str]]


class Control:
    """Answers requests for ``integration`` from whoever has the token."""

    def __init__(self, integration: Integration, token: str) -> None:
        self._integration = integration
        self._token = token
        self._verbs = Verbs(integration)

    def admit(self, request: Request) -> int:
        """Return the length of the body that is to be read. Raises Problem for all that can be
        refused without it.
        """
        server, offered = self._integration.server, self._integration.config.integration
        Doorkeeper(
            self._token, host=server.host, port=server.port, others=offered.control_hosts
        ).admit(request)
        verb, _ = _route(request)
        if verb in READING:
            return 0
        require_json(request)
        return length_of(request)

    def answer(self, request: Request, body: bytes) -> Answer:
        """Do what an admitted request asks for; this may take a while."""
        doing = Doing()
        try:
            status, value = self._do(request, body, doing)
        except Problem as problem:
            self._undo(doing)
            return answer_of(problem)
        except ServerError as error:
            return answer_of(Problem(503, "shutting-down", str(error)))
        except RunnerError as error:  # a message for the user
            self._undo(doing)
            return answer_of(Problem(500, "failed", str(error)))
        except Exception as error:
            self._undo(doing)
            return answer_of(failed("The request", error))
        return _answer(status, value, doing.headers)

    def _do(self, request: Request, body: bytes, doing: Doing) -> tuple[int, Any]:
        verb, name = _route(request)
        if verb in READING:
            return 200, self._verbs.one(verb, {}).run(doing)
        data = parse(body)
        if verb == "command":
            return 200, {"results": self._apply(self._verbs.several(data), doing)}
        if name is not None and isinstance(data, dict):
            data = {**data, "name": name}
        action = self._verbs.one(verb, data)
        try:
            result = self._apply([action], doing)[0]
        except Problem as problem:
            problem.members.pop("command", None)  # there was only one
            raise
        return 201 if verb in _CREATED else 200, result

    def _apply(self, actions: list[Action], doing: Doing) -> list[Any]:
        return apply(self._integration, actions, doing)

    def _undo(self, doing: Doing) -> None:
        for undo in reversed(doing.undo):
            self._integration.call(undo)


def _route(request: Request) -> tuple[str, str | None]:
    """Return the verb that the path names, and the scenario. Raises Problem."""
    path = request.path.removeprefix(PREFIX.rstrip("/")).strip("/")
    scenario = _SCENARIO.fullmatch(path)
    verb = "scenario" if scenario else path
    if verb not in READING and verb not in POSTING and scenario is None:
        known = [*READING, *POSTING, "scenario/<name>"]
        raise Problem(
            404,
            "not-found",
            f"There is no {request.path!r}. Known: "
            + ", ".join(f"{PREFIX}{each}/" for each in known),
            known=known,
        )
    method = "GET" if verb in READING else "POST"
    if request.method != method:
        raise Problem(
            405,
            "method-not-allowed",
            f"{PREFIX}{path}/ takes {method}, not {request.method}.",
            headers=(("Allow", method),),
        )
    return verb, scenario[1] if scenario else None


def answer_of(problem: Problem) -> Answer:
    return _answer(problem.status, problem.as_json(), list(problem.headers), CONTENT_TYPE)


def _answer(
    status: int,
    value: Any,
    headers: list[tuple[str, str]],
    content_type: str = "application/json",
) -> Answer:
    body = json.dumps(value, cls=DjangoJSONEncoder).encode()
    return Answer(
        status,
        body,
        [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            *headers,
        ],
    )


class WSGIControl:
    """The API in front of a WSGI application."""

    def __init__(self, control: Control, application: Application) -> None:
        self._control = control
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Application) -> Iterable[bytes]:
        if not is_ours(environ.get("PATH_INFO", "")):
            site: Iterable[bytes] = self._application(environ, start_response)
            return site
        request = _from_environ(environ)
        try:
            length = self._control.admit(request)
            answer = self._control.answer(request, environ["wsgi.input"].read(length))
        except Problem as problem:
            answer = answer_of(problem)
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
        return [answer.body]


def _from_environ(environ: dict[str, Any]) -> Request:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    return Request(environ["REQUEST_METHOD"], path, headers, environ.get("REMOTE_ADDR", ""))


class ASGIControl:
    """The API in front of an ASGI application."""

    def __init__(self, control: Control, application: Application) -> None:
        self._control = control
        self._application = application
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="control")

    async def __call__(
        self, scope: dict[str, Any], receive: Application, send: Application
    ) -> None:
        if scope["type"] != "http" or not is_ours(scope["path"]):
            await self._application(scope, receive, send)
            return
        request = _from_scope(scope)
        try:
            length = self._control.admit(request)
            body = await _read(receive, length)
            # Requests that are waited for go on in the loop's thread and in its own pool.
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._pool, self._control.answer, request, body)
        except Problem as problem:
            answer = answer_of(problem)
        headers = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _from_scope(scope: dict[str, Any]) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    client = scope.get("client") or ("", 0)
    return Request(scope["method"], scope["path"], headers, client[0])


async def _read(receive: Callable[[], Awaitable[dict[str, Any]]], length: int) -> bytes:
    body = b""
    while len(body) < length:
        message = await receive()
        if message["type"] != "http.request":
            raise Problem(400, "malformed-request", "The client has left.")
        body += message.get("body", b"")
        if len(body) > LIMIT:
            raise too_long()
        if not message.get("more_body"):
            break
    return body


def mount(
    integration: Integration, token: str, *, interface: str
) -> Callable[[Application], Application]:
    """Return a middleware of ``interface`` ("wsgi" or "asgi"): the control API of
    ``integration``. Raises UsageError for what the settings offer and there is not.
    """
    control = Control(integration, token)
    form = ASGIControl if interface == "asgi" else WSGIControl
    return lambda application: form(control, application)
