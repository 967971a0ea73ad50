"""Clean contexts for tests in one browser that Selenium drives.

A context is what another profile would be: it has cookies, storage, caches, workers, permissions
and windows of its own. There is always one more than the test's: the next one, since drivers end
a browser without windows. It is asked for when a test ends, and comes while others things are
done.
"""

from __future__ import annotations

from typing import Any, Protocol

from .base import WINDOW
from .devtools import TIMEOUT, Devtools, DevtoolsError, devtools_url

# Commands of the DevTools protocol that are carried out in the browser's first context unless they
# say in which.
_OF_CONTEXTS = {
    "Browser.grantPermissions",
    "Browser.resetPermissions",
    "Browser.setDownloadBehavior",
    "Browser.setPermission",
    "Storage.clearCookies",
    "Storage.getCookies",
    "Storage.setCookies",
}


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
        self._scope_commands()

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

    def _scope_commands(self) -> None:
        """Have what drivers do in the browser's first context done in the test's."""
        execute = self._driver.execute

        def scoped(command: str, params: Any = None) -> Any:
            if command == "setPermissions":
                name, state = params["descriptor"], params["state"]
                self._devtools.call(
                    "Browser.setPermission",
                    permission=name,
                    setting=state,
                    browserContextId=self._current,
                )
                return {"value": None}
            if command == "executeCdpCommand" and params["cmd"] in _OF_CONTEXTS:
                given = {"browserContextId": self._current, **params["params"]}
                params = {**params, "params": given}
            return execute(command, params)

        self._driver.execute = scoped


class BidiContexts:
    """Those of WebDriver BiDi, called user contexts: Firefox has them, and Grids pass them on."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._current = self._next = self._window = ""
        driver.browser  # noqa: B018 (it opens the connection)
        driver._websocket_connection.response_wait_timeout = TIMEOUT  # not half a minute
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
