"""Browser tests of a project, run as users run them."""

from __future__ import annotations

import re
import unittest

from ..support.browsers import require_playwright, require_selenium
from ..support.projects import InnerProject, inner_project

SETTINGS = """
    ROOT_URLCONF = "app.urls"
    STATIC_URL = "static/"
    INSTALLED_APPS += ["django.contrib.sessions"]
    MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
"""
URLS = """
    from django.http import HttpResponse
    from django.urls import path
    from app.models import Thing

    PAGE = '''<!doctype html><title>Things</title><h1>%s</h1><p>%s</p>
    <button onclick="fetch('/add/').then(answer => answer.text()).then(show)">Add</button>
    <script>
    function show(text) { document.querySelector('h1').textContent = text }
    function again() { fetch('/count/').then(again) }
    </script>'''

    def count(request):
        return HttpResponse(str(Thing.objects.count()))

    def home(request):
        return HttpResponse(PAGE % (Thing.objects.count(), request.user))

    def add(request):
        Thing.objects.create(name="made by a request")
        return count(request)

    def broken(request):
        raise ValueError("broken view")

    urlpatterns = [
        path("", home),
        path("count/", count),
        path("add/", add),
        path("broken/", broken),
    ]
"""
SELENIUM = """
    from django.contrib.auth import get_user_model
    from sanerunner import SeleniumTestCase
    from app.models import Thing

    class SeleniumTest(SeleniumTestCase):
        @classmethod
        def setUpTestData(cls):
            Thing.objects.create(name="of the class")

        def test_a_request_changes_the_database(self):
            self.open("/")
            self.assertEqual(self.selenium.title, "Things")
            self.wait_for("button").click()
            self.wait_until(lambda: self.selenium.find_element("tag name", "h1").text == "2")
            self.assertEqual(Thing.objects.count(), 2)

        def test_and_is_undone(self):
            self.open("/")
            self.wait_for_text("1")

        def test_login(self):
            self.login(get_user_model().objects.create_user("ann"))
            self.open("/")
            self.assertIn("ann", self.wait_for("p").text)

        def test_nobody_is_logged_in(self):
            self.open("/")
            self.assertIn("AnonymousUser", self.wait_for("p").text)

        def test_a_page_that_never_rests(self):
            self.open("/")
            self.selenium.execute_script("for (let i = 0; i < 4; i++) again()")
"""
PLAYWRIGHT = """
    import os
    from django.contrib.auth import get_user_model
    from playwright.sync_api import expect
    from sanerunner import PlaywrightTestCase
    from app.models import Thing

    class PlaywrightTest(PlaywrightTestCase):
        def test_a_request_changes_the_database(self):
            assert "DJANGO_ALLOW_ASYNC_UNSAFE" not in os.environ
            Thing.objects.create(name="of the test")
            self.page.goto("/")
            Thing.objects.create(name="of the test")
            self.page.click("button")
            expect(self.page.locator("h1")).to_have_text("3")
            self.wait_until(lambda: Thing.objects.count() == 3)

        def test_and_is_undone(self):
            self.open("/")
            expect(self.page.locator("h1")).to_have_text("0")

        def test_login(self):
            self.login(get_user_model().objects.create_user("ann"))
            self.open("/")
            expect(self.page.locator("p")).to_have_text("ann")

        def test_a_page_that_never_rests(self):
            self.open("/")
            self.page.evaluate("() => { for (let i = 0; i < 4; i++) again() }")
"""
PLAIN = """
    import unittest
    from django.test import LiveServerTestCase

    class PlainTest(unittest.TestCase):
        selenium_start = True

        def test_plain(self):
            self.selenium.get(self.url("/"))
            self.assertEqual(self.selenium.title, "Things")

        def test_both(self):
            self.selenium.get(self.url("/"))
            self.page.goto("/")
            self.assertEqual(self.page.title(), self.selenium.title)
        test_both.selenium_start = test_both.playwright_start = True

    class StockTest(LiveServerTestCase):
        playwright_start = True

        def test_stock(self):
            self.page.goto("/")
            self.assertEqual(self.page.title(), "Things")
"""
FAILING = """
    from sanerunner import PlaywrightTestCase, SeleniumTestCase

    class SeleniumTest(SeleniumTestCase):
        def test_assertion(self):
            self.open("/")
            self.wait_until(lambda: False, "a miracle", timeout=0.2)

        def test_view(self):
            self.open("/broken/")

        def tearDown(self):
            self.selenium.get("about:blank")

    class PlaywrightTest(PlaywrightTestCase):
        def test_assertion(self):
            self.open("/")
            self.fail()
"""


class RunTestCase(unittest.TestCase):
    def setUp(self) -> None:
        require_selenium()
        require_playwright()

    def project(self, tests: str, **files: str) -> InnerProject:
        return inner_project(self, tests, SETTINGS, **{"app/urls.py": URLS, **files})


