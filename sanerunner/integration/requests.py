"""What a request to the control API says, whatever interface it came by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .problems import Problem

#: Where the API is.
PREFIX = "/__sane__/"
#: How large a body may be, in bytes.
LIMIT = 1_000_000


@dataclass(frozen=True)
class Request:
    """A request without its body. Names of headers are in lower case; ``path`` is decoded;
    ``peer`` is the address of the client, "" where it is not known.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    peer: str


def is_ours(path: str) -> bool:
    """Whether a path is the control API's, and never the site's."""
    return path.startswith(PREFIX) or path == PREFIX.rstrip("/")


def length_of(request: Request) -> int:
    """Return how long the body is, in bytes. Raises Problem for one that is too long, or of
    which the length is not told.
    """
    text = request.headers.get("content-length", "")
    if request.headers.get("transfer-encoding"):
        raise Problem(411, "length-required", "Send a Content-Length, not a chunked body.")
    if text and not (text.isascii() and text.isdecimal()):
        raise Problem(400, "malformed-request", f"Content-Length {text!r} is not a number.")
    if text and (len(text) > 18 or int(text) > LIMIT):
        raise too_long()
    return int(text or 0)


def too_long() -> Problem:
    return Problem(413, "body-too-long", f"The body is longer than {LIMIT} bytes.")


def require_json(request: Request) -> None:
    """Raise Problem unless the body is said to be JSON, which no HTML form can say."""
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != "application/json":
        raise Problem(
            415, "unsupported-media-type", "Send JSON, with Content-Type: application/json."
        )


def parse(body: bytes) -> Any:
    """Return what the body says; nothing at all is an empty object."""
    if not body.strip():
        return {}
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "malformed-request", f"The body is not JSON: {error}.") from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a value of JSON")
