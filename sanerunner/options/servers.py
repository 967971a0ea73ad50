"""Options: live servers."""

from __future__ import annotations

from ..parsing import choice, parse_grace, parse_host, parse_port, parse_url_root
from .option import Option

SERVERS: tuple[Option, ...] = (
    Option(
        key="LIVE_SERVER",
        flags=("--live-server",),
        arguments={"metavar": "wsgi|cheroot|asgi"},
        parse=choice("wsgi", "cheroot", "asgi"),
        default="wsgi",
        help="What serves the project to HTTP and browser tests: Django's server (the default), "
        "CherryPy's, or uvicorn.",
    ),
    Option(
        key="LIVE_SERVER_ADDRESS",
        flags=("--live-server-address",),
        arguments={"metavar": "HOST"},
        parse=parse_host,
        default="127.0.0.1",
        help="Where the live server listens; 127.0.0.1 by default, which only this machine "
        "reaches.",
    ),
    Option(
        key="LIVE_SERVER_PORT",
        flags=("--live-server-port",),
        arguments={"metavar": "PORT"},
        parse=parse_port,
        default=0,
        help="The port of the live server; 0, the default, is any free one.",
    ),
    Option(
        key="LIVE_SERVER_GRACE",
        flags=("--live-server-grace",),
        arguments={"metavar": "SECONDS"},
        parse=parse_grace,
        default=2.0,
        help="How long requests that a test has left running are waited for before the test is "
        "failed for them; 2 seconds by default.",
    ),
    Option(
        key="URL_ROOT_SERVER_ADDRESS",
        parse=parse_host,
        default="",
        help="The host in the live server's URL, where clients know it by another name than "
        "LIVE_SERVER_ADDRESS.",
    ),
    Option(
        key="URL_ROOT",
        parse=parse_url_root,
        default="",
        help="The whole URL of the live server, as clients see it: through a proxy.",
    ),
)
