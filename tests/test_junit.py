"""The JUnit XML report, from event streams made by hand: no test is run to test it."""

from __future__ import annotations

import io
import os
import random
import stat
import tempfile
from pathlib import Path
from unittest import mock, skipIf

from django.test import SimpleTestCase
from lxml import etree

from sanerunner.eventbus import EventBus
from sanerunner.events import (
    Attempt,
    Event,
    Failure,
    FixtureFailed,
    Outcome,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    TestFinished,
    TestInfo,
    TestStarted,
)
from sanerunner.exceptions import UsageError
from sanerunner.reporting.junit import JUnitReporter, check_writable
from sanerunner.reporting.junitcase import MESSAGE_LIMIT
from sanerunner.reporting.xmltext import cap, clean, comment

SCHEMAS = Path(__file__).parent / "schemas"
START = 1_767_323_045.75  # 2026-01-02 03:04:05 UTC
NASTY = [
    "\x00",
    "\x08\x0b\x0c\x1b[31mred\x1b[0m",
    "\x7f\x80\x85\x9f",
    "\ud800",
    "\udfff",
    "\udc80",
    "\ud83d\ude00",
    "\ufdd0\ufdef",
    "\ufffe\uffff",
    "\U0001fffe\U0010ffff",
    "]]>",
    "]]",
    ">",
    "]]]]>>",
    "<![CDATA[",
    "<!--",
    "--",
    "-->",
    "-",
    "&#0;",
    "&",
    "<a b='c' d=\"e\">",
    "\r\n",
    "\t",
    "\u2028\u202e",
    "é😀",
    "{}%s\\x00\\",
    " ",
]


def schema(version: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SCHEMAS / f"jenkins-xunit-{version}.xsd"))


LAX, STRICT = schema("1.100"), schema("1.104")


def info(id: str = "shop.tests.CartTests.test_add", **fields) -> TestInfo:
    class_name, _, method_name = id.rpartition(".")
    defaults = {
        "class_name": class_name,
        "method_name": method_name,
        "kind": "unit",
        "stage": "unit",
        "file": "shop/tests.py",
        "line": 12,
    }
    return TestInfo(id=id, **{**defaults, **fields})


def failure(message: str = "1 != 2", **fields) -> Failure:
    defaults = {
        "is_error": False,
        "type": "AssertionError",
        "message": message,
        "traceback": f"Traceback (most recent call last):\nAssertionError: {message}\n",
    }
    return Failure(**{**defaults, **fields})


def error(message: str = "boom", **fields) -> Failure:
    return failure(
        message,
        **{
            "is_error": True,
            "type": "ValueError",
            "traceback": f"Traceback (most recent call last):\nValueError: {message}\n",
            **fields,
        },
    )


def finished(test: TestInfo | str | None = None, outcome=Outcome.PASSED, **fields) -> TestFinished:
    test = info(test) if isinstance(test, str) else test or info()
    return TestFinished(
        test=test, outcome=outcome, **{"started_at": START, "duration": 0.25, **fields}
    )


def fixture_failed(fixture: str, owner: str, *, before_tests: bool, **fields) -> FixtureFailed:
    label = f"{fixture} ({owner})"
    return FixtureFailed(
        fixture=fixture,
        owner=owner,
        stage="unit",
        before_tests=before_tests,
        **{"failure": error(fixture=label), **fields},
    )


