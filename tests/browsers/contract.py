"""What every browser must keep, with a real one: nothing of a test is left to the next."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, ClassVar

from sanerunner.browsers.base import WINDOW, Artifact, Browser, BrowserOptions

from ..support.browsers import Answer, Site, html

# Leaves behind whatever a page can leave.
PLANT = """
    localStorage.setItem("k", "1");
    sessionStorage.setItem("k", "1");
    document.cookie = "k=1; max-age=3600";
    window.name = "planted";
    await new Promise((done, failed) => {
        const request = indexedDB.open("k", 1);
        request.onupgradeneeded = () => request.result.createObjectStore("s");
        request.onsuccess = () => { request.result.close(); done(); };
        request.onerror = failed;
    });
    await (await caches.open("k")).put("/kept", new Response("1"));
    await navigator.serviceWorker.register("/worker.js");
    await navigator.serviceWorker.ready;
    return (await (await fetch("/cached")).text());
"""
LOOK = """
    const permission = await navigator.permissions.query({name: "geolocation"});
    return {
        local: localStorage.length,
        session: sessionStorage.length,
        cookie: document.cookie,
        name: window.name,
        databases: (await indexedDB.databases()).length,
        caches: (await caches.keys()).length,
        workers: (await navigator.serviceWorker.getRegistrations()).length,
        permission: permission.state,
        width: outerWidth,
        text: document.body.innerText,
    };
