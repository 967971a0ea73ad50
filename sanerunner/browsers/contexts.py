"""Clean contexts for tests in one browser that Selenium drives.

A context is what another profile would be: it has cookies, storage, caches, workers, permissions
and windows of its own. There is always one more than the test's: the next one, since drivers end
a browser without windows. It is asked for when a test ends, and comes while others things are
done.
"""

from __future__ import annotations

from typing import Any, Protocol

from .base import WINDOW
from .devtools import Devtools, DevtoolsError, devtools_url


class Contexts(Protocol):
    def enter(self) -> None:
        """Switch the driver to a window in a clean context."""

    def leave(self) -> None:
        """End the context of ``enter()``, however busy it is."""

    def close(self) -> None:
        """Let go of what is not the driver's."""


def contexts_for(driver: Any) -> Contexts | None:
    """Return what the browser of ``driver`` can do; None if it has to be replaced to be clean."""
    url = devtools_url(driver.capabilities)
    if url is not None:
        try:
            return DevtoolsContexts(driver, Devtools(url))
        except DevtoolsError:  # refused by what stands in between
            pass
    if driver.capabilities.get("webSocketUrl"):
        return BidiContexts(driver)
    return None


class DevtoolsContexts:
    """Those of Chromium's DevTools protocol. Ending one needs nothing of its pages."""

    def __init__(self, driver: Any, devtools: Devtools) -> None:
        self._driver = driver
        self._devtools = devtools
        self._current = self._next = self._window = ""
        self._asked = 0
        self._ask_for_next()
        self._devtools.answer(self._asked)
        self._asked = 0
        self._devtools.call("Target.closeTarget", targetId=driver.current_window_handle)

    def enter(self) -> None:
        if self._asked:
            self._window = self._devtools.answer(self._asked)["targetId"]
            self._asked = 0
        self._driver.switch_to.window(self._window)
        self._current, self._next = self._next, ""

    def leave(self) -> None:
        self._ask_for_next()
        self._devtools.call("Target.disposeBrowserContext", browserContextId=self._current)
        self._current = ""

    def close(self) -> None:
        self._devtools.close()

    def _ask_for_next(self) -> None:
        context = self._devtools.call("Target.createBrowserContext", disposeOnDetach=True)
        self._next = context["browserContextId"]
        width, height = WINDOW
        self._asked = self._devtools.send(
            "Target.createTarget",
            url="about:blank",
            browserContextId=self._next,
            width=width,
            height=height,
        )


class BidiContexts:
    """Those of WebDriver BiDi, called user contexts: Firefox has them, and Grids pass them on."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._current = self._next = self._window = ""
        self._make_next()
        driver.close()  # the window that it has started with

    def enter(self) -> None:
        self._driver.switch_to.window(self._window)
        self._current, self._next = self._next, ""

    def leave(self) -> None:
        self._make_next()
        self._driver.browser.remove_user_context(self._current)
        self._current = ""

    def close(self) -> None:
        """All of it is the driver's."""

    def _make_next(self) -> None:
        self._next = self._driver.browser.create_user_context()
        self._window = self._driver.browsing_context.create(type="tab", user_context=self._next)