class RunTest(RunTestCase):
    def test_all_ways(self) -> None:
        files = {
            "app/test_a.py": SELENIUM,
            "app/test_b.py": PLAYWRIGHT,
            "app/test_c.py": PLAIN,
        }
        project = self.project("", **files)
        for options in ((), ("--parallel=2",)):
            with self.subTest(options):
                ran = project.test("--detect-leaks", *options)
                self.assertEqual(ran.returncode, 0, ran.output)
                self.assertIn("\nRan 12 tests", ran.stderr)
                self.assertIn("\n\nOK\n", ran.stderr)
                self.assertNotIn("Leaks:", ran.stderr)
                self.assertNotIn("Warning", ran.stderr)

    def test_under_djangos_runner(self) -> None:
        project = self.project("", **{"app/test_a.py": SELENIUM, "app/test_b.py": PLAYWRIGHT})
        project.write(
            "stock.py", 'from settings import *\nTEST_RUNNER = "django.test.runner.DiscoverRunner"'
        )
        ran = project.test("--settings=stock")
        self.assertEqual(ran.returncode, 0, ran.output)
        self.assertIn("\nRan 9 tests", ran.stderr)


class FailingTest(RunTestCase):
    NAMES = ("page.png", "page.html", "requests.txt")

    def test_what_failed_tests_saw(self) -> None:
        project = self.project(FAILING)
        ran = project.test("--junit=junit.xml", "--parallel=2")
        self.assertEqual(ran.returncode, 1)
        for test in (
            "SeleniumTest.test_assertion",
            "SeleniumTest.test_view",
            "PlaywrightTest.test_assertion",
        ):
            folder = f"artifacts/app.tests.{test}"
            for name in self.NAMES:
                with self.subTest(f"{test}/{name}"):
                    self.assertTrue((project.folder / folder / name).stat().st_size)
                    self.assertIn(f"\n  {folder}/{name}\n", ran.stderr)
        report = (project.folder / "junit.xml").read_text(encoding="utf-8")
        folder = "artifacts/app.tests.SeleniumTest.test_assertion"
        self.assertIn(f"[[ATTACHMENT|{folder}/page.png]]", report)
        page = (project.folder / folder / "page.html").read_text(encoding="utf-8")
        self.assertIn("<title>Things</title>", page)  # not what tearDown() has made of it
        requests = (project.folder / folder / "requests.txt").read_text(encoding="utf-8")
        self.assertRegex(requests, r"^GET / 200 [\d.]+ ms\n")
        self.assertRegex(
            ran.stderr,
            r"\nAssertionError: Waited 0.2 s for a miracle; it last returned False; "
            r"the browser is at http://127.0.0.1:\d+/.\n",
        )

    def test_options(self) -> None:
        project = self.project(FAILING)
        ran = project.test("--trace", "--artifacts=seen/here", "-k", "PlaywrightTest")
        self.assertIn(
            "  seen/here/app.tests.PlaywrightTest.test_assertion/trace.zip\n", ran.stderr
        )
        ran = project.test("-k", "PlaywrightTest", "--retries=1")
        saved = sorted(path.name for path in (project.folder / "artifacts").glob("*Test*"))
        name = "app.tests.PlaywrightTest.test_assertion"
        self.assertEqual(saved, [name, f"{name}-2"], ran.output)


class NoBrowserTest(RunTestCase):
    NOWHERE = ("--browser", "chromium /no/chromium")

    def test_skipped_with_the_reason(self) -> None:
        project = self.project("", **{"app/test_a.py": SELENIUM})
        ran = project.test("-v2", *self.NOWHERE)
        self.assertEqual(ran.returncode, 0, ran.output)
        self.assertIn("OK (skipped=5)", ran.stderr)
        self.assertIn(
            "skipped \"The browser '/no/chromium' is not there: see BROWSER.\"", ran.stderr
        )

    def test_an_error_where_it_is_forced(self) -> None:
        project = self.project("", **{"app/test_a.py": SELENIUM})
        project.write("forced.py", "from settings import *\nFORCE_SELENIUM_TESTS = 'ci'")
        for arguments, environment in (
            (("--force-browsers",), {"CI": ""}),
            (("--settings=forced",), {"CI": "true"}),
        ):
            with self.subTest(arguments):
                ran = project.test(*arguments, *self.NOWHERE, environment=environment)
                self.assertEqual(ran.returncode, 1)
                self.assertIn("FAILED (errors=5)", ran.stderr)
                blocks = re.findall(r"-{70}\n(sanerunner.*)\n\n", ran.stderr)
                line = (
                    "sanerunner.exceptions.BrowserUnavailable: "
                    "The browser '/no/chromium' is not there: see BROWSER."
                )
                self.assertEqual(blocks, [line] * 5, ran.output)


class KilledTest(RunTestCase):
    def test_a_killed_worker_leaves_no_browser(self) -> None:
        tests = """
            import os, signal
            from sanerunner import SeleniumTestCase

            class FirstTest(SeleniumTestCase):
                def test_killed(self):
                    pid = self.selenium.capabilities["goog:processID"]
                    with open("pids", "a") as file:
                        print(pid, self.selenium.service.process.pid, file=file)
                    os.kill(os.getpid(), signal.SIGKILL)

            class SecondTest(SeleniumTestCase):
                def test_passes(self):
                    self.open("/")
        """
        from sanerunner.browsers.processes import started

        project = self.project(tests)
        ran = project.test("--parallel=2")
        self.assertIn("FAILED (errors=1)", ran.stderr, ran.output)
        pids = (project.folder / "pids").read_text(encoding="utf-8").split()
        self.assertEqual(len(pids), 2)
        for pid in pids:
            while started(int(pid)):
                pass
