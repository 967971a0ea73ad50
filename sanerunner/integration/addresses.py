"""What ``addrport`` means: "8000", "127.0.0.1:8000", "[::1]:8000", "localhost:0"."""

from __future__ import annotations

from ..exceptions import UsageError
from ..parsing import parse_host, parse_port
from ..servers.process import LOOPBACK

#: Where people expect Django's development server.
DEFAULT_PORT = 8000


def parse_address(text: str | None, *, default_port: int = DEFAULT_PORT) -> tuple[str, int]:
    """Return host and port; port 0 is any free one. Raises UsageError."""
    if not text:
        return LOOPBACK, default_port
    host, separator, port = text.rpartition(":")
    if text.endswith("]") or (separator and not host):
        raise _wrong(text, "it has no " + ("port" if text.endswith("]") else "host"))
    try:
        return parse_host(host) if separator else LOOPBACK, parse_port(port)
    except ValueError as error:
        raise _wrong(text, str(error)) from None


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(f"addrport {text!r}: {why}. It is a port, or an address and a port.")
