"""Clean contexts for tests in one browser that Selenium drives.

A context is what another profile would be: it has cookies, storage, caches, workers, permissions
and windows of its own. There is always one more than the test's: the next one, since drivers end
a browser without windows. It is asked for when a test ends, and comes while other things are
done.
"""

from __future__ import annotations

from collections.abc import Set
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

    def leave(self, used: Set[str]) -> None:
        """End what is in the context of ``enter()``, however busy it is. ``used`` are the commands
        that were given there.
        """

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
    """Those of Chromium's DevTools protocol. Ending one needs nothing of its pages.

    Making one takes as long as several tests of a page do. So a context in which nothing was done
    but what can be undone for certain is wiped and used again.
    """

    def __init__(self, driver: Any, devtools: Devtools) -> None:
        self._driver = driver
        self._devtools = devtools
        self._current = self._next = self._window = ""
        self._wiper: Wiper | None = None
        self._asked = 0
        self._ask_for_next()
        self._window = self._devtools.answer(self._asked)["targetId"]
        self._asked = 0
        self._devtools.call("Target.closeTarget", targetId=driver.current_window_handle)
        self._scope_commands()

    def enter(self) -> None:
        if not self._next:  # the present one was wiped
            self._check()
            return
        if self._asked:
            self._window = self._devtools.answer(self._asked)["targetId"]
            self._asked = 0
        self._driver.switch_to.window(self._window)
        self._current, self._next = self._next, ""
        self._wiper = Wiper(self._devtools, self._current, self._window)

    def leave(self, used: Set[str]) -> None:
        if self._wiper is not None and used <= WIPED and self._wiper.wipe():
            return
        self._ask_for_next()
        self._devtools.call("Target.disposeBrowserContext", browserContextId=self._current)
        self._current = ""

    def close(self) -> None:
        self._devtools.close()

    def _check(self) -> None:
        """Raise where driver or browser have died since."""
        self._devtools.call("Browser.getVersion")
        service = getattr(self._driver, "service", None)
        if service is None:  # a Grid's
            self._driver.execute("getCurrentUrl")
        else:
            service.assert_process_still_running()
            if service.process.poll() is not None:  # it has ended with success
                raise DevtoolsError("the driver has ended")

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
                self._devtools.call(
                    "Browser.setPermission",
                    permission=params["descriptor"],
                    setting=params["state"],
                    browserContextId=self._current,
                )
                return {"value": None}
            if command == "newWindow":
                made = self._devtools.call(
                    "Target.createTarget",
                    url="about:blank",
                    browserContextId=self._current,
                    newWindow=params["type"] == "window",
                )
                return {"value": {"handle": made["targetId"], "type": params["type"]}}
            if command == "executeCdpCommand" and params["cmd"] in _OF_CONTEXTS:
                given = {"browserContextId": self._current, **params["params"]}
                params = {**params, "params": given}
            return execute(command, params)

        self._driver.execute = scoped


#: Commands that change nothing but what ``Wiper`` wipes.
WIPED = frozenset(
    {
        "addCookie",
        "clearElement",
        "clickElement",
        "deleteAllCookies",
        "deleteCookie",
        "elementScreenshot",
        "findChildElement",
        "findChildElements",
        "findElement",
        "findElementFromShadowRoot",
        "findElements",
        "findElementsFromShadowRoot",
        "get",
        "getCookie",
        "getCookies",
        "getCurrentUrl",
        "getElementAriaLabel",
        "getElementAriaRole",
        "getElementAttribute",
        "getElementProperty",
        "getElementRect",
        "getElementTagName",
        "getElementText",
        "getElementValueOfCssProperty",
        "getLog",
        "getPageSource",
        "getShadowRoot",
        "getTimeouts",
        "getTitle",
        "getWindowRect",
        "goBack",
        "goForward",
        "isElementEnabled",
        "isElementSelected",
        "refresh",
        "screenshot",
        "sendKeysToElement",
        "setTimeouts",
        "w3cAcceptAlert",
        "w3cDismissAlert",
        "w3cExecuteScript",
        "w3cExecuteScriptAsync",
        "w3cGetActiveElement",
        "w3cGetAlertText",
        "w3cGetCurrentWindowHandle",
        "w3cGetWindowHandles",
        "w3cSetAlertValue",
    }
)
_WIPE_TIMEOUT = 2.0  # seconds: a page that does not answer by then is not worth it


class Wiper:
    """Wipes the context ``context``, which has the window ``window`` and no other."""

    def __init__(self, devtools: Devtools, context: str, window: str) -> None:
        self._devtools = devtools
        self._context = context
        self._window = window
        self._session = ""

    def wipe(self) -> bool:
        """Remove what pages have left; return whether all of it is gone."""
        try:
            if not self._session:
                attached = self._call("Target.attachToTarget", targetId=self._window, flatten=True)
                self._session = attached["sessionId"]
            found = self._send("Target.getTargets")
            self._await(self._send("Page.navigate", self._session, url="about:blank"))
            pages = [
                target["targetId"]
                for target in self._await(found)["targetInfos"]
                if target.get("browserContextId") == self._context and target["type"] == "page"
            ]
            if pages != [self._window]:
                return False
            self._clear()
        except DevtoolsError:  # it hangs, shows a dialog, has crashed
            return False
        return True

    def _clear(self) -> None:
        cleared = [
            self._send("Network.clearBrowserCookies", self._session),
            self._send("Network.clearBrowserCache", self._session),
            self._send(
                "Storage.clearDataForOrigin", self._session, origin="*", storageTypes="all"
            ),
            self._send("Runtime.evaluate", self._session, expression="window.name = ''"),
        ]
        for number in cleared:
            self._await(number)
        self._await(self._send("Page.resetNavigationHistory", self._session))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._await(self._send(method, **parameters))

    def _send(self, method: str, session: str = "", **parameters: Any) -> int:
        return self._devtools.send(method, session, **parameters)

    def _await(self, number: int) -> dict[str, Any]:
        return self._devtools.answer(number, timeout=_WIPE_TIMEOUT)


class BidiContexts:
    """Those of WebDriver BiDi, called user contexts: Firefox has them, and Grids pass them on."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._current = self._next = self._window = ""
        driver.browser  # noqa: B018 (it opens the connection)
        driver._websocket_connection.response_wait_timeout = TIMEOUT  # not half a minute
        self._make_next()
        driver.close()  # the window that it has started with
        execute = driver.execute

        def scoped(command: str, params: Any = None) -> Any:
            """Drivers make windows in the first context."""
            if command != "newWindow":
                return execute(command, params)
            made = driver.browsing_context.create(type=params["type"], user_context=self._current)
            return {"value": {"handle": made, "type": params["type"]}}

        driver.execute = scoped

    def enter(self) -> None:
        self._driver.switch_to.window(self._window)
        self._current, self._next = self._next, ""

    def leave(self, used: Set[str]) -> None:
        self._make_next()
        self._driver.browser.remove_user_context(self._current)
        self._current = ""

    def close(self) -> None:
        """All of it is the driver's."""

    def _make_next(self) -> None:
        self._next = self._driver.browser.create_user_context()
        self._window = self._driver.browsing_context.create(type="tab", user_context=self._next)
