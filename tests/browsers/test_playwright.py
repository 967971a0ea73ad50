"""Playwright's browser keeps the contract; what is its own."""

from __future__ import annotations

import asyncio
import os
import signal
import unittest
from collections.abc import Callable
from io import BytesIO
from typing import Any, ClassVar
from unittest import mock
from zipfile import ZipFile

from asgiref.sync import async_to_sync
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import SynchronousOnlyOperation
from django.test import TestCase

from sanerunner.browsers import playwright as module
from sanerunner.browsers.base import BrowserOptions
from sanerunner.browsers.playwright import PlaywrightBrowser
from sanerunner.browsers.unmark import is_marked
from sanerunner.exceptions import BrowserUnavailable
from sanerunner.options.browsers import BrowserChoice

from ..support.browsers import Site, html, require_playwright
from .contract import LOOK, PLANT, BrowserContract, StoppingContract, children


class PlaywrightTest(BrowserContract, unittest.TestCase):
    before: ClassVar[set[int]]

    @classmethod
    def make(cls, options: BrowserOptions) -> PlaywrightBrowser:
        require_playwright()
        cls.before = children()
        return PlaywrightBrowser(options)

    @property
    def page(self) -> Any:
        return self.attributes["page"]

    @property
    def context(self) -> Any:
        return self.attributes["context"]

    def go(self, url: str) -> None:
        self.page.goto(url)

    def run_script(self, body: str) -> Any:
        return self.page.evaluate(f"async () => {{ {body} }}")

    def change_settings(self) -> None:
        self.context.grant_permissions(["geolocation"])
        self.page.set_viewport_size({"width": 500, "height": 400})

    def open_window(self, path: str) -> None:
        with self.context.expect_page():
            super().open_window(path)

    def windows(self) -> int:
        return len(self.context.pages)

    def kill_browser(self) -> None:
        try:
            self.context.browser.new_browser_cdp_session().send("Browser.crash")
        except Exception:
            pass  # that it has crashed is its answer

    def kill_driver(self) -> None:
        for pid in children() - self.before:
            os.kill(pid, signal.SIGKILL)

    def be_impatient(self) -> None:
        patch = mock.patch.object(module, "CAPTURE_TIMEOUT", 500)
        patch.start()
        self.addCleanup(patch.stop)

    def cookies(self) -> dict[str, str]:
        return {cookie["name"]: cookie["value"] for cookie in self.context.cookies()}

    def test_what_pages_have_left_is_wiped(self) -> None:
        other = self.site.url.replace("127.0.0.1", "localhost")
        for url in (self.site.url, other):
            self.go(f"{url}/")
            self.run_script(PLANT)
            self.run_script("history.pushState({}, '', '/pushed')")
        page = self.page
        self.next_test()
        self.assertIs(self.page, page, "it was not wiped")
        self.assertEqual(self.page.url, "about:blank")
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
        page = self.page
        changes: tuple[Callable[[], object], ...] = (
            lambda: self.page.set_viewport_size({"width": 500, "height": 400}),
            lambda: self.context.grant_permissions(["geolocation"]),
            lambda: self.context.add_init_script("window.planted = 1"),
            lambda: self.page.route("**/*", lambda route: route.continue_()),
            lambda: self.page.on("dialog", lambda dialog: dialog.accept()),
            lambda: self.page.set_default_timeout(1),
            lambda: self.page.keyboard.down("Shift"),
            lambda: self.open_window("/"),
            lambda: self.page.close(),
            lambda: self.context.browser.new_context(),
        )
        for number, change in enumerate(changes):
            with self.subTest(number):
                change()
                self.next_test()
                self.assertIsNot(self.page, page)
                page = self.page
        self.next_test()
        self.assertIs(self.page, page)

    def test_contexts_that_a_test_has_made_are_closed(self) -> None:
        made = self.context.browser.new_context()
        made.new_page().goto(f"{self.site.url}/")
        self.next_test()
        self.assertNotIn(made, self.context.browser.contexts)

    def test_paths_are_relative_to_the_live_server(self) -> None:
        self.page.goto("/noisy")
        self.assertEqual(self.page.url, f"{self.site.url}/noisy")

    def test_each_page_has_its_artifacts(self) -> None:
        self.go(f"{self.site.url}/")
        self.context.new_page().goto(f"{self.site.url}/other")
        self.assertIn("page-2.png", self.captured())

    def test_what_scripts_raise_is_in_the_console(self) -> None:
        self.go(f"{self.site.url}/")
        with self.page.expect_event("pageerror"):
            self.run_script("setTimeout(() => { throw new Error('by itself') })")
        self.assertIn(b"uncaught: ", self.captured()["console.txt"])


