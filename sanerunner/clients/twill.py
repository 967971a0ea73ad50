"""``self.twill``: the browser of twill 3, for the live server."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from email.message import Message
from http.client import responses
from typing import Any
from urllib.parse import urljoin

_path = list(sys.path)

import twill  # noqa: E402
from twill import browser, commands  # noqa: E402
from twill.errors import TwillException  # noqa: E402

from .errors import SERVER_ERROR, HTTPServerError  # noqa: E402
from .urlopen import TIMEOUT  # noqa: E402

__unittest = True  # unittest leaves the frames of this module out of tracebacks

# What importing twill has changed in the process: it adds its extensions to the import path, and
# prints where it is to what was stdout at that moment, a test's perhaps.
_EXTENSIONS = [entry for entry in sys.path if entry not in _path]
sys.path[:] = _path
twill.log.handlers.clear()
twill.log.setLevel(logging.NOTSET)

#: What loads a page, besides ``go()`` and ``go_xpath()``.
_LOADING = frozenset({"submit", "follow_link", "reload"})


class Twill:
    """The one browser that twill has in a process, and twill's ``commands``.

    All attributes of ``twill.browser`` are there. Paths are below ``base_url``, or relative to
    the current page. ``failures()`` returns the tracebacks of the server, for the message of a
    HTTPServerError, which is an HTTPError: it is raised for a status of 500 or above.
    """

    #: twill's own language: ``commands.formvalue("1", "name", "Oak")``.
    commands: Any = commands

    def __init__(self, base_url: str, *, failures: Callable[[], str] = lambda: "") -> None:
        self._base_url = base_url
        self._failures = failures
        sys.path += _EXTENSIONS
        self.reset()

    def go(self, url: str) -> None:
        """Load a page."""
        browser.go(urljoin(browser.url or self._base_url, url))
        self._check()

    def go_xpath(self, path: str) -> None:
        """Follow the first link that the XPath expression finds: an element with ``href``, one
        around it or inside of it, or the attribute itself.

        Raises TwillException where there is none.
        """
        for found in browser.xpath(path):
            href = _href(found)
            if href is not None:
                self.go(href)
                return
        raise TwillException(f"no link matches XPath {path!r} on {browser.url}")

    def assert_code(self, code: int) -> None:
        """Fail where the status of the current page is not ``code``."""
        if browser.code != int(code):
            raise AssertionError(f"the status is {browser.code}, not {code}: {browser.url}")

    def reset(self) -> None:
        """Forget cookies, history, headers, credentials, the page, and twill's options."""
        commands.reset_browser()
        browser.timeout = TIMEOUT

    def close(self) -> None:
        """Reset, and close the connections to the server."""
        self.reset()
        sys.path[:] = [entry for entry in sys.path if entry not in _EXTENSIONS]

    def __getattr__(self, name: str) -> Any:
        value = getattr(browser, name)
        return self._checked(value) if name in _LOADING else value

    def _checked(self, load: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*args: Any, **kwargs: Any) -> Any:
            result = load(*args, **kwargs)
            self._check()
            return result

        return checked

    def _check(self) -> None:
        code = browser.code
        if code < SERVER_ERROR:
            return
        body = io.BytesIO(browser.dump)
        error = HTTPServerError(browser.url or "", code, responses.get(code, ""), Message(), body)
        error.traceback = self._failures()
        raise error


def _href(found: Any) -> str | None:
    """Return where that leads to which an XPath expression has found."""
    if isinstance(found, str):
        return str(found)
    for element in (found, *found.iterancestors("a"), *found.iter("a")):
        if href := element.get("href"):
            return str(href)
    return None
