"""``self.urlopen()``: urllib.request, for paths on the live server."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

from .errors import SERVER_ERROR, HTTPServerError

TIMEOUT = 60.0  # seconds; a server that has not answered by then will not


def open_url(
    base_url: str,
    url: str | Request,
    data: bytes | None = None,
    *,
    timeout: float = TIMEOUT,
    failures: Callable[[], str] = lambda: "",
    **options: Any,
) -> Any:
    """Return the response to a request; paths are below ``base_url``.

    Raises HTTPError as ``urllib.request.urlopen()`` does, and HTTPServerError, which is one, with
    what ``failures()`` returns (the tracebacks of the server) for a status of 500 or above.
    """
    if isinstance(url, str):
        url = urljoin(base_url, url)
    try:
        return urlopen(url, data, timeout, **options)
    except HTTPError as error:
        body = error.read()
        error.close()
        kind = HTTPServerError if error.code >= SERVER_ERROR else HTTPError
        read = kind(error.url, error.code, str(error.msg), error.headers, io.BytesIO(body))
        if isinstance(read, HTTPServerError):
            read.traceback = failures()
        raise read from None
