"""The browsers of this process: one of each sort, started when a test first needs it."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..exceptions import BrowserUnavailable
from .base import Browser, BrowserOptions

__unittest = True  # unittest leaves the frames of this module out of tracebacks


def _selenium(options: BrowserOptions) -> Browser:
    from .selenium import SeleniumBrowser  # only then: it takes long to import

    return SeleniumBrowser(options)


def _playwright(options: BrowserOptions) -> Browser:
    from .playwright import PlaywrightBrowser  # only then: it takes long to import

    return PlaywrightBrowser(options)


#: What a test may ask for, and who gives it.
SORTS: Mapping[str, Callable[[BrowserOptions], Browser]] = {
    "selenium": _selenium,
    "playwright": _playwright,
}


# What importing them changes, filters of warnings for one, is no test's affair.
_LIBRARIES: Mapping[str, Sequence[str]] = {
    "selenium": ("selenium.webdriver", "selenium.webdriver.remote.remote_connection"),
    "playwright": ("playwright.sync_api",),
}


def load_library(sort: str) -> None:
    """Import what drives browsers of this sort, if it is installed; it takes long."""
    for name in _LIBRARIES[sort]:
        if find_spec(name.partition(".")[0]) is not None:
            import_module(name)


class ProcessBrowsers:
    """Keeps them until ``stop()``. Where there is no browser at all, this is found out once."""

    def __init__(
        self,
        options: BrowserOptions,
        *,
        sorts: Mapping[str, Callable[[BrowserOptions], Browser]] = SORTS,
    ) -> None:
        self._options = options
        self._sorts = sorts
        self._browsers: dict[str, Browser] = {}
        self._worked: set[str] = set()
        self._missing: dict[str, str] = {}
        self._pid = 0

    def open(self, sort: str, url_root: str | None) -> tuple[Browser, Mapping[str, Any]]:
        """Return the browser, and the attributes that a test gets for a clean context in it.

        Raises BrowserUnavailable.
        """
        self._leave_inherited()
        if sort in self._missing:
            raise BrowserUnavailable(self._missing[sort])
        browser = self._browsers.get(sort)
        if browser is None:
            browser = self._browsers[sort] = self._sorts[sort](self._options)
        try:
            attributes = browser.open(url_root)
        except BrowserUnavailable as error:
            if sort not in self._worked:
                self._missing[sort] = str(error)
            raise BrowserUnavailable(str(error)) from None
        self._worked.add(sort)
        return browser, attributes

    def stop(self) -> None:
        """End all browsers."""
        browsers, self._browsers = self._browsers, {}
        if self._pid == os.getpid():
            for browser in browsers.values():
                browser.stop()

    def _leave_inherited(self) -> None:
        """A forked process has browsers of its own."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._browsers = {}
            atexit.register(self.stop)
