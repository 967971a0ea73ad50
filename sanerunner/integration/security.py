"""Who may use the control API: programs of this machine that know the token.

A page in the developer's browser can send requests to this machine, and a name of its own
can be made to lead here (DNS rebinding): so ``Host`` and ``Origin`` are checked before the token,
and even a page that holds the token is refused.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable

from .problems import Problem
from .requests import Request

#: Names that lead to this machine, whoever resolves them.
_LOCAL = {"127.0.0.1", "localhost", "[::1]"}
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")


class Doorkeeper:
    """Admits requests with ``token`` to the server at ``host`` and ``port``.

    ``others`` are names, or name:port, by which clients on other machines reach it; without any,
    only clients on this machine are admitted.
    """

    def __init__(self, token: str, *, host: str, port: int, others: Iterable[str] = ()) -> None:
        if not token:
            raise ValueError("a control API needs a token")
        self._token = token.encode()
        self._port = port
        self._others = {name.lower() for name in others}
        self._own = _LOCAL | {f"[{host}]" if ":" in host else host.lower()}

    def admit(self, request: Request) -> None:
        """Raise Problem unless the request may do what it asks for. Whoever has no token learns
        nothing but that.
        """
        if not self._others and not _is_loopback(request.peer):
            raise Problem(
                403,
                "forbidden",
                "Only programs on this machine may use the control API; others, if "
                'SANERUNNER["INTEGRATION"]["CONTROL_HOSTS"] names the host that they ask for.',
            )
        host = request.headers.get("host", "").lower()
        if not self._is_own(host):
            raise Problem(403, "forbidden", f"The Host {host!r} is not this server's.")
        self._check_page(request, host)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        sent = given.strip().encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(sent, self._token) or scheme.lower() != "bearer":
            raise Problem(
                401,
                "unauthorized",
                "Send the token of this server, as Authorization: Bearer TOKEN "
                "(SANE_CONTROL_TOKEN in the environment of --exec, and in --ready-file).",
                headers=(("WWW-Authenticate", "Bearer"),),
            )

    def _is_own(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        if host in self._others:
            return True
        name = match["name"]
        known = name in self._own or name.endswith(".localhost") or name in self._others
        return known and int(match["port"] or 80) == self._port

    def _check_page(self, request: Request, host: str) -> None:
        origin = request.headers.get("origin")
        foreign = origin is not None and origin.lower() not in (
            f"http://{host}",
            f"https://{host}",
        )
        if foreign or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Problem(
                403,
                "forbidden",
                "A page of another origin may not use the control API: call it from the process "
                "that runs the specs.",
            )


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
