"""Files that tell more of a test: from the test to its verdict and into the reports."""

from __future__ import annotations

import os
import tempfile
import unittest
from io import StringIO
from pathlib import Path

from sanerunner.attachments import attach
from sanerunner.events import Outcome
from sanerunner.reporting.console import ConsoleReporter
from sanerunner.reporting.junit import JUnitReporter
from sanerunner.reporting.summary import Summary

from .event_streams import attempt, failed, run, send, stage, test_info
from .support.projects import inner_project
from .support.running import run_classes


class EventTest(unittest.TestCase):
    def test_files_are_listed_once_below_the_folder_of_the_run_without_it(self) -> None:
        class Attaching(unittest.TestCase):
            def test_it(self) -> None:
                attach(self, "shots/one.png")
                attach(self, Path.cwd() / "shots" / "one.png")
                attach(self, "/elsewhere/two.png")

        finished = run_classes(Attaching).finished["test_it"]
        self.assertEqual(finished.attachments, ("shots/one.png", "/elsewhere/two.png"))

    def test_the_folder_is_that_of_the_start(self) -> None:
        started_in = os.getcwd()

        class Moving(unittest.TestCase):
            def test_it(self) -> None:
                self.addCleanup(os.chdir, started_in)
                os.chdir(tempfile.gettempdir())
                attach(self, Path(started_in, "one.png"))
                attach(self, "two.png")

        finished = run_classes(Moving).finished["test_it"]
        two = os.path.join(os.path.abspath(tempfile.gettempdir()), "two.png")
        self.assertEqual(finished.attachments, ("one.png", two))

    def test_each_attempt_has_its_own(self) -> None:
        names = iter(["first.png", "second.png", "third.png"])

        class Failing(unittest.TestCase):
            def test_it(self) -> None:
                attach(self, next(names))
                self.fail()

        finished = run_classes(Failing, retries=2).finished["test_it"]
        self.assertEqual(finished.outcome, Outcome.FAILED)
        self.assertEqual(finished.attachments, ("third.png",))
        earlier = [one.attachments for one in finished.earlier]
        self.assertEqual(earlier, [("first.png",), ("second.png",)])


class ReportsTest(unittest.TestCase):
    FILES = ("artifacts/test_add/page.png", "artifacts/test_add/page.html")

    def test_the_console_lists_them_below_the_failure(self) -> None:
        out, summary = StringIO(), Summary()
        console = ConsoleReporter(summary=summary, stream=out, color=False)
        events = run(stage("unit", failed(test_info(), attachments=self.FILES)))
        send(events, summary.handle_event, console.handle_event)
        self.assertIn(
            "AssertionError: 1 != 2\n\n"
            "Attachments:\n  artifacts/test_add/page.png\n  artifacts/test_add/page.html\n",
            out.getvalue(),
        )

    def test_junit_has_them_where_gitlab_looks(self) -> None:
        event = failed(test_info(), stdout="out", attachments=self.FILES)
        text = self.junit(run(stage("unit", event)))
        self.assertIn(
            "<system-out><![CDATA[out\n"
            "[[ATTACHMENT|artifacts/test_add/page.png]]\n"
            "[[ATTACHMENT|artifacts/test_add/page.html]]\n]]></system-out>",
            text.replace("]]]]><![CDATA[>", "]]>"),
        )

    def test_those_of_a_later_attempt_are_with_its_output(self) -> None:
        (start, event) = failed(test_info(), attachments=("2.png",))
        second = type(event)(
            event.test,
            event.outcome,
            event.started_at,
            event.duration,
            failures=event.failures,
            attempt=2,
            earlier=(attempt(),),
            attachments=("2.png",),
        )
        text = self.junit(run(stage("unit", [start, second])))
        rerun = text[text.index("<rerunFailure") :]
        self.assertIn("<system-out><![CDATA[\n[[ATTACHMENT|2.png]]\n", rerun)

    def junit(self, events: list[object]) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "junit.xml"
        send(events, JUnitReporter(path=path).handle_event)  # type: ignore[arg-type]
        return path.read_text(encoding="utf-8")


class WorkersTest(unittest.TestCase):
    def test_they_come_through_the_pipe(self) -> None:
        tests = """
            import unittest
            from sanerunner.attachments import attach

            class FirstTest(unittest.TestCase):
                def test_it(self):
                    attach(self, "shots/page.png")
                    self.fail()

            class SecondTest(unittest.TestCase):
                def test_it(self):
                    attach(self, "shots/other.png")
        """
        project = inner_project(self, tests)
        ran = project.test("--parallel=2", "--junit=junit.xml")
        self.assertIn("Attachments:\n  shots/page.png\n", ran.stderr, ran.output)
        self.assertNotIn("  shots/other.png", ran.stderr)
        text = (project.folder / "junit.xml").read_text(encoding="utf-8")
        self.assertIn("[[ATTACHMENT|shots/page.png]]", text)
        self.assertIn("[[ATTACHMENT|shots/other.png]]", text)
