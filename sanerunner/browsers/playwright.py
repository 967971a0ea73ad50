"""Browsers that Playwright drives, by its synchronous API."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..exceptions import BrowserUnavailable
from .base import WINDOW, Artifact, BrowserOptions
from .finding import find_browser, version_of
from .spare import Beside
from .starting import chromium_arguments, first_line
from .unmark import calls, unmark
from .wiping import can_be_undone, wipe

__unittest = True  # unittest leaves the frames of this module out of tracebacks

CAPTURE_TIMEOUT = 5_000  # milliseconds
CONSOLE_LINES = 1_000


class PlaywrightBrowser:
    """One browser; tests get a context of their own as ``context``, a page in it as ``page``.

    A context in which little was done is wiped and used again. Making one takes the browser longer
    than most tests do, so where one was needed the next is made while a test is running.
    """

    def __init__(self, options: BrowserOptions) -> None:
        self._options = options
        self._playwright: Any = None
        self._browser: Any = None
        self._context: Any = None
        self._page: Any = None
        self._url_root: str | None = None
        self._wiped = False
        self._spares = False  # whether contexts had to be replaced
        self._spare: tuple[str | None, Beside[tuple[Any, Any]]] | None = None
        self._console: list[str] = []
        self._calls: set[tuple[str, str]] | None = None

    def open(self, url_root: str | None) -> Mapping[str, Any]:
        if self._browser is not None:
            try:
                return self._enter(url_root)
            except Exception:  # it died between two tests
                self.stop()
        self._start()
        return self._enter(url_root)

    def close(self) -> None:
        if self._context is None or self._wiped:
            return
        try:
            if self._can_be_wiped() and wipe(self._context, self._page):
                self._wiped = True
                return
            self._spares = True
            self._end_contexts()
            alive = self._browser.is_connected()
        except Exception:  # it has crashed; the test has been told by what it did
            alive = False
        if not alive:
            self.stop()

    def _can_be_wiped(self) -> bool:
        if self._options.trace or not can_be_undone(self._called):
            return False
        return bool(self._browser.browser_type.name == "chromium")

    @property
    def _called(self) -> set[tuple[str, str]]:
        """What the test has called; our own calls come later."""
        if self._calls is None:
            self._calls = set(calls)
        return self._calls

    def _end_contexts(self) -> None:
        """Close the test's context, and those that the test has made itself."""
        spare = self._spare[1].result()[0] if self._spare is not None else None
        self._context = self._page = None
        for context in self._browser.contexts:
            if context is not spare:
                context.close()

    def stop(self) -> None:
        playwright, self._playwright = self._playwright, None
        self._browser = self._context = self._page = self._spare = None
        self._wiped = False
        if playwright is None:
            return
        try:
            playwright.stop()  # its driver ends the browser, and itself
        except Exception:
            pass  # the driver has died

    def set_cookie(self, name: str, value: str, url: str, *, secure: bool = False) -> None:
        cookie = {"name": name, "value": value, "url": url, "secure": secure, "httpOnly": True}
        self._context.add_cookies([cookie])

    def capture(self) -> Iterator[Artifact]:
        self._called  # noqa: B018 (before our own calls)
        missing: list[str] = []
        if not self._context.pages:
            missing.append("There is no page: it was closed, or the browser has crashed.\n")
        for number, page in enumerate(self._context.pages, 1):
            stem = "page" if number == 1 else f"page-{number}"
            try:
                yield Artifact(f"{stem}.png", page.screenshot(timeout=CAPTURE_TIMEOUT))
                yield Artifact(f"{stem}.html", _html_of(page))
            except Exception as error:
                missing.append(f"{stem}: {first_line(error)}\n")
        if self._console:
            yield Artifact("console.txt", "".join(self._console).encode(errors="replace"))
        if self._options.trace:
            try:
                yield Artifact("trace.zip", self._trace())
            except Exception as error:
                missing.append(f"trace: {first_line(error)}\n")
        if missing:
            yield Artifact("incomplete.txt", "".join(missing).encode(errors="replace"))

    def _trace(self) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "trace.zip")
            self._context.tracing.stop(path=path)
            return path.read_bytes()

    def _enter(self, url_root: str | None) -> Mapping[str, Any]:
        self._console = []
        if self._wiped and self._url_root == url_root:
            self._page.title()  # is it still there?
        else:
            self._end_wiped()
            self._take_context(url_root)
        self._wiped = False
        if self._options.trace:
            self._context.tracing.start(screenshots=True, snapshots=True, sources=True)
        if self._spares and self._spare is None:
            self._spare = url_root, Beside(self._browser, lambda: self._new_context(url_root))
        self._calls = None
        calls.clear()
        return {"context": self._context, "page": self._page}

    def _end_wiped(self) -> None:
        if self._wiped:
            self._wiped = False
            self._context.close()

    def _take_context(self, url_root: str | None) -> None:
        spare, self._spare = self._spare, None
        if spare is None or spare[0] != url_root:
            context, page = self._new_context(url_root)
        else:
            context, page = spare[1].result()
        self._context, self._page, self._url_root = context, page, url_root
        context.on("console", lambda message: self._note(f"{message.type}: {message.text}"))
        context.on("weberror", lambda error: self._note(f"uncaught: {error.error}"))
        context.on("requestfailed", lambda request: self._note(f"failed: {_told(request)}"))

    def _note(self, line: str) -> None:
        if len(self._console) < CONSOLE_LINES:
            self._console.append(f"{line}\n")

    def _new_context(self, url_root: str | None) -> tuple[Any, Any]:
        width, height = WINDOW
        context = self._browser.new_context(
            base_url=url_root, viewport={"width": width, "height": height}
        )
        return context, context.new_page()

    def _start(self) -> None:
        try:
            from playwright.sync_api import sync_playwright
        except ModuleNotFoundError as error:
            raise BrowserUnavailable(
                "playwright is not installed: pip install 'sanerunner[playwright]'"
            ) from error
        unmark()
        self._playwright = sync_playwright().start()
        try:
            self._browser = self._launch()
        except BaseException:
            self.stop()
            raise

    def _launch(self) -> Any:
        choice = self._options.choice
        name = "firefox" if choice and choice.name == "firefox" else "chromium"
        kind = getattr(self._playwright, name)
        path: str | None = choice.path if choice else ""
        if name == "chromium" and not path:
            if choice is None and Path(kind.executable_path).exists():
                path = None  # its own, which is the one that it was tested with
            else:
                path = find_browser(choice, of=("chromium", "chrome")).path
        try:
            return kind.launch(
                executable_path=path or None,
                headless=not self._options.headed,
                slow_mo=self._options.slowmo,
                args=self._arguments(name),
            )
        except Exception as error:
            raise BrowserUnavailable(self._why_not(name, path, error)) from error

    def _arguments(self, name: str) -> list[str]:
        if name == "firefox":
            return []
        unwanted = ("--headless", "--window-size")  # Playwright has its own
        every = chromium_arguments(headed=self._options.headed)
        return [each for each in every if not each.startswith(unwanted)]

    @staticmethod
    def _why_not(name: str, path: str | None, error: Exception) -> str:
        ours = f"Playwright {version('playwright')}"
        if not path:
            return (
                f"{ours} has no {name} of its own: run 'playwright install "
                f"{name}', or name a program with --browser."
            )
        return f"{ours} cannot start {path} {version_of(path)}: {first_line(error)}"


def _html_of(page: Any) -> bytes:
    """The page as it is now. Unlike ``content()`` this does not wait for a page that hangs."""
    source = page.locator("html").evaluate("html => html.outerHTML", timeout=CAPTURE_TIMEOUT)
    return f"<!-- {page.url.replace('--', '- -')} -->\n{source}".encode(errors="replace")


def _told(request: Any) -> str:
    return f"{request.method} {request.url}: {request.failure}"
