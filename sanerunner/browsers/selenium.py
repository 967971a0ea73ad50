"""Browsers that Selenium drives: of this machine, or of a Grid."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..exceptions import BrowserUnavailable
from . import starting
from .base import Artifact, BrowserOptions
from .contexts import Contexts, contexts_for

__unittest = True  # unittest leaves the frames of this module out of tracebacks

CAPTURE_TIMEOUT = 5.0  # seconds, for each thing that is asked for

# The commands that --slowmo slows down: those that a user would carry out.
_SLOWED = {
    "get",
    "goBack",
    "goForward",
    "refresh",
    "clickElement",
    "clearElement",
    "sendKeysToElement",
    "actions",
}


class SeleniumBrowser:
    """A WebDriver, used by one test after the other. Tests get it as ``selenium``."""

    def __init__(self, options: BrowserOptions) -> None:
        self._options = options
        self._driver: Any = None
        self._contexts: Contexts | None = None
        self._timeouts: Mapping[str, int] = {}
        self._used: set[str] = set()  # the commands that the test has given
        self._began = 0.0

    def open(self, url_root: str | None) -> Mapping[str, Any]:
        if self._driver is not None:
            try:
                self._enter()
            except Exception:  # it died between two tests
                self.stop()
        if self._driver is None:
            self._start()
            self._enter()
        return {"selenium": self._driver}

    def close(self) -> None:
        if self._driver is None:
            return
        if self._contexts is None:  # it cannot be made clean
            self.stop()
            return
        try:
            self._contexts.leave(self._used)
        except Exception:  # it has crashed, or hangs; the test has been told by what it did
            self.stop()

    def stop(self) -> None:
        driver, self._driver = self._driver, None
        if driver is None:
            return
        self._forget_contexts()
        self._let_go(driver)

    def set_cookie(self, name: str, value: str, url: str, *, secure: bool = False) -> None:
        driver = self._driver
        cookie = {"name": name, "value": value, "path": "/", "secure": secure, "httpOnly": True}
        if _is_chromium(driver):
            command = {"cmd": "Network.setCookie", "params": {**cookie, "url": url}}
            driver.execute("executeCdpCommand", command)
            return
        driver.get(url)  # other drivers set cookies of the current site only
        driver.add_cookie(cookie)

    def capture(self) -> Iterator[Artifact]:
        missing: list[str] = []
        with _impatient(self._driver) as execute:
            for name, take in _CAPTURED.items():
                try:
                    content = take(execute, self._began)
                except Exception as error:
                    missing.append(f"{name}: {starting.first_line(error)}\n")
                    if not isinstance(error, _Refused):
                        break  # it does not answer; it would not the next time
                else:
                    if content:
                        yield Artifact(name, content)
        if missing:
            yield Artifact("incomplete.txt", "".join(missing).encode())

    # The life of the driver

    def _start(self) -> None:
        self._driver = driver = starting.start(self._options)
        try:
            self._timeouts = driver.capabilities.get("timeouts") or {}
            self._contexts = contexts_for(driver)
            self._watch(driver)
            if self._options.slowmo:
                _slow_down(driver, self._options.slowmo / 1000)
        except Exception as error:
            self.stop()
            raise BrowserUnavailable(
                f"The browser has started but does not obey: {starting.first_line(error)}"
            ) from error

    def _enter(self) -> None:
        driver = self._driver
        if self._contexts is not None:
            self._contexts.enter()
        # What the driver, not the context, remembers.
        driver.pinned_scripts = {}
        if "setTimeouts" in self._used:
            driver.execute("setTimeouts", dict(self._timeouts))
        if "setNetworkConditions" in self._used:
            driver.execute("deleteNetworkConditions", {})
        self._used.clear()
        self._began = time.time()

    def _watch(self, driver: Any) -> None:
        """Note which commands are given."""
        from selenium.common.exceptions import WebDriverException

        execute = driver.execute

        def watched(command: str, params: Any = None) -> Any:
            self._used.add(_kind_of(command, params))
            try:
                return execute(command, params)
            except Exception as error:
                # What is wrong with a page has classes of its own; else it is the browser.
                if type(error) is WebDriverException or not isinstance(error, WebDriverException):
                    self._used.add("what the browser could not do")
                raise

        driver.execute = watched

    def _forget_contexts(self) -> None:
        contexts, self._contexts = self._contexts, None
        if contexts is not None:
            contexts.close()

    @staticmethod
    def _let_go(driver: Any) -> None:
        if (service := getattr(driver, "service", None)) is not None:
            starting.end_service(service)
        else:  # a Grid's
            try:
                with _impatient(driver) as execute:
                    execute("quit", {})
            except Exception:
                pass  # the Grid ends sessions that nobody uses
        if (bidi := getattr(driver, "_websocket_connection", None)) is not None:
            bidi.close()
        driver.command_executor.close()


class _Refused(Exception):
    """The driver answers, with an error."""


Execute = Callable[[str, Mapping[str, Any]], Any]


class _impatient:
    """Commands to a driver which do not wait for long, and nothing for one that hangs.

    Selenium's own wait for minutes; and one may be under way, that a timeout has interrupted.
    """

    def __init__(self, driver: Any) -> None:
        from selenium.webdriver.remote.remote_connection import RemoteConnection

        config = copy.copy(driver.command_executor.client_config)
        config.timeout = CAPTURE_TIMEOUT
        config.keep_alive = True
        self._connection = RemoteConnection(client_config=config)
        self._connection.add_command("getLog", "POST", "/session/$sessionId/se/log")
        self._session = driver.session_id

    def __enter__(self) -> Execute:
        return self._execute

    def __exit__(self, *exc_info: object) -> None:
        self._connection.close()

    def _execute(self, command: str, parameters: Mapping[str, Any]) -> Any:
        answer = self._connection.execute(command, {**parameters, "sessionId": self._session})
        value = answer.get("value")
        if answer.get("status") or (isinstance(value, dict) and "error" in value):
            raise _Refused(starting.told_by(value))
        return value


def _screenshot(execute: Execute, since: float) -> bytes:
    from base64 import b64decode

    try:
        image = execute("screenshot", {})
    except _Refused:  # a dialog was open; the driver has closed it
        image = execute("screenshot", {})
    return b64decode(image)


def _page(execute: Execute, since: float) -> bytes:
    try:
        source = execute("getPageSource", {})
    except _Refused:
        source = execute("getPageSource", {})
    url = str(execute("getCurrentUrl", {})).replace("--", "- -")
    return f"<!-- {url} -->\n{source}".encode(errors="replace")


def _console(execute: Execute, since: float) -> bytes:
    """The log is the driver's: older entries are other tests'."""
    try:
        entries = execute("getLog", {"type": "browser"})
    except _Refused:  # Firefox has no such command
        return b""
    lines = (
        f"{each.get('level', '')}: {each.get('message', '')}\n"
        for each in entries
        if each.get("timestamp", 0) >= int(since * 1000)
    )
    return "".join(lines).encode(errors="replace")


_CAPTURED: dict[str, Callable[[Execute, float], bytes]] = {
    "page.png": _screenshot,
    "page.html": _page,
    "console.txt": _console,
}


def _is_chromium(driver: Any) -> bool:
    return "goog:chromeOptions" in driver.capabilities


def _kind_of(command: str, params: Any) -> str:
    """Return what tells how a command is undone: its name, but for some that depend."""
    if command == "executeCdpCommand" and params["cmd"] == "Network.setCookie":
        return "addCookie"
    if command == "get" and "@" in params["url"]:
        return "a password that the browser remembers"
    return command


def _slow_down(driver: Any, seconds: float) -> None:
    execute = driver.execute

    def slowly(command: str, *args: Any, **kwargs: Any) -> Any:
        if command in _SLOWED:
            time.sleep(seconds)
        return execute(command, *args, **kwargs)

    driver.execute = slowly
