"""The classes whose tests use a real browser."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin

from django.conf import settings

from .. import conf
from ..browsers.base import BrowserOptions
from ..browsers.process import ProcessBrowsers
from ..browsers.visits import Visit, artifact_folder, visit_of
from ..browsers.waiting import TIMEOUT, wait_until
from .http import HttpTestCase

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page
    from selenium.webdriver.remote.webdriver import WebDriver

__unittest = True  # unittest leaves the frames of this module out of tracebacks

Found = TypeVar("Found")

_alone: ProcessBrowsers | None = None  # under another runner, which has no behaviors


class _BrowserTestCase(HttpTestCase):
    """What is alike, whichever library drives the browser."""

    test_type = "selenium"
    _sort: str

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        if visit_of(self) is None:
            self._visit_alone()
        return super().run(result)

    @classmethod
    def url(cls, path: str = "/") -> str:
        """Return the address of ``path`` on the live server, as the browser sees it."""
        root = conf.load({}).browser_url_root or cls.live_server_url
        return urljoin(f"{root}/", path)

    def login(self, user: Any, *, backend: str | None = None) -> None:
        """Log ``user`` in, without the login form: the browser gets the session's cookie.

        ``backend`` is the dotted path of an authentication backend.
        """
        from ..clients.sessions import session_cookie

        cookie = session_cookie(user, backend=backend)
        visit = visit_of(self)
        assert visit is not None
        visit.set_cookie(cookie.name, cookie.value, secure=settings.SESSION_COOKIE_SECURE)

    def wait_until(
        self,
        condition: Callable[[], Found],
        what: str = "",
        *,
        timeout: float = TIMEOUT,
    ) -> Found:
        """Call ``condition`` until it returns something true, and return that.

        An exception that it raises means "not yet". Fails after ``timeout`` seconds, saying what
        was waited for (``what``, else the source of ``condition``), what came last, and where the
        browser was.
        """
        return wait_until(
            condition, what, timeout=timeout, pause=self._pause, detail=self._describe_page
        )

    def _pause(self, seconds: float) -> None:
        raise NotImplementedError

    def _describe_page(self) -> str:
        try:
            return f"the browser is at {self._address()}"
        except Exception:  # it has crashed, or shows a dialog
            return ""

    def _address(self) -> str:
        raise NotImplementedError

    def _visit_alone(self) -> None:
        global _alone
        config = conf.load({})
        if _alone is None:
            _alone = ProcessBrowsers(BrowserOptions.of(config))
        Visit(
            self,
            [self._sort],
            _alone,
            force=config.force_browsers,
            url_root=config.browser_url_root or None,
            artifacts=artifact_folder(config.artifacts),
        ).expect()


class SeleniumTestCase(_BrowserTestCase):
    """Each test has a browser that Selenium drives, as if new: ``self.selenium``, a WebDriver."""

    selenium_start = True
    _sort = "selenium"

    selenium: WebDriver

    def open(self, path: str = "/") -> None:
        """Let the browser go to ``path`` on the live server."""
        self.selenium.get(self.url(path))

    def wait_for(self, selector: str, *, timeout: float = TIMEOUT) -> Any:
        """Return the element that a CSS selector finds, once it is there and visible."""

        def visible() -> Any:
            found = self.selenium.find_element("css selector", selector)
            return found if found.is_displayed() else None

        return self.wait_until(visible, f"a visible {selector!r}", timeout=timeout)

    def wait_for_text(self, text: str, *, timeout: float = TIMEOUT) -> None:
        """Wait until the page shows ``text``."""

        def shown() -> bool:
            return text in self.selenium.find_element("css selector", "body").text

        self.wait_until(shown, f"the text {text!r}", timeout=timeout)

    def _pause(self, seconds: float) -> None:
        import time

        time.sleep(seconds)

    def _address(self) -> str:
        return str(self.selenium.current_url)


class PlaywrightTestCase(_BrowserTestCase):
    """Each test has a page that Playwright drives, ``self.page``, in a context of its own,
    ``self.context``. Django's ORM works between two calls.
    """

    playwright_start = True
    _sort = "playwright"

    page: Page
    context: BrowserContext

    def open(self, path: str = "/") -> None:
        """Let the page go to ``path`` on the live server."""
        self.page.goto(self.url(path))

    def _pause(self, seconds: float) -> None:
        self.page.wait_for_timeout(seconds * 1000)  # so that Playwright's events come in

    def _address(self) -> str:
        return str(self.page.url)
