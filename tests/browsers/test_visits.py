"""A test's time in the browser; the browsers here are made up."""

from __future__ import annotations

import tempfile
import unittest
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sanerunner.attachments import attachments_of
from sanerunner.browsers.artifacts import ArtifactFolder
from sanerunner.browsers.base import Artifact, BrowserOptions
from sanerunner.browsers.process import ProcessBrowsers
from sanerunner.browsers.visits import Visit, visit_of
from sanerunner.events import Outcome, TestFinished
from sanerunner.exceptions import BrowserUnavailable
from sanerunner.plugins import Plugin

from ..support.running import run_classes


class FakeBrowser:
    """Writes down what it is asked to do; ``fails`` are the messages of failed starts."""

    def __init__(self, log: list[str], fails: list[str]) -> None:
        self._log = log
        self._fails = fails
        self.page = ""

    def open(self, url_root: str | None) -> Mapping[str, Any]:
        if self._fails:
            raise BrowserUnavailable(self._fails.pop(0))
        self.page = "blank"
        self._log.append(f"open {url_root}")
        return {"selenium": self}

    def capture(self) -> Iterator[Artifact]:
        self._log.append(f"capture {self.page}")
        yield Artifact("page.html", self.page.encode())

    def set_cookie(self, name: str, value: str, url: str, *, secure: bool = False) -> None:
        self._log.append(f"cookie {name}={value} {url}{' secure' if secure else ''}")

    def close(self) -> None:
        self._log.append("close")

    def stop(self) -> None:
        self._log.append("stop")


class Around(Plugin):
    """Gives each test a visit."""

    test_attributes = None

    def __init__(self, browsers: ProcessBrowsers, **options: Any) -> None:
        self._browsers = browsers
        self._options = options

    def test_setup(self, test: unittest.TestCase) -> None:
        Visit(test, ["selenium"], self._browsers, **self._options).expect()