"""
WORKER = b"""
self.addEventListener("activate", event => event.waitUntil(clients.claim()));
self.addEventListener("fetch", event => {
    if (event.request.mode === "navigate") {
        const headers = {"Content-Type": "text/html"};
        event.respondWith(new Response("<body>of the worker", {headers}));
    }
});
"""
HANG = "setTimeout(() => { for (;;); }, 1)"


def answer(path: str) -> Answer:
    if path == "/worker.js":
        return 200, "text/javascript", WORKER
    if path == "/cached":
        return 200, "text/plain", b"cached"
    if path == "/noisy":
        return html("<body>noisy<script>console.error('oh dear')</script>")
    return html("<body>of the server")


class BrowserContract:
    """Mixed into a test case that says how the library does things."""

    browser: ClassVar[Any]
    attributes: Any
    site: Site

    @classmethod
    def make(cls, options: BrowserOptions) -> Browser:
        raise NotImplementedError

    def go(self: Any, url: str) -> None:
        raise NotImplementedError

    def run_script(self: Any, body: str) -> Any:
        """Run the body of an asynchronous function in the page; return what that returns."""
        raise NotImplementedError

    def change_settings(self: Any) -> None:
        """Change what a test can change of the window and the permissions."""
        raise NotImplementedError

    def open_window(self: Any, path: str) -> None:
        self.run_script(f"window.open({path!r})")

    def let_hang(self: Any) -> None:
        self.run_script(HANG)

    def windows(self: Any) -> int:
        raise NotImplementedError

    def kill_browser(self: Any) -> None:
        raise NotImplementedError

    def kill_driver(self: Any) -> None:
        raise NotImplementedError

    @classmethod
    def setUpClass(cls: Any) -> None:
        super().setUpClass()  # type: ignore[misc]
        cls.browser = cls.make(BrowserOptions())
        cls.addClassCleanup(cls.browser.stop)

    def setUp(self: Any) -> None:
        super().setUp()  # type: ignore[misc]
        self.site = Site(self, answer)
        self.addCleanup(self.browser.close)
        self.enter()

    def enter(self: Any) -> None:
        self.attributes = self.browser.open(self.site.url)

    def next_test(self: Any) -> None:
        self.browser.close()
        self.enter()

    def captured(self: Any) -> dict[str, Artifact]:
        return {artifact.name: artifact.content for artifact in self.browser.capture()}

    # Leaks

    def test_nothing_is_left_to_the_next_test(self: Any) -> None:
        self.go(f"{self.site.url}/")
        clean = self.run_script(LOOK)
        self.assertEqual(clean["text"], "of the server")
        self.assertEqual(self.run_script(PLANT), "cached")
        self.change_settings()
        self.go(f"{self.site.url}/")
        planted = self.run_script(LOOK)
        same = [name for name in clean if planted[name] == clean[name]]
        self.assertEqual(same, [], "what was to be planted is not there")

        self.next_test()
        self.go(f"{self.site.url}/")
        self.assertEqual(self.run_script(LOOK), clean)
        self.assertEqual(self.run_script("return (await fetch('/cached')).text()"), "cached")
        self.assertEqual(self.site.requests.count("/cached"), 2, "it came from a cache")

    def test_windows_are_closed(self: Any) -> None:
        self.go(f"{self.site.url}/")
        self.assertEqual(self.windows(), 1)
        self.open_window("/other")
        self.assertEqual(self.windows(), 2)
        self.next_test()
        self.assertEqual(self.windows(), 1)
        self.go(f"{self.site.url}/")

    def test_dialogs_are_gone(self: Any) -> None:
        self.go(f"{self.site.url}/")
        self.run_script("setTimeout(() => alert('still here'))")
        self.next_test()
        self.go(f"{self.site.url}/")
        self.assertEqual(self.run_script("return document.body.innerText"), "of the server")

    def test_a_page_that_hangs_is_ended(self: Any) -> None:
        self.go(f"{self.site.url}/")
        self.let_hang()
        self.next_test()
        self.go(f"{self.site.url}/")

    def test_the_window_has_its_size(self: Any) -> None:
        self.go(f"{self.site.url}/")
        self.assertEqual(self.run_script("return outerWidth"), WINDOW[0])

    # Crashes

    def test_a_browser_that_dies_in_a_test_is_replaced(self: Any) -> None:
        self.kill_browser()
        with self.assertRaises(Exception):  # noqa: B017 (each library has its own)
            self.go(f"{self.site.url}/")
        self.next_test()
        self.go(f"{self.site.url}/")

    def test_a_browser_that_dies_between_tests_is_replaced(self: Any) -> None:
        self.kill_browser()
        self.next_test()
        self.go(f"{self.site.url}/")

    def test_a_driver_that_dies_is_replaced(self: Any) -> None:
        self.kill_driver()
        self.next_test()
        self.go(f"{self.site.url}/")

    # What is kept of a failed test

    def test_artifacts(self: Any) -> None:
        self.go(f"{self.site.url}/noisy")
        files = self.captured()
        self.assertEqual(set(files), {"page.png", "page.html", "console.txt"})
        self.assertTrue(files["page.png"].startswith(b"\x89PNG"))
        page = files["page.html"].decode()
        self.assertTrue(page.startswith(f"<!-- {self.site.url}/noisy -->\n"), page)
        self.assertIn("<body>noisy", page)
        self.assertIn("oh dear", files["console.txt"].decode())

    def test_the_console_of_an_earlier_test_is_not_this_ones(self: Any) -> None:
        self.go(f"{self.site.url}/noisy")
        self.next_test()
        self.go(f"{self.site.url}/")
        self.assertNotIn(b"oh dear", self.captured().get("console.txt", b""))

    def test_artifacts_of_a_page_that_hangs(self: Any) -> None:
        self.go(f"{self.site.url}/")
        self.let_hang()
        self.be_impatient()
        files = self.captured()
        self.assertIn("incomplete.txt", files)
        self.next_test()
        self.go(f"{self.site.url}/")

    def test_artifacts_of_a_browser_that_is_dead(self: Any) -> None:
        self.kill_browser()
        self.assertIn("incomplete.txt", self.captured())

    def be_impatient(self: Any) -> None:
        raise NotImplementedError

    # Cookies

    def test_a_cookie_is_set_before_any_page(self: Any) -> None:
        self.browser.set_cookie("sessionid", "abc", self.site.url)
        self.go(f"{self.site.url}/")
        self.assertEqual(self.cookies(), {"sessionid": "abc"})
        self.assertEqual(self.run_script("return document.cookie"), "")  # not for scripts
        self.next_test()
        self.go(f"{self.site.url}/")
        self.assertEqual(self.cookies(), {})

    def cookies(self: Any) -> dict[str, str]:
        raise NotImplementedError


class StoppingContract:
    """How a browser ends; it must not be the one of the other tests."""

    def make(self: Any, options: BrowserOptions) -> Any:
        raise NotImplementedError

    def test_nothing_is_left(self: Any) -> None:
        threads, processes = set(threading.enumerate()), children()
        browser = self.make(BrowserOptions())
        self.addCleanup(browser.stop)
        browser.open(None)
        started = children() - processes
        self.assertTrue(started)
        browser.stop()
        while started & children():  # some end their browsers first
            pass
        left = [thread for thread in set(threading.enumerate()) - threads if thread.is_alive()]
        self.assertEqual(left, [])

    def test_it_can_be_opened_again(self: Any) -> None:
        browser = self.make(BrowserOptions())
        self.addCleanup(browser.stop)
        browser.stop()
        browser.open(None)
        browser.stop()
        browser.stop()
        self.assertTrue(browser.open(None))


def children() -> set[int]:
    """Return the ids of this process's children."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if fields[0] != "Z" and int(fields[1]) == os.getpid():
            found.add(int(path.parent.name))
    return found