class OrmTest(TestCase):
    """Django's ORM, and all that wants an event loop of its own, between Playwright's calls."""

    def setUp(self) -> None:
        require_playwright()
        self.site = Site(self, lambda path: html("<button onclick='fetch(\"/x\")'>Go</button>"))
        self.browser = PlaywrightBrowser(BrowserOptions())
        self.addCleanup(self.browser.stop)
        attributes = self.browser.open(self.site.url)
        self.page, self.context = attributes["page"], attributes["context"]

    def assert_free(self) -> None:
        ContentType.objects.count()
        asyncio.run(asyncio.sleep(0))
        async_to_sync(asyncio.sleep)(0)
        self.assertFalse(is_marked())

    def test_after_calls_and_properties(self) -> None:
        from playwright.sync_api import expect

        self.assert_free()
        self.page.goto("/")
        self.assert_free()
        self.assertEqual(self.page.url, f"{self.site.url}/")
        self.assert_free()
        expect(self.page.locator("button")).to_have_text("Go")
        self.assert_free()
        with self.assertRaises(AssertionError):
            expect(self.page.locator("button")).to_have_text("Stop", timeout=1)
        self.assert_free()
        with self.assertRaisesRegex(Exception, "oh dear"):
            self.page.evaluate("() => { throw new Error('oh dear') }")
        self.assert_free()

    def test_in_blocks_that_wait_for_events(self) -> None:
        self.page.goto("/")
        with self.page.expect_request("**/x") as info:
            self.assert_free()
            self.page.click("button")
            self.assert_free()
        self.assertEqual(info.value.url, f"{self.site.url}/x")
        self.assert_free()

    def test_in_handlers(self) -> None:
        seen: list[str] = []

        def route(route: Any) -> None:
            self.assert_free()
            seen.append("route")
            route.fulfill(body=str(ContentType.objects.count()))
            self.assert_free()

        def request(request: Any) -> None:
            self.assert_free()
            seen.append("request")

        self.page.on("request", request)
        self.context.route("**/*", route)
        self.page.goto("/")
        self.assertEqual(seen, ["request", "route"])
        self.assertEqual(self.page.inner_text("body"), str(ContentType.objects.count()))
        self.page.remove_listener("request", request)
        self.page.goto("/")
        self.assertEqual(seen, ["request", "route", "route"])

    def test_methods_as_handlers_can_be_removed(self) -> None:
        self.seen: list[str] = []
        self.page.on("request", self.note)
        self.page.goto("/")
        self.page.remove_listener("request", self.note)
        self.page.goto("/")
        self.assertEqual(self.seen, [f"{self.site.url}/"])

    def note(self, request: Any) -> None:
        self.seen.append(request.url)

    def test_functions_that_pages_call(self) -> None:
        self.context.expose_function("count", ContentType.objects.count)
        self.page.goto("/")
        self.assertEqual(self.page.evaluate("count()"), ContentType.objects.count())

    def test_after_it_has_stopped(self) -> None:
        self.browser.close()
        self.assert_free()
        self.browser.stop()
        self.assert_free()

    def test_a_loop_that_does_run_is_still_seen(self) -> None:
        async def query() -> None:
            ContentType.objects.count()

        self.page.goto("/")
        with self.assertRaises(SynchronousOnlyOperation):
            asyncio.run(query())


class TraceTest(unittest.TestCase):
    def test_it_is_saved_where_it_was_asked_for(self) -> None:
        require_playwright()
        browser = PlaywrightBrowser(BrowserOptions(trace=True))
        self.addCleanup(browser.stop)
        browser.open(None)["page"].goto("data:text/html,<p>traced")
        files = {artifact.name: artifact.content for artifact in browser.capture()}
        with ZipFile(BytesIO(files["trace.zip"])) as archive:
            self.assertIn("trace.trace", archive.namelist())


class UnavailableTest(unittest.TestCase):
    def error(self, choice: BrowserChoice | None) -> str:
        require_playwright()
        browser = PlaywrightBrowser(BrowserOptions(choice))
        self.addCleanup(browser.stop)
        with self.assertRaises(BrowserUnavailable) as caught:
            browser.open(None)
        self.assertFalse(is_marked())
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)

    def test_a_program_that_is_no_browser(self) -> None:
        message = self.error(BrowserChoice("chromium", "/bin/true"))
        self.assertRegex(message, r"^Playwright [\d.]+ cannot start /bin/true ")

    def test_firefox_is_playwrights_own(self) -> None:
        require_playwright()
        with mock.patch.dict("os.environ", {"PLAYWRIGHT_BROWSERS_PATH": "/nowhere"}):
            message = self.error(BrowserChoice("firefox"))
        self.assertIn("has no firefox of its own: run 'playwright install firefox'", message)


class StoppingTest(StoppingContract, unittest.TestCase):
    def make(self, options: BrowserOptions) -> Any:
        require_playwright()
        return PlaywrightBrowser(options)
