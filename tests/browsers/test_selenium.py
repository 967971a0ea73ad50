"""Selenium's browser keeps the contract; what is its own."""

from __future__ import annotations

import os
import signal
import time
import unittest
from typing import Any
from unittest import mock

from sanerunner.browsers import contexts
from sanerunner.browsers import selenium as module
from sanerunner.browsers.base import BrowserOptions
from sanerunner.browsers.processes import end_orphans, registry, started
from sanerunner.browsers.selenium import SeleniumBrowser

from ..support.browsers import require_selenium
from .contract import LOOK, PLANT, BrowserContract, StoppingContract


def kill(pid: int) -> None:
    """Kill a process; return when it is dead."""
    os.kill(pid, signal.SIGKILL)
    while started(pid):
        pass


class SeleniumTest(BrowserContract, unittest.TestCase):
    @classmethod
    def make(cls, options: BrowserOptions) -> SeleniumBrowser:
        require_selenium()
        return SeleniumBrowser(options)

    @property
    def driver(self) -> Any:
        return self.attributes["selenium"]

    def go(self, url: str) -> None:
        self.driver.get(url)

    def run_script(self, body: str) -> Any:
        script = f"""
            const done = arguments[arguments.length - 1];
            (async () => {{ {body} }})().then(done, error => done("failed: " + error));
        """
        return self.driver.execute_async_script(script)

    def change_settings(self) -> None:
        self.driver.set_window_size(500, 400)
        self.driver.set_permissions("geolocation", "granted")

    def let_hang(self) -> None:
        """Past the driver, which would wait for the page."""
        devtools, window = self.browser._contexts._devtools, self.driver.current_window_handle
        attached = devtools.call("Target.attachToTarget", targetId=window, flatten=True)
        devtools.send("Runtime.evaluate", attached["sessionId"], expression="for (;;);")

    def windows(self) -> int:
        return len(self.driver.window_handles)

    def kill_browser(self) -> None:
        kill(self.driver.capabilities["goog:processID"])

    def kill_driver(self) -> None:
        kill(self.driver.service.process.pid)

    def be_impatient(self) -> None:
        patch = mock.patch.object(module, "CAPTURE_TIMEOUT", 0.5)
        patch.start()
        self.addCleanup(patch.stop)

    def cookies(self) -> dict[str, str]:
        return {cookie["name"]: cookie["value"] for cookie in self.driver.get_cookies()}

    def test_what_the_driver_remembers_is_reset(self) -> None:
        timeouts = self.driver.timeouts
        self.driver.implicitly_wait(3)
        self.driver.set_page_load_timeout(4)
        self.driver.set_network_conditions(
            offline=True, latency=0, download_throughput=0, upload_throughput=0
        )
        self.next_test()
        self.assertEqual(self.driver.timeouts.implicit_wait, timeouts.implicit_wait)
        self.assertEqual(self.driver.timeouts.page_load, timeouts.page_load)
        self.go(f"{self.site.url}/")

    def test_what_pages_have_left_is_wiped(self) -> None:
        other = self.site.url.replace("127.0.0.1", "localhost")
        for url in (self.site.url, other):
            self.go(f"{url}/")
            self.run_script(PLANT)
            self.run_script("history.pushState({}, '', '/pushed')")
        window = self.driver.current_window_handle
        self.next_test()
        self.assertEqual(self.driver.current_window_handle, window, "it was not wiped")
        self.assertEqual(self.driver.current_url, "about:blank")
        for url in (self.site.url, other):
            self.go(f"{url}/")
            left = self.run_script(LOOK)
            for name in ("local", "session", "databases", "caches", "workers"):
                self.assertEqual(left[name], 0, (url, name))
            self.assertEqual((left["cookie"], left["name"]), ("", ""))
            self.assertEqual(left["text"], "of the server")
            self.run_script("return (await fetch('/cached')).text()")
        self.assertLessEqual(self.run_script("return history.length"), 3)
        self.assertEqual(self.site.requests.count("/cached"), 4, "it came from a cache")

    def test_what_cannot_be_wiped_for_certain_is_replaced(self) -> None:
        window = self.driver.current_window_handle
        changes = (
            lambda: self.driver.set_window_size(500, 400),
            lambda: self.driver.set_permissions("geolocation", "granted"),
            lambda: self.driver.execute_cdp_cmd("Network.enable", {}),
            lambda: self.driver.switch_to.new_window("tab"),
            lambda: self.go(self.site.url.replace("://", "://user:password@")),
            lambda: self.open_window("/"),
        )
        for number, change in enumerate(changes):
            with self.subTest(number):
                change()
                self.next_test()
                self.assertNotEqual(self.driver.current_window_handle, window)
                window = self.driver.current_window_handle

    def test_a_new_window_is_in_the_same_context(self) -> None:
        self.go(f"{self.site.url}/")
        self.run_script("localStorage.setItem('k', 'v')")
        for kind in ("tab", "window"):
            self.driver.switch_to.new_window(kind)
            self.go(f"{self.site.url}/")
            self.assertEqual(self.run_script("return localStorage.getItem('k')"), "v", kind)

    def test_the_window_may_be_closed_by_the_test(self) -> None:
        self.driver.close()
        self.next_test()
        self.go(f"{self.site.url}/")

    def test_a_page_that_crashes(self) -> None:
        with self.assertRaises(Exception):  # noqa: B017
            self.go("chrome://crash")
        self.next_test()
        self.go(f"{self.site.url}/")

    def test_artifacts_while_a_dialog_is_open(self) -> None:
        self.go(f"{self.site.url}/")
        self.run_script("setTimeout(() => alert('hello'))")
        files = self.captured()
        self.assertIn("page.png", files)
        self.assertIn("page.html", files)