class VisitTest(unittest.TestCase):
    def setUp(self) -> None:
        self.log: list[str] = []
        self.fails: list[str] = []
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "artifacts"
        self.browsers = ProcessBrowsers(
            BrowserOptions(), sorts={"selenium": lambda options: FakeBrowser(self.log, self.fails)}
        )

    def run_class(self, test_class: type, **options: Any) -> TestFinished:
        options.setdefault("artifacts", ArtifactFolder(self.folder))
        ran = run_classes(test_class, plugins=[Around(self.browsers, **options)])
        finished = list(ran.finished.values())
        return finished[-1]

    def saved(self) -> list[str]:
        return [path.read_text(encoding="utf-8") for path in self.folder.glob("*/page.html")]

    def test_a_passing_test(self) -> None:
        log = self.log

        class Passing(unittest.TestCase):
            live_server_url = "http://a:1"
            selenium: FakeBrowser

            def setUp(self) -> None:
                log.append(f"setUp {self.selenium.page}")
                self.addCleanup(log.append, "clean-up")

            def test_it(self) -> None:
                log.append("test")

            def tearDown(self) -> None:
                log.append("tearDown")

        finished = self.run_class(Passing)
        self.assertEqual(finished.outcome, Outcome.PASSED)
        self.assertEqual(
            log, ["open http://a:1", "setUp blank", "test", "tearDown", "clean-up", "close"]
        )
        self.assertFalse(self.folder.exists())

    def test_what_a_failed_test_saw_is_saved_as_it_was_then(self) -> None:
        class Failing(unittest.TestCase):
            selenium: FakeBrowser

            def test_it(self) -> None:
                self.selenium.page = "broken"
                self.fail()

            def tearDown(self) -> None:
                self.selenium.page = "left"

        finished = self.run_class(Failing)
        self.assertEqual(finished.outcome, Outcome.FAILED)
        self.assertEqual(self.saved(), ["broken"])
        (path,) = finished.attachments
        self.assertEqual(Path(path).parent.name.rpartition(".")[2], "test_it")

    def test_also_in_the_fixtures_of_the_test(self) -> None:
        class InSetUp(unittest.TestCase):
            selenium: FakeBrowser

            def setUp(self) -> None:
                self.selenium.page = "in setUp"
                raise ValueError

            def test_it(self) -> None: ...

        class InTearDown(unittest.TestCase):
            selenium: FakeBrowser

            def test_it(self) -> None: ...

            def tearDown(self) -> None:
                self.selenium.page = "in tearDown"
                raise ValueError

        class InSubTest(unittest.TestCase):
            selenium: FakeBrowser

            def test_it(self) -> None:
                with self.subTest(i=1):
                    self.selenium.page = "in subTest"
                    self.fail()

        for test_class, page in (
            (InSetUp, "in setUp"),
            (InTearDown, "in tearDown"),
            (InSubTest, "in subTest"),
        ):
            with self.subTest(page):
                finished = self.run_class(test_class)
                self.assertTrue(finished.outcome.is_bad)
                self.assertEqual(len(finished.attachments), 1)
                self.assertIn(page, self.saved())

    def test_nothing_is_saved_of_what_is_no_failure(self) -> None:
        class Skipping(unittest.TestCase):
            def test_it(self) -> None:
                self.skipTest("no")

        class Expected(unittest.TestCase):
            @unittest.expectedFailure
            def test_it(self) -> None:
                self.fail()

        for test_class in (Skipping, Expected):
            with self.subTest(test_class.__name__):
                self.assertFalse(self.run_class(test_class).outcome.is_bad)
        self.assertEqual(self.log, ["open None", "close", "open None", "close"])

    def test_a_skipped_test_needs_no_browser(self) -> None:
        @unittest.skip("not today")
        class Skipped(unittest.TestCase):
            def test_it(self) -> None: ...

        self.assertEqual(self.run_class(Skipped).reason, "not today")
        self.assertEqual(self.log, [])

    def test_what_the_server_says_makes_a_failure(self) -> None:
        class Passing(unittest.TestCase):
            def test_it(self) -> None: ...

        finished = self.run_class(
            Passing,
            troubled=lambda: True,
            more=lambda: [Artifact("requests.txt", b"GET / 500")],
        )
        names = [Path(path).name for path in finished.attachments]
        self.assertEqual(names, ["page.html", "requests.txt"])
        self.assertEqual(self.log, ["open None", "capture blank", "close"])

    def test_no_folder(self) -> None:
        class Failing(unittest.TestCase):
            def test_it(self) -> None:
                self.fail()

        self.assertEqual(self.run_class(Failing, artifacts=None).attachments, ())
        self.assertEqual(self.log, ["open None", "close"])

    def test_a_folder_that_cannot_be_written_to(self) -> None:
        self.folder.write_text("a file", encoding="utf-8")

        class Failing(unittest.TestCase):
            def test_it(self) -> None:
                self.fail("the test's own")

        finished = self.run_class(Failing)
        self.assertEqual([one.message for one in finished.failures], ["the test's own"])
        if hasattr(AssertionError, "add_note"):
            self.assertIn("cannot be saved: ", finished.failures[0].traceback)
        self.assertEqual(self.log[-1], "close")

    def test_no_browser_is_a_reason_to_skip(self) -> None:
        self.fails += ["No browser was found."]

        class Passing(unittest.TestCase):
            def test_a(self) -> None: ...
            def test_b(self) -> None: ...

        ran = run_classes(Passing, plugins=[Around(self.browsers)])
        reasons = [event.reason for event in ran.finished.values()]
        self.assertEqual(reasons, ["No browser was found."] * 2)  # it is looked for once
        self.assertEqual(self.log, [])

    def test_no_browser_is_an_error_where_it_is_forced(self) -> None:
        self.fails += ["No browser was found."]

        class Passing(unittest.TestCase):
            def test_it(self) -> None: ...

        finished = self.run_class(Passing, force=True)
        (failure,) = finished.failures
        self.assertEqual(finished.outcome, Outcome.ERRORED)
        line = "sanerunner.exceptions.BrowserUnavailable: No browser was found."
        self.assertEqual(failure.traceback.strip().splitlines(), [line])

    def test_a_browser_that_was_there_is_looked_for_again(self) -> None:
        fails = self.fails

        class Passing(unittest.TestCase):
            def test_a(self) -> None:
                fails.append("out of memory")

            def test_b(self) -> None: ...
            def test_c(self) -> None: ...

        ran = run_classes(Passing, plugins=[Around(self.browsers)])
        outcomes = [Outcome.PASSED, Outcome.SKIPPED, Outcome.PASSED]
        self.assertEqual(list(ran.outcomes.values()), outcomes)

    def test_the_test_has_nothing_of_it_afterwards(self) -> None:
        tests: list[unittest.TestCase] = []

        class Passing(unittest.TestCase):
            def test_it(self) -> None:
                tests.append(self)

        self.run_class(Passing)
        self.assertNotIn("selenium", vars(tests[0]))
        self.assertEqual(attachments_of(tests[0]), ())

    def test_cookies(self) -> None:
        class LoggingIn(unittest.TestCase):
            live_server_url = "http://a:1"

            def test_it(self) -> None:
                visit = visit_of(self)
                assert visit is not None
                visit.set_cookie("sessionid", "x", secure=True)

        self.run_class(LoggingIn)
        self.assertIn("cookie sessionid=x http://a:1", self.log)
        self.run_class(LoggingIn, url_root="https://web")
        self.assertIn("cookie sessionid=x https://web secure", self.log)

    def test_one_browser_for_all_tests_until_the_end(self) -> None:
        class Passing(unittest.TestCase):
            def test_a(self) -> None: ...
            def test_b(self) -> None: ...

        self.run_class(Passing)
        self.browsers.stop()
        self.assertEqual(self.log, ["open None", "close"] * 2 + ["stop"])
        self.run_class(Passing)
        self.assertEqual(self.log.count("open None"), 4)
