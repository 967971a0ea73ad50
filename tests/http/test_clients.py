"""``self.urlopen()``, ``self.http`` and ``self.twill``."""

from __future__ import annotations

import os
import unittest
from importlib.util import find_spec

from ..support.projects import InnerProject
from .project import http_project

CLIENTS = """
class UrlopenTest(HttpTestCase):
    def test_paths_urls_and_requests(self):
        from urllib.request import Request
        for url in ("/things/", "things/", self.url("/things/"), Request(self.url("/things/"))):
            self.assertEqual(self.urlopen(url).status, 200)
        self.assertEqual(self.urlopen("/add/?name=a", data=b"posted", timeout=9).read(), b"added")

class HttpxTest(HttpTestCase):
    @classmethod
    def setUpTestData(cls):
        from django.contrib.auth.models import User
        cls.user = User.objects.create_user("fern")

    def test_1_login(self):
        self.assertEqual(self.http.get("/me/").text, "nobody")
        self.http.login(self.user)
        self.assertEqual(self.http.get("/me/").text, "fern")
        self.http.login(self.user)
        self.assertEqual(self.http.get("/me/").text, "fern")
        self.http.logout()
        self.assertEqual(self.http.get("/me/").text, "nobody")
        self.http.login(self.user)
        self.http.cookies.set("seen", "yes")
        self.assertIs(self.http, self.http)

    def test_2_cookies_are_those_of_the_test(self):
        self.assertEqual(dict(self.http.cookies), {})
        self.assertEqual(self.http.get("/me/").text, "nobody")
"""

TWILL = """
import logging, sys

class TwillTest(HttpTestCase):
    def test_1_pages(self):
        Thing.objects.create(name="oak")  # twill cannot read empty pages
        self.twill.go("/page/")
        self.assert_code(200)
        self.twill.assert_code("200")
        self.assertIn("no link", self.twill.html)
        self.twill.go("../things/")
        self.assertEqual(self.twill.url, self.url("/things/"))
        for path in ("//a", "//a/b", "//a/@href", "//div"):
            self.twill.go("/page/")
            self.twill.go_xpath(path)
            self.assertEqual(self.twill.url, self.url("/things/"))
        self.twill.commands.add_extra_header("X-Tree", "oak")
        with self.assertRaisesRegex(AssertionError, "the status is 200, not 404: http"):
            self.assert_code(404)

    def test_2_nothing_is_left_of_the_test_before(self):
        with self.assertRaisesRegex(Exception, "no page"):
            self.twill.html
        self.assertNotIn("X-Tree", self.twill.headers)
        self.twill.go("/page/")
        self.assertEqual(self.twill.history, [])
        self.assertEqual(rows(), [])

    def test_3_forms(self):
        self.twill.go("/page/")
        self.twill.commands.formvalue("1", "name", "oak")
        self.twill.submit()
        self.assertEqual(self.twill.html, "added")
        self.assertEqual(rows(), ["oak"])

    def test_4_a_link_that_is_not_there(self):
        self.twill.go("/page/")
        with self.assertRaisesRegex(Exception, "no link matches XPath '//i' on http"):
            self.twill.go_xpath("//i")

    def test_5_errors_of_the_server(self):
        with self.assertRaises(HTTPError) as caught:
            self.twill.go("/boom/")
        self.assertRegex(str(caught.exception), "HTTP Error 500: .*/boom/[^$]*no such tree")
        self.twill.go("/nothing/")
        self.assert_code(404)

    def test_6_the_process_is_left_alone(self):
        self.assertEqual([entry for entry in sys.path if "twill" in entry], [])
        self.assertEqual(logging.getLogger("twill").handlers, [])
"""

MISSING = """
import sys
sys.modules["httpx"] = sys.modules["twill"] = None

class MissingTest(HttpTestCase):
    def test_http(self):
        self.http.get("/things/")

    def test_twill(self):
        self.twill.go("/things/")

    def test_code(self):
        self.assert_code(200)

    def test_urlopen(self):
        self.urlopen("/things/")
"""

ENGINES = {
    "db": "",
    "cached_db": "",
    "cache": "",
    "file": "SESSION_FILE_PATH = BASE_DIR",
    "signed_cookies": "SESSION_COOKIE_NAME = 'other'; SESSION_COOKIE_SECURE = True",
}


def need(*packages: str) -> None:
    """Skip a test whose packages are not installed; in CI it fails."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing and os.environ.get("CI", "").lower() == "true":
        raise AssertionError(f"{', '.join(missing)} must be installed")
    if missing:
        raise unittest.SkipTest(f"{', '.join(missing)} is not installed")


class ClientsTest(unittest.TestCase):
    def passes(self, project: InnerProject, total: int, *options: str) -> None:
        outcome = project.test(*options)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn(f"Ran {total} tests", outcome.stderr)

    def test_login_with_every_session_engine(self) -> None:
        need("httpx")
        for engine, settings in ENGINES.items():
            with self.subTest(engine):
                project = http_project(
                    self,
                    CLIENTS,
                    f"SESSION_ENGINE = 'django.contrib.sessions.backends.{engine}'\n{settings}",
                )
                self.passes(project, 3)

    def test_twill(self) -> None:
        need("twill")
        self.passes(http_project(self, TWILL), 6)

    def test_twill_leaves_nothing_changed(self) -> None:
        need("twill")
        self.passes(http_project(self, TWILL), 6, "--fail-on-leaks")

    def test_packages_that_are_missing(self) -> None:
        outcome = http_project(self, MISSING).test("--junit=junit.xml", "-v2")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("OK (skipped=3)", outcome.stderr)
        for extra, package in (("http", "httpx"), ("twill", "twill")):
            self.assertIn(
                f"{package} is not installed: pip install 'sanerunner[{extra}]'", outcome.stderr
            )