class ReportCase(SimpleTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(os.path.realpath(folder.name))
        self.path = self.folder / "junit.xml"

    def emit(self, *events: Event, **options) -> None:
        """Send a whole run's events to a reporter."""
        reporter = JUnitReporter(**{"path": self.path, **options})
        tests = [event.test for event in events if isinstance(event, TestFinished)]
        reporter.handle_event(RunStarted(started_at=START, total=len(tests), stages=("unit",)))
        reporter.handle_event(StageStarted(stage="unit", total=len(tests), started_at=START))
        for event in events:
            if isinstance(event, TestFinished):
                reporter.handle_event(TestStarted(test=event.test))
            reporter.handle_event(event)
        reporter.handle_event(StageFinished(stage="unit", successful=True, duration=1))
        reporter.handle_event(RunFinished(successful=True, duration=1))

    def report(self, *events: Event, **options) -> etree._Element:
        """Return the root of the report on the events, valid by the schemas that apply."""
        self.emit(*events, **options)
        return self.parse(self.path, strict=options.get("strict", False))

    def parse(self, path: Path, *, strict: bool = False) -> etree._Element:
        root = etree.parse(path).getroot()
        LAX.assertValid(root)
        if strict:
            STRICT.assertValid(root)
        return root

    def case(self, *events: Event, **options) -> etree._Element:
        cases = self.report(*events, **options).findall("testsuite/testcase")
        self.assertEqual(len(cases), 1)
        return cases[0]


class DocumentTests(ReportCase):
    def test_a_passed_test(self) -> None:
        root = self.report(finished(duration=1.5))
        self.assertEqual(root.tag, "testsuites")
        self.assertEqual(
            dict(root.attrib), {"tests": "1", "failures": "0", "errors": "0", "time": "1.500"}
        )
        with mock.patch("socket.gethostname", return_value="ci\x007"):
            (suite,) = self.report(finished(duration=1.5))
        self.assertEqual(
            dict(suite.attrib),
            {
                "name": "shop.tests.CartTests",
                "tests": "1",
                "failures": "0",
                "errors": "0",
                "skipped": "0",
                "time": "1.500",
                "timestamp": "2026-01-02T03:04:05",
                "hostname": "ci\\x007",
                "file": "shop/tests.py",
            },
        )
        (case,) = suite
        self.assertEqual(
            dict(case.attrib),
            {
                "classname": "shop.tests.CartTests",
                "name": "test_add",
                "time": "1.500",
                "timestamp": "2026-01-02T03:04:05",
                "file": "shop/tests.py",
                "line": "12",
            },
        )
        self.assertEqual(len(case), 0)

    def test_the_file_is_the_same_on_every_python(self) -> None:
        with mock.patch("socket.gethostname", return_value="ci"):
            self.emit(
                finished(
                    outcome=Outcome.FAILED,
                    failures=(failure("a\n<b>", traceback="one\n]]>two\n"),),
                    stdout="out\n",
                )
            )
        self.assertEqual(
            self.path.read_text(),
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<testsuites tests="1" failures="1" errors="0" time="0.250">\n'
            '  <testsuite name="shop.tests.CartTests" tests="1" file="shop/tests.py" '
            'time="0.250" timestamp="2026-01-02T03:04:05" failures="1" errors="0" skipped="0" '
            'hostname="ci">\n'
            '    <testcase classname="shop.tests.CartTests" name="test_add" time="0.250" '
            'timestamp="2026-01-02T03:04:05" file="shop/tests.py" line="12">\n'
            '      <failure type="AssertionError" message="a&#10;&lt;b&gt;">'
            "<![CDATA[one\n]]]]><![CDATA[>two\n]]></failure>\n"
            "      <system-out><![CDATA[out\n]]></system-out>\n"
            "    </testcase>\n"
            "  </testsuite>\n"
            "</testsuites>\n",
        )

    def test_a_suite_per_class_in_the_order_of_the_events(self) -> None:
        root = self.report(
            finished("shop.tests.B.test_2", started_at=START + 60),
            finished("shop.tests.A.test_1", Outcome.FAILED, failures=(failure(),)),
            finished("shop.tests.B.test_1", Outcome.ERRORED, failures=(error(),)),
            finished("shop.tests.B.test_3", Outcome.SKIPPED, reason="later"),
        )
        self.assertEqual(
            [(suite.get("name"), [case.get("name") for case in suite]) for suite in root],
            [("shop.tests.B", ["test_2", "test_1", "test_3"]), ("shop.tests.A", ["test_1"])],
        )
        counts = [
            [suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")]
            for suite in root
        ]
        self.assertEqual(counts, [["3", "0", "1", "1", "0.750"], ["1", "1", "0", "0", "0.250"]])
        self.assertEqual(
            [root.get(key) for key in ("tests", "failures", "errors", "time")],
            ["4", "1", "1", "1.000"],
        )
        self.assertEqual(root[0].get("timestamp"), "2026-01-02T03:04:05")

    def test_no_tests(self) -> None:
        root = self.report()
        self.assertEqual((root.get("tests"), len(root)), ("0", 0))

    def test_nothing_is_written_before_the_run_has_finished(self) -> None:
        reporter = JUnitReporter(path=self.path)
        reporter.handle_event(finished())
        self.assertEqual(os.listdir(self.folder), [])

    def test_it_can_be_subscribed(self) -> None:
        bus = EventBus()
        bus.subscribe(JUnitReporter(path=self.path).handle_event)
        bus.emit(finished())
        bus.emit(RunFinished(successful=True, duration=1))
        self.assertEqual(bus.errors, [])
        self.assertEqual(self.parse(self.path).get("tests"), "1")

    def test_unknown_file_and_line_are_left_out(self) -> None:
        case = self.case(finished(info(file="", line=0)))
        self.assertEqual(sorted(case.attrib), ["classname", "name", "time", "timestamp"])
        self.assertNotIn("file", case.getparent().attrib)

    def test_a_vanished_current_directory_does_no_harm(self) -> None:
        gone = self.folder / "gone"
        gone.mkdir()
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        reporter = JUnitReporter(path=Path("relative.xml"))
        reporter.handle_event(finished())
        os.chdir(gone)
        gone.rmdir()
        reporter.handle_event(RunFinished(successful=True, duration=1))
        case = self.parse(self.folder / "relative.xml")[0][0]
        self.assertEqual(case.get("file"), "shop/tests.py")

    def test_a_test_without_a_start_takes_the_run_s(self) -> None:
        case = self.case(finished(outcome=Outcome.NOT_RUN, started_at=0, duration=-1))
        self.assertEqual(case.get("timestamp"), "2026-01-02T03:04:05")
        self.assertEqual(case.get("time"), "0.000")

    def test_descriptions_are_comments(self) -> None:
        test = info(description="Adds --fast-- \x00 things-")
        self.assertEqual(len(self.case(finished(test))), 0)
        (note,) = self.case(finished(test), descriptions=True)
        self.assertIs(note.tag, etree.Comment)
        self.assertEqual(note.text, "Adds - -fast- - \\x00 things- ")


class VerdictTests(ReportCase):
    def only(self, case: etree._Element) -> etree._Element:
        """Return the one result element of the testcase."""
        results = [child for child in case if not child.tag.startswith("system-")]
        self.assertEqual(len(results), 1)
        return results[0]

    def verdict(self, outcome: Outcome, **fields) -> etree._Element:
        return self.only(self.case(finished(outcome=outcome, **fields)))

    def assertResult(self, result: etree._Element, tag: str, type: str, message: str) -> None:
        self.assertEqual(
            (result.tag, result.get("type"), result.get("message")), (tag, type, message)
        )

    def test_every_outcome_is_told(self) -> None:
        for outcome in Outcome:
            with self.subTest(outcome=outcome):
                suite = self.case(finished(outcome=outcome)).getparent()
                bad = int(suite.get("failures")) + int(suite.get("errors"))
                self.assertEqual(bad, outcome.is_bad)
                told = sum(len(case) for case in suite)
                self.assertEqual(told, outcome is not Outcome.PASSED)

    def test_failed(self) -> None:
        result = self.verdict(Outcome.FAILED, failures=(failure("1 != 2\n\nFirst: 1"),))
        self.assertResult(result, "failure", "AssertionError", "1 != 2\n\nFirst: 1")
        self.assertEqual(result.text, failure("1 != 2\n\nFirst: 1").traceback)

    def test_errored(self) -> None:
        result = self.verdict(Outcome.ERRORED, failures=(error(),))
        self.assertResult(result, "error", "ValueError", "boom")
        self.assertEqual(result.text, error().traceback)

    def test_an_exception_without_a_message(self) -> None:
        result = self.verdict(Outcome.ERRORED, failures=(error(""),))
        self.assertResult(result, "error", "ValueError", "ValueError")

    def test_a_failed_test_without_failures(self) -> None:
        self.assertResult(self.verdict(Outcome.FAILED), "failure", "", "failed")

    def test_skipped(self) -> None:
        result = self.verdict(Outcome.SKIPPED, reason="no <network>")
        self.assertResult(result, "skipped", "skip", "no <network>")
        self.assertEqual(result.text, "no <network>")

    def test_not_run(self) -> None:
        result = self.verdict(Outcome.NOT_RUN, reason="not run: stage 'unit' failed")
        self.assertResult(result, "skipped", "not run", "not run: stage 'unit' failed")

    def test_expected_failure(self) -> None:
        result = self.verdict(Outcome.EXPECTED_FAILURE, failures=(failure(),))
        self.assertResult(result, "skipped", "XFAIL", "expected failure: 1 != 2")
        self.assertEqual(result.text, failure().traceback)

    def test_unexpected_success(self) -> None:
        result = self.verdict(Outcome.UNEXPECTED_SUCCESS)
        self.assertEqual((result.tag, result.get("type")), ("failure", "UnexpectedSuccess"))
        self.assertIn("unexpected success", result.get("message"))
        self.assertEqual(result.text, result.get("message"))

    def test_one_failed_subtest(self) -> None:
        result = self.verdict(Outcome.FAILED, failures=(failure(subtest="[odd] (i=3)"),))
        self.assertResult(result, "failure", "AssertionError", "[odd] (i=3): 1 != 2")
        self.assertEqual(result.text, f"FAIL: [odd] (i=3)\n{failure().traceback}")

    def test_all_subtests_are_told_in_one_element(self) -> None:
        failures = (failure(subtest="(i=1)"), failure("3 != 4", subtest="(i=3)"))
        result = self.verdict(Outcome.FAILED, failures=failures)
        self.assertResult(
            result,
            "failure",
            "AssertionError",
            "2 failures\nAssertionError: (i=1): 1 != 2\nAssertionError: (i=3): 3 != 4",
        )
        for told in failures:
            self.assertIn(f"FAIL: {told.subtest}\n{told.traceback}", result.text)

    def test_a_failed_assertion_and_an_error(self) -> None:
        both = (failure(subtest="(i=1)"), error("in tearDown"))
        result = self.verdict(Outcome.ERRORED, failures=both)
        self.assertEqual((result.tag, result.get("type")), ("error", "ValueError"))
        self.assertIn(both[0].traceback, result.text)
        self.assertIn(both[1].traceback, result.text)
        result = self.verdict(Outcome.FAILED, failures=both[::-1])
        self.assertEqual((result.tag, result.get("type")), ("failure", "AssertionError"))

    def test_output(self) -> None:
        case = self.case(finished(stdout="out]]>\n", stderr="err\n"))
        self.assertEqual(
            [(child.tag, child.text) for child in case],
            [("system-out", "out]]>\n"), ("system-err", "err\n")],
        )


class FixtureTests(ReportCase):
    def test_a_failed_set_up_errs_each_test_once(self) -> None:
        owner = "shop.tests.CartTests"
        event = fixture_failed(
            "setUpClass", owner, before_tests=True, stdout="setting\x00up\n", stderr="oh\n"
        )
        tests = [
            finished(f"{owner}.test_{n}", Outcome.ERRORED, failures=(event.failure,))
            for n in range(3)
        ]
        for events in ([event, *tests], [*tests, event]):
            with self.subTest(first=type(events[0]).__name__):
                (suite,) = self.report(*events, strict=True)
                self.assertEqual((suite.get("tests"), suite.get("errors")), ("3", "3"))
                result = suite.find("testcase/error")
                self.assertEqual(result.get("message"), f"setUpClass ({owner}): boom")
                self.assertIn(event.failure.traceback, result.text)
                self.assertEqual(suite.findtext("system-out"), "setting\\x00up\n")
                self.assertEqual(suite.findtext("system-err"), "oh\n")

    def test_a_failed_module_set_up_gives_its_output_once(self) -> None:
        event = fixture_failed("setUpModule", "shop.tests", before_tests=True, stdout="up")
        root = self.report(
            event,
            finished("shop.tests.A.test", Outcome.ERRORED, failures=(event.failure,)),
            finished("shop.tests.B.test", Outcome.ERRORED, failures=(event.failure,)),
        )
        self.assertEqual([suite.findtext("system-out") for suite in root], ["up", None])
        self.assertEqual((root.get("tests"), root.get("errors")), ("2", "2"))

    def test_a_failed_set_up_that_no_test_tells_of_is_not_lost(self) -> None:
        for label in ("setUpClass (shop.tests.CartTests)", ""):
            with self.subTest(label=label):
                event = fixture_failed(
                    "setUpClass",
                    "shop.tests.CartTests",
                    before_tests=True,
                    failure=error(fixture=label),
                    stdout="up",
                )
                (suite,) = self.report(finished(), event)
                self.assertEqual([case.get("name") for case in suite], ["test_add", "setUpClass"])
                self.assertEqual((suite.get("tests"), suite.get("errors")), ("2", "1"))
                self.assertEqual(suite[1].findtext("system-out"), "up")

    def test_a_failed_set_up_that_only_a_green_test_tells_of_is_not_lost(self) -> None:
        event = fixture_failed("setUpClass", "shop.tests.CartTests", before_tests=True)
        test = finished(outcome=Outcome.EXPECTED_FAILURE, failures=(event.failure,))
        self.assertEqual(self.report(event, test).get("errors"), "1")

    def test_a_failed_class_tear_down(self) -> None:
        event = fixture_failed(
            "tearDownClass",
            "shop.tests.CartTests",
            before_tests=False,
            failure=failure(fixture="tearDownClass (shop.tests.CartTests)"),
            stdout="down",
        )
        root = self.report(finished(), event)
        (suite,) = root
        self.assertEqual(
            (suite.get("tests"), suite.get("errors"), root.get("errors")), tuple("211")
        )
        passed, down = suite
        self.assertEqual(len(passed), 0)
        self.assertEqual(down.get("classname"), "shop.tests.CartTests")
        self.assertEqual(down.get("name"), "tearDownClass")
        self.assertEqual(down.get("file"), "shop/tests.py")
        self.assertNotIn("line", down.attrib)
        self.assertEqual([child.tag for child in down], ["error", "system-out"])
        self.assertEqual(down[0].get("message"), "tearDownClass (shop.tests.CartTests): 1 != 2")

    def test_a_failed_module_tear_down(self) -> None:
        event = fixture_failed("tearDownModule", "shop.tests", before_tests=False)
        tests, module = self.report(finished(), event, event, strict=True)
        self.assertEqual((tests.get("errors"), module.get("errors")), ("0", "2"))
        self.assertEqual(module.get("name"), "shop.tests")
        self.assertEqual(
            [case.get("name") for case in module], ["tearDownModule", "tearDownModule #2"]
        )


class NameTests(ReportCase):
    def assertNames(self, tests: list[TestInfo], names: list[tuple[str, str]]) -> None:
        root = self.report(*[finished(test) for test in tests], strict=True)
        cases = root.iter("testcase")
        self.assertEqual([(case.get("classname"), case.get("name")) for case in cases], names)

    def test_a_module_that_did_not_load(self) -> None:
        for loader_class in ("unittest.loader._FailedTest", "unittest.loader.ModuleSkipped"):
            test = info(
                f"{loader_class}.shop.tests", class_name=loader_class, method_name="shop.tests"
            )
            with self.subTest(loader_class):
                self.assertNames([test, test], [("shop.tests", "load"), ("shop.tests", "load #2")])

    def test_doctests(self) -> None:
        doctest = {"class_name": "doctest.DocTestCase", "method_name": "runTest"}
        self.assertNames(
            [
                info("shop.prices.round_up", **doctest),
                info("shop.prices.__test__.two words", **doctest),
                info("README_rst", class_name="doctest.DocFileCase", method_name="runTest"),
            ],
            [
                ("shop.prices", "round_up"),
                ("shop.prices.__test__", "two words"),
                ("doctest.DocFileCase", "README_rst"),
            ],
        )

    def test_odd_names(self) -> None:
        case = {"class_name": "shop.tests.T"}
        self.assertNames(
            [
                info("shop.tests.T.test_rate 1.5 (net. of tax)", **case),
                info("Told by its own id. Really", **case),
                info("shop.tests.T.", **case),
                info("shop.tests.make.<locals>.T.test", class_name="shop.tests.make.<locals>.T"),
                info("", class_name="", method_name=""),
            ],
            [
                ("shop.tests.T", "test_rate 1.5 (net. of tax)"),
                ("shop.tests.T", "Told by its own id. Really"),
                ("shop.tests.T", "shop.tests.T."),
                ("shop.tests.make.<locals>.T", "test"),
                ("unknown", "unknown"),
            ],
        )

    def test_no_two_testcases_have_the_same_names(self) -> None:
        same = {"class_name": "shop.tests.T", "method_name": "test"}
        self.assertNames(
            [
                info("shop.tests.T.test", **same),
                info("shop.tests.T.test-2", **same),
                info("shop.tests.T.test", **same),
                info("shop.tests.T.test\x00", **same),
                info("shop.tests.T.test\\x00", **same),
            ],
            [
                ("shop.tests.T", name)
                for name in ("test", "test-2", "test #2", "test\\x00", "test\\x00 #2")
            ],
        )


class StrictTests(ReportCase):
    EVENTS = (
        finished(outcome=Outcome.FAILED, failures=(failure(),), stdout="out", stderr="err"),
        finished("a.B.test_1", Outcome.SKIPPED, reason="why", duration=12345.6789),
        finished(info("a.B.test_2", description="words")),
        fixture_failed("tearDownClass", "a.B", before_tests=False),
    )

    def test_strict_passes_the_strict_schema(self) -> None:
        root = self.report(*self.EVENTS, strict=True, descriptions=True)
        self.assertEqual(len(list(root.iter("testcase"))), 4)
        for case in root.iter("testcase"):
            self.assertEqual(set(case.attrib), {"classname", "name", "time"})
        for suite in root:
            self.assertNotIn("file", suite.attrib)

    def test_the_strict_schema_rejects_what_strict_drops(self) -> None:
        root = self.report(*self.EVENTS)
        dropped = {"file", "line", "timestamp"}
        self.assertLessEqual(dropped, set(root[0][0].attrib))
        for attribute in dropped:
            with self.subTest(attribute=attribute):
                self.assertFalse(STRICT.validate(root))
            for case in root.iter("testcase"):
                case.attrib.pop(attribute, None)
        STRICT.assertValid(root)


RETRY_TAGS = {"flakyFailure", "rerunFailure"}


class RetriesTests(ReportCase):
    """As Surefire writes them; the schema of Jenkins' xUnit plugin before 1.104 has them not."""

    FIRST = Attempt(Outcome.FAILED, START, 2.0, (failure("first"),), "out 1", "err 1")
    SECOND = Attempt(
        Outcome.ERRORED, START, 3.0, (failure("second", is_error=True, type="OSError"),)
    )

    def retried(self, outcome: Outcome, strict: bool = True, **fields) -> etree._Element:
        """Return the testcase of a report that the strict schema accepts as it is."""
        event = finished(
            outcome=outcome, attempt=3, earlier=(self.FIRST, self.SECOND), duration=1.0, **fields
        )
        self.emit(event, strict=strict)
        root = etree.parse(self.path).getroot()
        if strict:
            STRICT.assertValid(root)
        (case,) = root.findall("testsuite/testcase")
        return case

    def test_a_flaky_test(self) -> None:
        case = self.retried(Outcome.PASSED, stdout="out 3")
        self.assertEqual(
            [child.tag for child in case if child.tag in RETRY_TAGS],
            ["flakyFailure", "flakyFailure"],
        )
        first, second = case.findall("flakyFailure")
        self.assertEqual((first.get("message"), second.get("message")), ("first", "second"))
        self.assertEqual((first.get("type"), second.get("type")), ("AssertionError", "OSError"))
        self.assertEqual(
            [child.tag for child in first], ["stackTrace", "system-out", "system-err"]
        )
        self.assertIn("first", first.findtext("stackTrace"))
        self.assertEqual(first.findtext("system-out"), "out 1")
        self.assertEqual([child.tag for child in second], ["stackTrace"])
        self.assertEqual(case.findtext("system-out").strip(), "out 3")
        self.assertEqual(float(case.get("time")), 1.0)
        suite = case.getparent()
        self.assertEqual((suite.get("failures"), suite.get("errors")), ("0", "0"))

    def test_a_test_that_failed_in_all_attempts(self) -> None:
        case = self.retried(Outcome.FAILED, failures=(failure("third"),))
        (first,) = case.findall("failure")
        self.assertEqual(first.get("message"), "first")
        self.assertEqual(case.findall("error"), [])
        again = case.findall("rerunFailure")
        self.assertEqual([one.get("message") for one in again], ["second", "third"])
        self.assertEqual(float(case.get("time")), 2.0)

    def test_attempts_that_are_no_exceptions(self) -> None:
        event = finished(attempt=2, earlier=(Attempt(Outcome.UNEXPECTED_SUCCESS, START, 1.0),))
        self.emit(event, strict=True)
        root = etree.parse(self.path).getroot()
        STRICT.assertValid(root)
        self.assertEqual(root.find(".//flakyFailure").get("type"), "UnexpectedSuccess")

    def test_without_strict_the_rest_is_as_ever(self) -> None:
        case = self.retried(Outcome.PASSED, strict=False)
        root = case.getroottree().getroot()
        self.assertFalse(LAX.validate(root))
        for element in case.findall("flakyFailure"):
            case.remove(element)
        LAX.assertValid(root)

    def test_nasty_text(self) -> None:
        nasty = Failure(False, "a\x00<", "\ud800]]>", "]]>\x1b", "", "")
        earlier = (Attempt(Outcome.FAILED, START, 1.0, (nasty,), "\x00", "]]>"),)
        self.emit(finished(attempt=2, earlier=earlier), strict=True)
        root = etree.parse(self.path).getroot()
        STRICT.assertValid(root)
        flaky = root.find(".//flakyFailure")
        self.assertEqual(flaky.get("type"), "a\\x00<")
        self.assertEqual(flaky.findtext("stackTrace"), "]]>\\x1b")


class NastyTextTests(ReportCase):
    def test_characters_that_xml_cannot_hold_stay_visible(self) -> None:
        nasty = "a\x00\x1b[0m\x7f\ud800\udc80\ufdd0\ufffe\U0001ffffé😀\t\n"
        visible = "a\\x00\\x1b[0m\\x7f\\ud800\\udc80\\ufdd0\\ufffe\\U0001ffffé😀\t\n"
        case = self.case(
            finished(
                outcome=Outcome.FAILED,
                failures=(failure(nasty, type=nasty, traceback=nasty),),
                stdout=nasty,
                stderr=nasty,
            )
        )
        result, out, err = case
        for told in (result.get("type"), result.get("message"), result.text, out.text, err.text):
            self.assertEqual(told, visible)

    def test_any_text_anywhere_gives_valid_xml_that_says_the_same(self) -> None:
        chooser = random.Random(20)

        def text() -> str:
            return "".join(chooser.choices(NASTY, k=chooser.randrange(1, 12)))

        for round in range(60):
            strict = round % 2 == 0
            told = Failure(
                is_error=chooser.random() < 0.5,
                type=text(),
                message=text(),
                traceback=text(),
                subtest=text(),
            )
            tests = [
                finished(
                    info(
                        text(),
                        class_name=text(),
                        method_name=text(),
                        file=text(),
                        description=text(),
                    ),
                    outcome,
                    reason=text(),
                    failures=(told,),
                    stdout=text(),
                    stderr=text(),
                )
                for outcome in Outcome
            ]
            fixtures = [
                FixtureFailed(text(), text(), told, "unit", before_tests, text(), text())
                for before_tests in (True, False)
            ]
            with self.subTest(round=round):
                root = self.report(*tests, *fixtures, strict=strict, descriptions=True)
                self.assertEqual(len(list(root.iter("testcase"))), len(tests) + 2)
                names = [(c.get("classname"), c.get("name")) for c in root.iter("testcase")]
                self.assertEqual(len(names), len(set(names)))
                outputs = [element.text for element in root.iter("system-out")]
                for event in (*tests, *fixtures):
                    # A parser reads every line end as a line feed.
                    printed = clean(event.stdout).replace("\r\n", "\n").replace("\r", "\n")
                    self.assertIn(printed, outputs)

    def test_every_single_character(self) -> None:
        characters = [chr(code) for code in range(0x10000)] + ["\U0001fffe", "\U0010ffff"]
        case = self.case(finished(stdout="|".join(characters)), output_limit=10**6)
        told = case.findtext("system-out").split("|")
        expected = clean("|".join(characters)).replace("\r", "\n").split("|")
        self.assertEqual(told, expected)

    def test_long_output_is_capped(self) -> None:
        lines = "".join(f"line {n}\n" for n in range(1_000_000))
        self.assertGreater(len(lines), 10_000_000)
        case = self.case(
            finished(
                outcome=Outcome.FAILED,
                failures=(failure(lines, traceback=lines),),
                stdout=lines,
                stderr=lines,
            ),
            output_limit=10_000,
        )
        result, out, err = case
        note = f"\n[... {len(lines) - 10_000} characters left out ...]\n"
        for text in (result.text, out.text, err.text):
            self.assertEqual(text, lines[:5_000] + note + lines[-5_000:])
        self.assertLess(len(result.get("message")), MESSAGE_LIMIT + 100)
        self.assertLess(self.path.stat().st_size, 60_000)

    def test_output_that_grows_when_cleaned_or_split(self) -> None:
        for piece in ("\uffff", "]]>", "\ud800"):
            with self.subTest(piece=ascii(piece)):
                text = piece * 20_000
                case = self.case(finished(stdout=text))
                self.assertEqual(case.findtext("system-out"), clean(text))

    def test_cap(self) -> None:
        self.assertEqual(cap("abcdef", 6), "abcdef")
        self.assertEqual(cap("abcdefgh", 3), "a\n[... 5 characters left out ...]\ngh")
        self.assertEqual(cap("abc", 0), "\n[... 3 characters left out ...]\n")

    def test_comment(self) -> None:
        for text in ("-", "--", "---", "a--b-", "-->", "<!--", ""):
            with self.subTest(text=text):
                told = comment(text)
                self.assertNotIn("--", told)
                self.assertFalse(told.endswith("-"))


class DirectoryTests(ReportCase):
    def files(self, *events: Event, **options) -> dict[str, etree._Element]:
        directory = self.folder / "new" / "reports"
        self.emit(*events, path=None, directory=directory, **options)
        return {path.name: self.parse(path) for path in sorted(directory.iterdir())}

    def test_a_file_for_each_class(self) -> None:
        files = self.files(
            finished("a.A.test_1"), finished("a.B.test_1"), finished("a.A.test_2"), strict=True
        )
        self.assertEqual(list(files), ["TEST-a.A.xml", "TEST-a.B.xml"])
        self.assertEqual([root.tag for root in files.values()], ["testsuite"] * 2)
        self.assertEqual([root.get("tests") for root in files.values()], ["2", "1"])

    def test_names_that_no_file_system_takes(self) -> None:
        classes = ["a/../b", "a.<locals>.T", "A.t", "a.T", "é" * 300, "é" * 299 + "f", "a\x00\n"]
        files = self.files(*[finished(info(f"{c}.test", class_name=c)) for c in classes])
        self.assertEqual(len(files), len(classes))
        self.assertLessEqual(
            {"TEST-a_.._b.xml", "TEST-a._locals_.T.xml", "TEST-A.t.xml", "TEST-a.T-2.xml"},
            set(files),
        )
        self.assertEqual(len({name.casefold() for name in files}), len(classes))

    def test_both_forms_at_once(self) -> None:
        self.emit(finished(), directory=self.folder)
        self.assertEqual(
            sorted(os.listdir(self.folder)), ["TEST-shop.tests.CartTests.xml", "junit.xml"]
        )

    def test_verbose_names_the_files(self) -> None:
        for verbose, named in ((False, False), (0, False), (1, False), (True, True), (2, True)):
            with self.subTest(verbose=verbose):
                stream = io.StringIO()
                self.emit(finished(), verbose=verbose, stream=stream)
                expected = f"Generated XML report: {self.path}\n" if named else ""
                self.assertEqual(stream.getvalue(), expected)


class WritingTests(ReportCase):
    def test_the_old_report_is_replaced(self) -> None:
        self.path.write_text("old" * 10_000)
        self.report(finished())
        self.assertEqual(os.listdir(self.folder), ["junit.xml"])

    def test_the_file_has_a_new_file_s_permissions(self) -> None:
        plain = self.folder / "plain"
        plain.touch()
        self.emit(finished())
        self.assertEqual(
            stat.S_IMODE(self.path.stat().st_mode), stat.S_IMODE(plain.stat().st_mode)
        )

    def test_a_failure_leaves_the_old_report_and_nothing_else(self) -> None:
        for step in ("os.replace", "os.fsync", "sanerunner.reporting.junit.write_xml"):
            for raised in (OSError(28, "No space left on device"), KeyboardInterrupt()):
                with self.subTest(step=step, raised=raised):
                    self.path.write_text("old")
                    with mock.patch(step, side_effect=raised), self.assertRaises(type(raised)):
                        self.emit(finished())
                    self.assertEqual(self.path.read_text(), "old")
                    self.assertEqual(os.listdir(self.folder), ["junit.xml"])

    def test_the_whole_file_is_there_before_it_takes_the_name(self) -> None:
        self.path.write_text("old")
        seen = []

        def look(source: Path, target: Path) -> None:
            seen.append((self.path.read_text(), etree.parse(source).getroot().get("tests")))
            self.assertEqual(Path(source).parent, Path(target).parent)

        with mock.patch("os.replace", look):
            self.emit(finished())
        self.assertEqual(seen, [("old", "1")])

    def test_a_link_is_followed(self) -> None:
        target = self.folder / "elsewhere" / "real.xml"
        self.path.symlink_to(target)
        self.report(finished())
        self.assertTrue(self.path.is_symlink())
        self.assertTrue(target.is_file())

    def test_a_folder_that_a_test_removed_is_made_again(self) -> None:
        path = self.folder / "a" / "junit.xml"
        check_writable(path)
        path.parent.rmdir()
        self.emit(finished(), path=path)
        self.assertTrue(path.is_file())


class CheckWritableTests(ReportCase):
    def assertUnwritable(self, path: Path, reason: str, **options) -> None:
        with self.assertRaises(UsageError) as caught:
            check_writable(path, **options)
        message = str(caught.exception)
        self.assertEqual(message, f"cannot write the JUnit report {str(path)!r}: {reason}")
        self.assertEqual(len(message.splitlines()), 1)
        self.assertEqual(caught.exception.returncode, 2)

    def test_missing_folders_are_made_and_nothing_else(self) -> None:
        path = self.folder / "a" / "b" / "junit.xml"
        check_writable(path)
        self.assertEqual(os.listdir(path.parent), [])

    def test_an_old_report_is_left_alone(self) -> None:
        self.path.write_text("old")
        os.utime(self.path, (1, 1))
        check_writable(self.path)
        self.assertEqual(self.path.read_text(), "old")
        self.assertEqual(self.path.stat().st_mtime, 1)
        self.assertEqual(os.listdir(self.folder), ["junit.xml"])

    def test_a_directory(self) -> None:
        self.assertUnwritable(self.folder, "it is a directory")

    def test_a_parent_that_is_a_file(self) -> None:
        self.path.touch()
        reason = f"{str(self.path)!r} is not a directory"
        self.assertUnwritable(self.path / "junit.xml", reason)
        self.assertUnwritable(self.path / "more" / "junit.xml", reason)
        self.assertUnwritable(self.path, reason, is_directory=True)

    def test_a_pipe_or_device(self) -> None:
        os.mkfifo(self.path)
        self.assertUnwritable(self.path, "it is not a regular file")
        self.assertUnwritable(Path(os.devnull), "it is not a regular file")
        self.assertTrue(stat.S_ISCHR(os.stat(os.devnull).st_mode))

    def test_names_that_the_system_refuses(self) -> None:
        self.assertUnwritable(self.folder / ("x" * 300), "File name too long")
        with self.assertRaisesMessage(UsageError, "null"):
            check_writable(Path("a\x00\nb.xml"))
        loop = self.folder / "loop"
        loop.symlink_to(loop)
        with self.assertRaisesMessage(UsageError, "symbolic link"):
            check_writable(loop)

    def test_no_permission(self) -> None:
        denied = PermissionError(13, "Permission denied")
        for step in ("os.open", "pathlib.Path.mkdir"):
            with self.subTest(step=step), mock.patch(step, side_effect=denied):
                self.assertUnwritable(self.folder / step / "junit.xml", "Permission denied")

    @skipIf(os.geteuid() == 0, "root may write anywhere")
    def test_a_folder_without_permission(self) -> None:
        self.folder.chmod(0o500)
        self.addCleanup(self.folder.chmod, 0o700)
        self.assertUnwritable(self.path, "Permission denied")
        self.assertUnwritable(self.folder / "new" / "junit.xml", "Permission denied")

    def test_a_folder_for_reports(self) -> None:
        directory = self.folder / "reports"
        check_writable(directory, is_directory=True)
        self.assertEqual(os.listdir(directory), [])
