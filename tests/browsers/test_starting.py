"""What keeps a browser from starting is told in one line, with the versions found."""

from __future__ import annotations

import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from sanerunner.browsers import starting
from sanerunner.browsers.base import BrowserOptions
from sanerunner.browsers.finding import find_browser, version_of
from sanerunner.exceptions import BrowserUnavailable
from sanerunner.options.browsers import BrowserChoice

from ..support.browsers import Answer, Site, require_selenium


class MachineTest(unittest.TestCase):
    """A machine whose programs are scripts."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        environment = {"PATH": str(self.folder), "SE_OFFLINE": "true", "HOME": folder.name}
        patch = mock.patch.dict(os.environ, environment)
        patch.start()
        self.addCleanup(patch.stop)
        plain = mock.patch("sanerunner.browsers.finding._PLACES", {})
        plain.start()
        self.addCleanup(plain.stop)

    def program(self, name: str, version: str) -> str:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{name} {version}"\nexit 1\n')
        path.chmod(0o755)
        return str(path)

    def error(self, options: BrowserOptions | None = None) -> str:
        with self.assertRaises(BrowserUnavailable) as caught:
            starting.start(options or BrowserOptions())
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        return message


class FindingTest(MachineTest):
    def test_the_first_that_is_there(self) -> None:
        firefox = self.program("firefox", "150.0")
        self.assertEqual(find_browser(None), ("firefox", firefox))
        chromium = self.program("chromium", "120.0")
        self.assertEqual(find_browser(None), ("chromium", chromium))
        self.assertEqual(find_browser(BrowserChoice("firefox")), ("firefox", firefox))

    def test_none(self) -> None:
        for choice, names in (
            (None, "chrome, chromium or firefox"),
            (BrowserChoice("firefox"), "firefox"),
        ):
            with self.subTest(names), self.assertRaises(BrowserUnavailable) as caught:
                find_browser(choice)
            expected = (
                f"No browser was found ({names}): install one, or name its program with --browser."
            )
            self.assertEqual(str(caught.exception), expected)

    def test_a_path_that_is_wrong(self) -> None:
        with self.assertRaisesRegex(BrowserUnavailable, "'/no/chrome' is not there"):
            find_browser(BrowserChoice("chrome", "/no/chrome"))

    def test_versions(self) -> None:
        self.assertEqual(version_of(self.program("chromium", "120.0.6099.224")), "120.0.6099.224")
        self.assertEqual(version_of(self.program("silent", "")), "of unknown version")
        self.assertEqual(version_of("/no/program"), "of unknown version")


class LocalTest(MachineTest):
    def setUp(self) -> None:
        require_selenium()  # before PATH is another
        super().setUp()

    def test_no_driver(self) -> None:
        chromium = self.program("chromium", "120.0.1")
        message = self.error()
        start = "chromedriver is not on PATH, and Selenium could not get one for "
        self.assertTrue(message.startswith(f"{start}{chromium}: "), message)

    def test_driver_and_browser_do_not_match(self) -> None:
        chromium = self.program("chromium", "120.0.6099.224")
        driver = self.program("chromedriver", "99.0.4844.51")
        self.assertEqual(
            self.error(),
            f"Driver and browser do not match: {driver} 99.0.4844.51 and {chromium} "
            "120.0.6099.224. Install the same version of both.",
        )

    def test_a_driver_that_dies(self) -> None:
        chromium = self.program("chromium", "120.0.1")
        driver = self.program("chromedriver", "120.0.2")
        message = self.error()
        names = f"({driver} 120.0.2 and {chromium} 120.0.1)"
        self.assertTrue(message.startswith(f"chromium does not start {names}: "), message)

    def test_a_browser_that_dies(self) -> None:
        with mock.patch.dict(os.environ, {"PATH": os.defpath}):
            real = find_browser(None, of=("chromium", "chrome"))
        with mock.patch.dict(os.environ, {"PATH": f"{os.defpath}:/usr/bin"}):
            broken = self.program("broken", version_of(real.path))
            message = self.error(BrowserOptions(BrowserChoice("chromium", broken)))
        self.assertTrue(message.startswith("chromium does not start ("), message)

    def test_nothing_is_left(self) -> None:
        self.program("chromium", "120.0.1")
        self.program("chromedriver", "120.0.2")
        with mock.patch.object(tempfile, "tempdir", str(self.folder)):
            self.error()
            left = list(self.folder.glob("sanerunner-driver-*"))
        self.assertEqual(left, [])


class GridTest(MachineTest):
    def setUp(self) -> None:
        require_selenium()  # before PATH is another
        super().setUp()

    def site(self, answer: Answer | bytes) -> str:
        return Site(self, lambda path: answer).url

    def grid_error(self, url: str) -> str:
        return self.error(BrowserOptions(grid=url))

    def test_nobody_answers(self) -> None:
        site = Site(self, lambda path: b"")
        url = site.url
        self.doCleanups()
        message = self.grid_error(url)
        self.assertTrue(message.startswith(f"No Selenium Grid answers at {url}: "), message)
        self.assertTrue(message.endswith("; see GRID, or SELENIUM_HOST and SELENIUM_PORT."))

    def test_garbage(self) -> None:
        for answer in (b"\x00\xff garbage", b"", b"HTTP/1.1 banana\r\n\r\n"):
            with self.subTest(answer):
                url = self.site(answer)
                message = self.grid_error(url)
                self.assertTrue(message.startswith(f"No Selenium Grid answers at {url}: "))

    def test_another_web_server(self) -> None:
        for body in (b"<h1>It works!</h1>", b"[]", b'{"value": 5}', b'{"status": "ok"}'):
            with self.subTest(body):
                message = self.grid_error(self.site((200, "text/html", body)))
                self.assertIn("this is no Selenium Grid of version 4, see GRID, or", message)
                self.assertIn("; Selenium here is 4.", message)

    def test_a_grid_of_an_old_version(self) -> None:
        message = self.grid_error(self.site((404, "text/plain", b"")))
        self.assertIn("/status answers 404 Not Found: this is no Selenium Grid of", message)

    def test_a_grid_without_nodes(self) -> None:
        value = {"ready": False, "message": "Selenium Grid not ready.", "nodes": []}
        answer = json.dumps({"value": value}).encode()
        url = self.site((200, "application/json", answer))
        self.assertEqual(
            self.grid_error(url),
            f"The Selenium Grid at {url} (version unknown): Selenium Grid not ready.",
        )

    def test_a_grid_without_such_a_browser(self) -> None:
        value = {"ready": True, "nodes": [{"version": "4.20.0 (revision 866c76ca80)"}]}
        status = json.dumps({"value": value}).encode()
        refused = {"error": "session not created", "message": "No node has it\nHost info: x"}
        refusal = json.dumps({"value": refused}).encode()

        def answer(path: str) -> Answer:
            if path == "/status":
                return 200, "application/json", status
            return 500, "application/json", refusal

        url = Site(self, answer).url
        message = self.error(BrowserOptions(BrowserChoice("firefox"), grid=url))
        start = f"The Selenium Grid at {url} (version 4.20.0; Selenium here is 4."
        self.assertTrue(message.startswith(start), message)
        self.assertTrue(message.endswith("gives no firefox: No node has it"), message)

    def test_a_session_that_is_garbage(self) -> None:
        status = b'{"value": {"ready": true, "nodes": []}}'

        def answer(path: str) -> Answer | bytes:
            return (200, "application/json", status) if path == "/status" else b"garbage"

        message = self.grid_error(Site(self, answer).url)
        self.assertIn("gives no chrome: ", message)


class PackagesTest(unittest.TestCase):
    def test_extras_are_named(self) -> None:
        from sanerunner.browsers.playwright import PlaywrightBrowser
        from sanerunner.browsers.selenium import SeleniumBrowser

        for browser_class, package in (
            (SeleniumBrowser, "selenium"),
            (PlaywrightBrowser, "playwright"),
        ):
            missing = dict.fromkeys((package, f"{package}.sync_api"))
            with (
                self.subTest(package),
                mock.patch.dict("sys.modules", missing),  # type: ignore[arg-type]
                self.assertRaises(BrowserUnavailable) as caught,
            ):
                browser_class(BrowserOptions()).open(None)
            expected = f"{package} is not installed: pip install 'sanerunner[{package}]'"
            self.assertEqual(str(caught.exception), expected)
