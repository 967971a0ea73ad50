"""Tests of one page in a browser: ``python benchmarks/browsers.py [--rounds 3] [--tests 20]``.

*A run*: 50 tests, in classes of 5, of Django's StaticLiveServerTestCase with a browser that each
class starts by Selenium, under Django's runner, against the same tests of ours. Seconds of wall
time.

*A test*: from its first line to the first line of the next one, where all tests of a class
share one context and nothing is cleaned, and where each has a clean one. The difference is what
isolation costs. Milliseconds. Medians of interleaved runs, on SQLite.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Callable
from pathlib import Path

from common import SANE, STOCK, compare, machine, manage, project, table

CLASSES = 10

SETTINGS = """
INSTALLED_APPS += ["django.contrib.staticfiles"]
ROOT_URLCONF = "app.urls"
STATIC_URL = "static/"
"""

URLS = """
from django.http import HttpResponse
from django.urls import path

PAGE = '<!doctype html><title>Page</title><link rel=icon href="data:,"><p id=it>here</p>'
urlpatterns = [path("", lambda request: HttpResponse(PAGE))]
"""

COMMON = """
import json, time
from pathlib import Path
from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from playwright.sync_api import sync_playwright
from sanerunner import HttpTestCase, PlaywrightTestCase, SeleniumTestCase
from sanerunner.browsers.finding import find_browser, find_driver
from sanerunner.browsers.starting import chromium_arguments
from sanerunner.browsers.unmark import unmark
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

started = []

def tearDownModule():
    Path("times.json").write_text(json.dumps(started))

def by_selenium(self):
    started.append(time.perf_counter())
    self.selenium.get(self.live_server_url + "/")
    assert self.selenium.find_element("id", "it").text == "here"

def by_playwright(self):
    started.append(time.perf_counter())
    self.page.goto(self.live_server_url + "/")
    assert self.page.inner_text("#it") == "here"

def start_driver():
    options, browser = webdriver.ChromeOptions(), find_browser(None, of=("chromium", "chrome"))
    options.binary_location = browser.path
    for argument in chromium_arguments(headed=False):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=Service(find_driver(browser.name)))

class OwnDriver:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.selenium = start_driver()
        cls.addClassCleanup(cls.selenium.quit)

class OwnPlaywright:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        unmark()
        playwright = sync_playwright().start()
        cls.addClassCleanup(playwright.stop)
        path = find_browser(None, of=("chromium", "chrome")).path
        unwanted = ("--headless", "--window-size")
        every = [a for a in chromium_arguments(headed=False) if not a.startswith(unwanted)]
        browser = playwright.chromium.launch(executable_path=path, args=every)
        cls.addClassCleanup(browser.close)
        cls.page = browser.new_page()

def add(name, test, count, *bases):
    tests = {f"test_{number:02}": test for number in range(count)}
    globals()[name] = type(name, bases, {**tests, "__module__": __name__})
"""

# side -> (how a class is made, the runner)
RUNS = {
    "StaticLiveServerTestCase + Selenium": (
        "by_selenium, 5, OwnDriver, StaticLiveServerTestCase",
        STOCK,
    ),
    "SeleniumTestCase": ("by_selenium, 5, SeleniumTestCase", SANE),
    "PlaywrightTestCase": ("by_playwright, 5, PlaywrightTestCase", SANE),
}
TESTS = {
    "Selenium, nothing isolated": "by_selenium, {}, OwnDriver, HttpTestCase",
    "SeleniumTestCase": "by_selenium, {}, SeleniumTestCase",
    "Playwright, nothing isolated": "by_playwright, {}, OwnPlaywright, HttpTestCase",
    "PlaywrightTestCase": "by_playwright, {}, PlaywrightTestCase",
}


def sources(tests: int) -> dict[str, str]:
    """Return a module of tests for each side."""
    files = {"app/urls.py": URLS}
    for number, (how, _) in enumerate(RUNS.values()):
        classes = [f"add('Test{each}', {how})" for each in range(CLASSES)]
        files[f"app/run{number}.py"] = _module(classes)
    for number, how in enumerate(TESTS.values()):
        files[f"app/tests{number}.py"] = _module([f"add('Test', {how.format(tests)})"])
    return files


def _module(lines: list[str]) -> str:
    return COMMON + "\n".join(lines) + "\n"


def test_of(folder: Path, number: int) -> Callable[[], float]:
    """Return a function that runs a class: -> the median time of its tests, in seconds."""
    run = manage(folder, "test", "--noinput", f"app.tests{number}", SANE)

    def median() -> float:
        run()
        started = json.loads((folder / "times.json").read_text())
        return statistics.median(
            after - before for before, after in itertools.pairwise(started[3:])
        )

    return median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with project(sources(arguments.tests)) as folder:
        path = folder / "settings.py"
        path.write_text(f"{path.read_text()}{SETTINGS}")
        print(machine([]), end="\n\n")
        singles = {side: test_of(folder, number) for number, side in enumerate(TESTS)}
        medians = compare(singles, arguments.rounds, warm=False)
        print(table("a test", medians, "Selenium, nothing isolated", unit="ms"), end="\n\n")
        runs = {
            side: manage(folder, "test", "--noinput", f"app.run{number}", runner)
            for number, (side, (_, runner)) in enumerate(RUNS.items())
        }
        medians = compare(runs, arguments.rounds, warm=False)
        print(table("a run of 50 tests", medians, next(iter(RUNS))))


if __name__ == "__main__":
    main()
