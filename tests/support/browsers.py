"""Browsers that tests need: where one is missing a test is skipped, in CI it fails."""

from __future__ import annotations

import os
import threading
import unittest
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

from sanerunner.browsers.finding import find_browser, find_driver
from sanerunner.exceptions import BrowserUnavailable

Answer = tuple[int, str, bytes]  # status, content type, body


def require_selenium() -> None:
    """Skip the test unless Selenium and a Chromium with its driver are installed."""
    _require("selenium", driver=True)


def require_playwright() -> None:
    """Skip the test unless Playwright and a Chromium are installed."""
    _require("playwright", driver=False)


def _require(package: str, *, driver: bool) -> None:
    missing = "" if find_spec(package) else f"{package} is not installed"
    try:
        browser = find_browser(None, of=("chromium", "chrome"))
    except BrowserUnavailable as error:
        missing = missing or str(error)
    else:
        if driver and not find_driver(browser.name):
            missing = missing or f"there is no driver for {browser.path}"
    if not missing:
        return
    if os.environ.get("CI", "").lower() == "true":
        raise AssertionError(f"A browser is needed: {missing}")
    raise unittest.SkipTest(f"a browser is needed: {missing}")


class Site:
    """A little web server; ``answer(path)`` makes its answers, ``requests`` are the paths."""

    def __init__(self, test: unittest.TestCase, answer: Callable[[str], Answer | bytes]) -> None:
        self.requests: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.requests.append(self.path)
                made = answer(self.path)
                if isinstance(made, bytes):  # no HTTP at all
                    self.wfile.write(made)
                    self.close_connection = True
                    return
                status, content_type, body = made
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "max-age=3600")
                try:
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:  # the browser was killed, or went elsewhere
                    self.close_connection = True

            do_POST = do_GET

            def log_message(self, *args: object) -> None:
                """Not on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.01},
            name="a test's site",
        )
        thread.start()
        test.addCleanup(thread.join)
        test.addCleanup(self._server.server_close)
        test.addCleanup(self._server.shutdown)


def html(body: str, status: int = 200) -> Answer:
    """Return a page."""
    return status, "text/html", f"<!doctype html><title>Page</title>{body}".encode()