class BidiTest(SeleniumTest):
    """The way of Firefox and of Grids, in Chromium: what depends on it."""

    # A driver that waits for such a page does not get to what it is asked next.
    test_a_page_that_hangs_is_ended = None  # type: ignore[assignment]
    test_artifacts_of_a_page_that_hangs = None  # type: ignore[assignment]
    # A crash is found out as in the other way, only later.
    test_a_browser_that_dies_in_a_test_is_replaced = None  # type: ignore[assignment]
    test_a_browser_that_dies_between_tests_is_replaced = None  # type: ignore[assignment]
    test_artifacts_of_a_browser_that_is_dead = None  # type: ignore[assignment]
    # These are of the other way.
    test_what_pages_have_left_is_wiped = None  # type: ignore[assignment]
    test_what_cannot_be_wiped_for_certain_is_replaced = None  # type: ignore[assignment]

    @classmethod
    def make(cls, options: BrowserOptions) -> SeleniumBrowser:
        require_selenium()
        cls.enterClassContext(mock.patch.object(contexts, "devtools_url", lambda known: None))
        options_for = module.starting._options_for

        def with_bidi(*args: Any) -> Any:
            made = options_for(*args)
            made.enable_bidi = True
            return made

        cls.enterClassContext(mock.patch.object(module.starting, "_options_for", with_bidi))
        return SeleniumBrowser(options)

    def change_settings(self) -> None:
        self.driver.set_window_size(500, 400)
        self.driver.permissions.set_permission(
            "geolocation", "granted", self.site.url, self.browser._contexts._current
        )

    def test_it_is_this_way(self) -> None:
        self.assertIsInstance(self.browser._contexts, contexts.BidiContexts)


class PlainTest(unittest.TestCase):
    """A browser that has no contexts is replaced after each test."""

    def test_it_is_stopped(self) -> None:
        require_selenium()
        browser = SeleniumBrowser(BrowserOptions())
        self.addCleanup(browser.stop)
        with mock.patch.object(contexts, "devtools_url", lambda known: None):
            first = browser.open(None)["selenium"]
            browser.close()
            second = browser.open(None)["selenium"]
        self.assertNotEqual(first.session_id, second.session_id)
        self.assertIsNotNone(first.service.process.poll())


class StoppingTest(StoppingContract, unittest.TestCase):
    def make(self, options: BrowserOptions) -> Any:
        require_selenium()
        return SeleniumBrowser(options)

    def test_it_is_known_while_it_runs(self) -> None:
        browser = self.make(BrowserOptions())
        self.addCleanup(browser.stop)
        driver = browser.open(None)["selenium"]
        place = registry()
        assert place is not None
        note = place / f"{driver.service.process.pid}.json"
        self.assertTrue(note.exists())
        end_orphans()
        self.assertIsNone(driver.service.process.poll())
        browser.stop()
        self.assertFalse(note.exists())

    def test_slow_motion(self) -> None:
        browser = self.make(BrowserOptions(slowmo=300))
        self.addCleanup(browser.stop)
        driver = browser.open(None)["selenium"]
        slept: list[float] = []
        with mock.patch.object(time, "sleep", slept.append):
            driver.get("about:blank")
            driver.find_element("css selector", "body").click()
            self.assertEqual(driver.title, "")
        self.assertEqual(slept, [0.3, 0.3])


class RemoteTest(unittest.TestCase):
    """A driver that somebody else has started is to us what a Grid is."""

    def test_a_session(self) -> None:
        require_selenium()
        own = SeleniumBrowser(BrowserOptions())
        self.addCleanup(own.stop)
        grid = own.open(None)["selenium"].service.service_url
        browser = SeleniumBrowser(BrowserOptions(grid=grid))
        self.addCleanup(browser.stop)
        for _ in range(2):
            driver = browser.open(None)["selenium"]
            self.assertEqual(len(driver.window_handles), 1)
            driver.get("data:text/html,<title>remote</title>")
            self.assertEqual(driver.title, "remote")
            browser.close()
        pid = driver.capabilities["goog:processID"]
        browser.stop()
        while started(pid):  # the driver ends it when it has answered
            pass
