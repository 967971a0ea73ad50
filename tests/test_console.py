from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import subprocess
import sys
import unittest
from collections.abc import Callable
from typing import Any
from unittest import mock

from django.test import SimpleTestCase
from rich.console import Console

from sanerunner.events import (
    Event,
    Failure,
    FixtureFailed,
    Outcome,
    StageStarted,
    TestRetried,
    TestSlow,
    TestStarted,
    WorkerLost,
)
from sanerunner.reporting.console import ConsoleReporter, Dots, Lines
from sanerunner.reporting.live import LiveProgress
from sanerunner.reporting.summary import Summary
from sanerunner.reporting.terminal import TextOutput, can_be_live, shows_colors

from . import event_streams as streams

RULE = "-" * 70
DOUBLE_RULE = "=" * 70
TRACEBACK = 'Traceback (most recent call last):\n  File "shop/tests.py", line 8, in test_add\n'
ROOMY = {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def report(events: list[Event], **arguments: Any) -> str:
    """Return what a console reporter writes for the events."""
    stream = arguments.setdefault("stream", io.StringIO())
    summary = Summary(keep_durations=arguments.get("durations"))
    reporter = ConsoleReporter(summary=summary, **{"color": False, **arguments})
    streams.send(events, summary.handle_event, reporter.handle_event)
    text: str = stream.getvalue()
    return text


def rerun(label: str) -> str:
    return f"manage.py test {label}"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TextTestCase(SimpleTestCase):
    maxDiff = None

    def assertText(self, text: str, *expected: str) -> None:
        """Fail unless ``text`` consists of the lines ``expected``."""
        self.assertEqual(text, "\n".join([*expected, ""]))


class ProgressTests(TextTestCase):
    """What is written before the report."""

    def progress(self, events: list[Event], verbosity: int) -> str:
        return report(events[:-1], verbosity=verbosity)

    def test_nothing(self) -> None:
        self.assertEqual(self.progress(streams.every_outcome(), 0), "")

    def test_characters(self) -> None:
        self.assertEqual(self.progress(streams.every_outcome(), 1), ".FEsxu")

    def test_attempts(self) -> None:
        events = streams.run(streams.stage("unit", streams.flaky(streams.test_info())))
        self.assertEqual(self.progress(events, 1), "R.")
        self.assertText(
            self.progress(events, 2),
            "Stage 'unit' (1 test)",
            "test_add (shop.tests.CartTests.test_add) ... FAIL, to be retried",
            "test_add (shop.tests.CartTests.test_add) ... ok",
        )

    def test_flaky_tests_are_named_and_counted(self) -> None:
        long = f"ValueError: first line {'x' * 300}\nsecond line"
        for told, shown in (
            ("AssertionError: 1 != 2", "AssertionError: 1 != 2"),
            ("KeyError: ", "KeyError"),
            (long, f"ValueError: first line {'x' * 174}..."),
        ):
            events = streams.run(streams.stage("unit", streams.flaky(streams.test_info(), told)))
            text = report(events, verbosity=0)
            name = "test_add (shop.tests.CartTests.test_add)"
            self.assertIn(f"\n  {name} in attempt 2; first {shown}\n", f"\n{text}")
            self.assertIn("OK (flaky=1)", text)

    def test_what_is_no_verdict_is_shown_to_all_displays(self) -> None:
        for display in (Dots, Lines, LiveProgress):
            self.assertLessEqual({TestRetried, TestSlow, WorkerLost}, set(display.wanted))

    def test_no_character_for_a_test_that_was_not_run(self) -> None:
        self.assertEqual(self.progress(streams.failed_stage(), 1), ".F")

    def test_a_character_for_a_tear_down(self) -> None:
        self.assertEqual(self.progress(streams.failed_fixtures(), 1), "EE.E")

    def test_lines(self) -> None:
        self.assertText(
            self.progress(streams.every_outcome(), 2),
            "Stage 'unit' (6 tests)",
            "test_add (shop.tests.CartTests.test_add) ... ok",
            "test_fail (shop.tests.CartTests.test_fail) ... FAIL",
            "test_raise (shop.tests.CartTests.test_raise)",
            "Raises. ... ERROR",
            'test_skip (shop.tests.CartTests.test_skip) ... skipped "it\'s late"',
            "test_known (shop.tests.CartTests.test_known) ... expected failure",
            "test_fixed (shop.tests.CartTests.test_fixed) ... unexpected success",
        )

    def test_lines_of_subtests(self) -> None:
        self.assertText(
            self.progress(streams.subtests(), 2),
            "Stage 'unit' (3 tests)",
            "test_each (shop.tests.CartTests.test_each)",
            "Each of them. ... ",
            "  test_each (shop.tests.CartTests.test_each) [odd] (i=1)",
            "Each of them. ... FAIL",
            "  test_each (shop.tests.CartTests.test_each) (i=3)",
            "Each of them. ... ERROR",
            "test_both (shop.tests.CartTests.test_both) ... ",
            "  test_both (shop.tests.CartTests.test_both) (i=1) ... FAIL",
            "test_both (shop.tests.CartTests.test_both) ... FAIL",
            "test_last (shop.tests.CartTests.test_last) ... ok",
        )

    def test_lines_of_fixtures(self) -> None:
        self.assertText(
            self.progress(streams.failed_fixtures(), 2),
            "Stage 'unit' (3 tests)",
            "setUpClass (shop.tests.CartTests) ... ERROR",
            "test_add (shop.tests.CartTests.test_add) ... ERROR",
            "test_remove (shop.tests.CartTests.test_remove) ... ERROR",
            "test_pay (shop.tests.OrderTests.test_pay) ... ok",
            "tearDownClass (shop.tests.OrderTests) ... ERROR",
        )

    def test_tests_that_were_not_run_do_not_flood(self) -> None:
        events = streams.failed_stage(left_out=30)
        line = "(shop.tests.OrderTests.test_9) ... not run\n"
        self.assertEqual(self.progress(events, 2).count("... not run\n"), 10)
        self.assertTrue(self.progress(events, 2).endswith(line))
        self.assertEqual(self.progress(events, 3).count("... not run\n"), 30)

    def test_a_test_is_named_when_it_starts(self) -> None:
        text = report([TestStarted(streams.test_info())], verbosity=2)
        self.assertEqual(text, "test_add (shop.tests.CartTests.test_add) ... ")

    def test_tests_of_workers_get_whole_lines(self) -> None:
        first, second = streams.test_info("test_a"), streams.test_info("test_b")
        events: list[Event] = [
            TestStarted(first, worker=1),
            TestStarted(second, worker=2),
            streams.finished(second, worker=2),
            streams.finished(first, worker=1),
        ]
        self.assertText(
            report(events, verbosity=2),
            "test_b (shop.tests.CartTests.test_b) ... ok",
            "test_a (shop.tests.CartTests.test_a) ... ok",
        )

    def test_a_verdict_beside_an_open_line(self) -> None:
        running, other = streams.test_info("test_a"), streams.test_info("test_b")
        events: list[Event] = [
            TestStarted(running),
            streams.finished(other, worker=1),
            streams.finished(running),
        ]
        self.assertText(
            report(events, verbosity=2),
            "test_a (shop.tests.CartTests.test_a) ... ",
            "test_b (shop.tests.CartTests.test_b) ... ok",
            "test_a (shop.tests.CartTests.test_a) ... ok",
        )

    def test_sql_of_each_test_when_verbose(self) -> None:
        events = streams.ran(streams.test_info(), sql="(0.001) SELECT 1")
        self.assertText(
            report(events, verbosity=2),
            "test_add (shop.tests.CartTests.test_add) ... ok",
            "(0.001) SELECT 1",
            RULE,
        )


class ReportTests(TextTestCase):
    """Whole texts, at verbosity 0 unless progress matters."""

    def test_passed(self) -> None:
        events = streams.run(streams.stage("unit", streams.ran(streams.test_info())))
        self.assertText(
            report(events, rerun_command=rerun), ".", RULE, "Ran 1 test in 1.500s", "", "OK"
        )

    def test_passed_with_counts(self) -> None:
        tests = [
            *streams.ran(streams.test_info("test_a"), Outcome.SKIPPED, reason="late"),
            *streams.ran(streams.test_info("test_b"), Outcome.EXPECTED_FAILURE),
        ]
        self.assertText(
            report(streams.run(streams.stage("unit", tests)), verbosity=0),
            RULE,
            "Ran 2 tests in 1.500s",
            "",
            "OK (skipped=1, expected failures=1)",
        )

    def test_empty(self) -> None:
        self.assertText(
            report(streams.EMPTY), "", RULE, "Ran 0 tests in 0.000s", "", "NO TESTS RAN"
        )

    def test_every_outcome(self) -> None:
        self.assertText(
            report(streams.every_outcome(), rerun_command=rerun),
            ".FEsxu",
            DOUBLE_RULE,
            "ERROR: test_raise (shop.tests.CartTests.test_raise)",
            "Raises.",
            RULE,
            f"{TRACEBACK}    self.add()\nKeyError: 'x'",
            "",
            DOUBLE_RULE,
            "FAIL: test_fail (shop.tests.CartTests.test_fail)",
            RULE,
            f"{TRACEBACK}    self.add()\nAssertionError: 1 != 2",
            "",
            DOUBLE_RULE,
            "UNEXPECTED SUCCESS: test_fixed (shop.tests.CartTests.test_fixed)",
            "",
            "To run again:",
            "  manage.py test shop.tests.CartTests.test_fail",
            "  manage.py test shop.tests.CartTests.test_raise",
            "  manage.py test shop.tests.CartTests.test_fixed",
            "",
            RULE,
            "Ran 6 tests in 1.500s",
            "",
            "FAILED (failures=1, errors=1, skipped=1, expected failures=1, "
            "unexpected successes=1)",
        )

    def test_buffer(self) -> None:
        text = report(streams.every_outcome(), buffer=True)
        expected = "AssertionError: 1 != 2\n\nStdout:\ntotal: 3\n\nStderr:\ncareful\n\n====="
        self.assertIn(expected, text)
        self.assertNotIn("Stdout", report(streams.every_outcome(), buffer=False))

    def test_subtests(self) -> None:
        self.assertText(
            report(streams.subtests(), verbosity=0, buffer=True),
            DOUBLE_RULE,
            "ERROR: test_each (shop.tests.CartTests.test_each) (i=3)",
            "Each of them.",
            RULE,
            f"{TRACEBACK}    self.add()\nKeyError: 'x'",
            "",
            DOUBLE_RULE,
            "FAIL: test_each (shop.tests.CartTests.test_each) [odd] (i=1)",
            "Each of them.",
            RULE,
            f"{TRACEBACK}    self.add()\nAssertionError: 1 != 2",
            "",
            "Stdout:",
            "one",
            "",
            DOUBLE_RULE,
            "FAIL: test_both (shop.tests.CartTests.test_both) (i=1)",
            RULE,
            f"{TRACEBACK}    self.add()\nAssertionError: 1 != 2",
            "",
            DOUBLE_RULE,
            "FAIL: test_both (shop.tests.CartTests.test_both)",
            RULE,
            f"{TRACEBACK}    self.add()\nAssertionError: at the end",
            "",
            RULE,
            "Ran 3 tests in 1.500s",
            "",
            "FAILED (failures=1, errors=1)",
        )

    def test_a_fixture_is_reported_once(self) -> None:
        self.assertText(
            report(streams.failed_fixtures(), verbosity=0, buffer=True, rerun_command=rerun),
            DOUBLE_RULE,
            "ERROR: setUpClass (shop.tests.CartTests)",
            RULE,
            f"{TRACEBACK}    self.add()\nValueError: no stock",
            "",
            "Stdout:",
            "setting up",
            "",
            "2 tests errored by it.",
            "",
            DOUBLE_RULE,
            "ERROR: tearDownClass (shop.tests.OrderTests)",
            RULE,
            f"{TRACEBACK}    self.add()\nValueError: no stock",
            "",
            "To run again:",
            "  manage.py test shop.tests.CartTests",
            "  manage.py test shop.tests.OrderTests",
            "",
            RULE,
            "Ran 3 tests in 1.500s",
            "",
            "FAILED (errors=3)",
        )

    def test_a_fixture_that_failed_in_two_workers(self) -> None:
        tests = [streams.test_info("test_a"), streams.test_info("test_b")]
        events = [
            *streams.fixture_failed("setUpModule", tests[:1], worker=1),
            *streams.fixture_failed("setUpModule", tests[1:], worker=2),
        ]
        text = report(streams.run(streams.stage("unit", events)))
        self.assertEqual(text.count("ERROR: setUpModule"), 1)
        self.assertIn("\n2 tests errored by it.\n", text)
        self.assertTrue(text.endswith("\nFAILED (errors=2)\n"))

    def test_a_fixture_without_an_event_of_its_own(self) -> None:
        tests = [streams.test_info("test_a"), streams.test_info("test_b")]
        verdicts = streams.fixture_failed("setUpClass", tests)[1:]
        text = report(streams.run(streams.stage("unit", verdicts)))
        self.assertEqual(text.count("ERROR: setUpClass (shop.tests.CartTests)\n"), 1)
        self.assertIn("\n2 tests errored by it.\n", text)

    def test_an_error_without_an_exception(self) -> None:
        test = streams.finished(streams.test_info(), Outcome.ERRORED, reason="its worker died")
        text = report(streams.run(streams.stage("unit", [test])), verbosity=0)
        name = "test_add (shop.tests.CartTests.test_add)"
        self.assertIn(f"ERROR: {name}\n{RULE}\nits worker died\n\n", text)

    def test_sql(self) -> None:
        test = streams.failed(streams.test_info(), sql="(0.001) SELECT 1\nFROM shop; args=()")
        text = report(streams.run(streams.stage("unit", test)), verbosity=0)
        sql = "(0.001) SELECT 1\nFROM shop; args=()\n"
        self.assertIn(f"AssertionError: 1 != 2\n\n{RULE}\n{sql}\n{RULE}\nRan", text)

    def test_what_the_stream_cannot_encode_is_escaped(self) -> None:
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="ascii")
        test = streams.failed(
            streams.test_info(), streams.failure("ValueError: é \udcff \U0001f600")
        )
        events = streams.run(streams.stage("unit", test))
        summary = Summary()
        reporter = ConsoleReporter(summary=summary, stream=stream)
        streams.send(events, summary.handle_event, reporter.handle_event)
        self.assertIn(b"ValueError: \\xe9 \\udcff \\U0001f600\n", raw.getvalue())


class CommandTests(TextTestCase):
    def commands(self, events: list[Event]) -> list[str]:
        text = report(events, rerun_command=rerun)
        found = re.search(r"To run again:\n((?:  .*\n)+)\n", text)
        return found[1].splitlines() if found else []

    def test_a_test_without_a_label_has_no_command(self) -> None:
        tests = streams.failed(streams.test_info(label=""))
        self.assertEqual(self.commands(streams.run(streams.stage("unit", tests))), [])

    def test_each_command_once(self) -> None:
        tests = [
            *streams.failed(streams.test_info("test_a", label="shop.Cart")),
            *streams.failed(streams.test_info("test_b", label="shop.Cart")),
        ]
        events = streams.run(streams.stage("unit", tests))
        self.assertEqual(self.commands(events), ["  manage.py test shop.Cart"])

    def test_a_limit(self) -> None:
        tests = [
            event
            for place in range(23)
            for event in streams.failed(streams.test_info(f"test_{place}"))
        ]
        commands = self.commands(streams.run(streams.stage("unit", tests)))
        self.assertEqual(len(commands), 21)
        self.assertEqual(commands[19], "  manage.py test shop.tests.CartTests.test_19")
        self.assertEqual(commands[20], "  ... and 3 more")


class DurationTests(TextTestCase):
    def table(self, durations: int, verbosity: int) -> str:
        tests = [
            *streams.ran(streams.test_info("test_a"), duration=0.0004),
            *streams.ran(streams.test_info("test_b"), duration=12.34567),
            *streams.ran(streams.test_info("test_c"), duration=0.5),
        ]
        events = streams.run(streams.stage("unit", tests))
        text = report(events, durations=durations, verbosity=verbosity)
        found = re.search(r"Slowest.*?(?=-{70}\nRan)", text, re.DOTALL)
        return found[0] if found else ""

    def test_the_slowest(self) -> None:
        self.assertText(
            self.table(1, 1),
            "Slowest test durations",
            RULE,
            "12.346s    test_b (shop.tests.CartTests.test_b)",
            "",
        )

    def test_short_ones_are_hidden(self) -> None:
        self.assertText(
            self.table(0, 1),
            "Slowest test durations",
            RULE,
            "12.346s    test_b (shop.tests.CartTests.test_b)",
            "0.500s     test_c (shop.tests.CartTests.test_c)",
            "",
            "(durations < 0.001s were hidden; use -v 2 to show these durations)",
        )

    def test_all_when_verbose(self) -> None:
        self.assertIn("0.000s     test_a (shop.tests.CartTests.test_a)\n\n", self.table(0, 2))

    def test_no_table_when_nothing_ran(self) -> None:
        self.assertNotIn("Slowest", report(streams.EMPTY, durations=5))


class UnfinishedRunTests(TextTestCase):
    """A run that left tests out must never look successful."""

    def test_a_failed_stage(self) -> None:
        self.assertText(
            report(streams.failed_stage(left_out=35)),
            ".F",
            DOUBLE_RULE,
            "FAIL: test_fail (shop.tests.CartTests.test_fail)",
            RULE,
            f"{TRACEBACK}    self.add()\nAssertionError: 1 != 2",
            "",
            "35 tests not run: stage 'unit' failed",
            RULE,
            "Ran 2 tests in 1.500s",
            "",
            "FAILED (failures=1, not run=35)",
        )

    def test_interrupted(self) -> None:
        tests = [streams.test_info("test_b"), streams.test_info("test_c", case="OrderTests")]
        events = streams.run(
            streams.stage("unit", streams.ran(streams.test_info())),
            streams.not_run(tests, "interrupted"),
            stopped_by="Ctrl-C",
        )
        self.assertText(
            report(events),
            ".",
            "2 tests not run: interrupted",
            "Stopped: Ctrl-C",
            RULE,
            "Ran 1 test in 1.500s",
            "",
            "FAILED (not run=2)",
        )

    def test_interrupted_within_a_line(self) -> None:
        test = streams.test_info()
        events = [*streams.run([TestStarted(test)], stopped_by="Ctrl-C")]
        self.assertText(
            report(events, verbosity=2),
            "test_add (shop.tests.CartTests.test_add) ... ",
            "",
            "Stopped: Ctrl-C",
            RULE,
            "Ran 0 tests in 1.500s",
            "",
            "FAILED",
        )

    def test_tests_without_a_verdict(self) -> None:
        events = streams.run(streams.stage("unit", streams.ran(streams.test_info())), total=4)
        self.assertText(
            report(events, verbosity=0),
            "3 tests never came to a verdict",
            RULE,
            "Ran 1 test in 1.500s",
            "",
            "FAILED (no verdict=3)",
        )


class Recording(unittest.TextTestResult):
    """Remembers the tests in their order."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.started: list[unittest.TestCase] = []

    def startTest(self, test: unittest.TestCase) -> None:
        self.started.append(test)
        super().startTest(test)

    def events(self) -> list[Event]:
        """The same run as our events."""
        events: list[Event] = []
        for test in self.started:
            info = streams.test_info(
                id=test.id(), name=str(test), description=test.shortDescription() or ""
            )
            outcome, details = self._verdict(test)
            events += streams.ran(info, outcome, **details)
        return streams.run(streams.stage("unit", events))

    def _verdict(self, test: unittest.TestCase) -> tuple[Outcome, dict[str, Any]]:
        failures = [
            Failure(
                is_error=is_error,
                type="",
                message="",
                traceback=text,
                subtest=_subtest_label(case),
            )
            for is_error, found in ((True, self.errors), (False, self.failures))
            for case, text in found
            if getattr(case, "test_case", case) is test
        ]
        if failures:
            is_error = any(failure.is_error for failure in failures)
            return Outcome.ERRORED if is_error else Outcome.FAILED, {"failures": failures}
        if test in self.unexpectedSuccesses:
            return Outcome.UNEXPECTED_SUCCESS, {}
        if any(test is case for case, _ in self.expectedFailures):
            return Outcome.EXPECTED_FAILURE, {}
        for case, reason in self.skipped:
            if case is test:
                return Outcome.SKIPPED, {"reason": reason}
        return Outcome.PASSED, {}


def _subtest_label(case: Any) -> str:
    label: str = case._subDescription() if hasattr(case, "test_case") else ""
    return label


@unittest.skipIf(sys.version_info < (3, 11), "Python 3.10 words some lines otherwise")
class UnittestFidelityTests(TextTestCase):
    """The text is unittest's own, apart from what it has no words for."""

    def assertSameText(
        self, case: type[unittest.TestCase], *, counts_differ: bool = False, **options: Any
    ) -> None:
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
        theirs = io.StringIO()
        runner = unittest.TextTestRunner(stream=theirs, resultclass=Recording, **options)
        with (
            mock.patch.dict(os.environ, NO_COLOR="1"),  # Python 3.14's colours its words
            contextlib.redirect_stdout(io.StringIO()),  # gets what failed tests printed
        ):
            result = runner.run(suite)
        assert isinstance(result, Recording)
        stages = (event for event in result.events() if not isinstance(event, StageStarted))
        # unittest's texts already hold the output that it buffered
        ours = report(list(stages), verbosity=options.get("verbosity", 1))
        normal = [re.sub(r"in \d+\.\d+s", "in 0.000s", text) for text in (ours, theirs.getvalue())]
        if counts_differ:
            normal = [re.sub(r" \(failures=\d+\)$", "", text.strip()) for text in normal]
        self.assertEqual(normal[0], normal[1])

    class Outcomes(unittest.TestCase):
        def test_a_passed(self) -> None:
            """A docstring.

            More of it.
            """

        def test_b_failed(self) -> None:
            """Fails."""
            print("some output")
            self.assertEqual([1, 2], [1, 3])

        def test_c_errored(self) -> None:
            try:
                raise KeyError("first")
            except KeyError as error:
                raise ValueError("second") from error

        def test_d_skipped(self) -> None:
            self.skipTest("not 'now'")

        @unittest.expectedFailure
        def test_e_known(self) -> None:
            self.fail("known")

        @unittest.expectedFailure
        def test_f_fixed(self) -> None:
            """Fixed."""

    class Good(unittest.TestCase):
        def test_good(self) -> None:
            """All is well."""

        def test_later(self) -> None:
            self.skipTest("later")

    class Subtests(unittest.TestCase):
        def test_a_each(self) -> None:
            """Each of them."""
            for number in range(3):
                with self.subTest("the number", number=number):
                    self.assertEqual(number, 1)

        def test_b_then_the_test(self) -> None:
            with self.subTest(number=1):
                self.fail("within")
            self.fail("at the end")

        def test_c_passed(self) -> None:
            """Passed."""

    def test_outcomes(self) -> None:
        for verbosity in (0, 1, 2):
            with self.subTest(verbosity=verbosity):
                self.assertSameText(self.Outcomes, verbosity=verbosity, buffer=True)

    def test_good(self) -> None:
        for verbosity in (0, 1, 2):
            with self.subTest(verbosity=verbosity):
                self.assertSameText(self.Good, verbosity=verbosity)

    def test_subtests(self) -> None:
        for verbosity in (0, 2):  # at 1, unittest has a character for each subtest
            with self.subTest(verbosity=verbosity):
                # unittest counts subtests, we count tests
                self.assertSameText(self.Subtests, counts_differ=True, verbosity=verbosity)


class EnvironmentTestCase(TextTestCase):
    """Tests that see only the environment variables they set."""

    def environment(self, **variables: str) -> Any:
        return mock.patch.dict(os.environ, variables, clear=True)


class ColorTests(EnvironmentTestCase):
    def test_who_decides(self) -> None:
        terminal, pipe = Terminal(), io.StringIO()
        with self.environment(TERM="xterm"):
            self.assertTrue(shows_colors(terminal))
            self.assertFalse(shows_colors(pipe))
            self.assertFalse(shows_colors(terminal, False))
            self.assertTrue(shows_colors(pipe, True))
        with self.environment(TERM="xterm", NO_COLOR="1", FORCE_COLOR="1"):
            self.assertFalse(shows_colors(terminal))
            self.assertTrue(shows_colors(terminal, True))
        with self.environment(TERM="xterm", NO_COLOR=""):
            self.assertTrue(shows_colors(terminal))
        with self.environment(FORCE_COLOR="1"):
            self.assertTrue(shows_colors(pipe))
        with self.environment(TERM="dumb"):
            self.assertFalse(shows_colors(terminal))

    def test_words_are_the_same_without_the_colors(self) -> None:
        for verbosity in (0, 1, 2):
            events = streams.every_outcome()
            colored = report(events, verbosity=verbosity, color=True)
            self.assertIn("\x1b[1;31mFAILED\x1b[0m (failures=1", colored)
            self.assertEqual(ESCAPE.sub("", colored), report(events, verbosity=verbosity))

    def test_no_color(self) -> None:
        with self.environment(TERM="xterm", NO_COLOR="1"):
            text = report(streams.every_outcome(), stream=Terminal(), color=None, display="plain")
        self.assertNotIn("\x1b", text)


class ChoiceOfDisplayTests(EnvironmentTestCase):
    def is_live(self, stream: io.StringIO, **arguments: Any) -> bool:
        return "\x1b[J" in report(streams.every_outcome(), stream=stream, **arguments)

    def test_live_on_a_terminal_at_verbosity_1(self) -> None:
        with self.environment(**ROOMY):
            self.assertTrue(self.is_live(Terminal()))
            self.assertFalse(self.is_live(io.StringIO()))
            self.assertFalse(self.is_live(Terminal(), verbosity=0))
            self.assertFalse(self.is_live(Terminal(), verbosity=2))

    def test_chosen(self) -> None:
        with self.environment(**ROOMY):
            self.assertFalse(self.is_live(Terminal(), display="plain"))
            self.assertTrue(self.is_live(Terminal(), display="live", verbosity=2))
            self.assertFalse(self.is_live(io.StringIO(), display="live"))

    def test_ci_logs_are_plain_unless_asked(self) -> None:
        with self.environment(**ROOMY, CI="true"):
            self.assertFalse(self.is_live(Terminal()))
            self.assertTrue(self.is_live(Terminal(), display="live"))

    def test_terminals_that_cannot(self) -> None:
        for changes in ({"TERM": "dumb"}, {"COLUMNS": "39"}, {"LINES": "5"}):
            with self.subTest(changes), self.environment(**{**ROOMY, **changes}):
                self.assertFalse(can_be_live(Terminal()))

    def test_rich_is_imported_only_for_the_live_display(self) -> None:
        code = (
            "import io, sys; from sanerunner.reporting.console import ConsoleReporter, Summary;"
            "ConsoleReporter(summary=Summary(), stream=io.StringIO());"
            "print('rich' in sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        self.assertEqual(done.stdout, "False\n")

    def test_the_default_stream_is_stderr_at_construction(self) -> None:
        with mock.patch("sys.stderr", io.StringIO()) as stderr:
            reporter = ConsoleReporter(summary=Summary(), verbosity=1)
        reporter.handle_event(streams.ran(streams.test_info())[1])
        self.assertEqual(stderr.getvalue(), ".")


class Screen:
    """The lines that a terminal shows after what was written to it.

    Knows only the few escapes that the live display uses.
    """

    def __init__(self, written: str) -> None:
        self.lines = [""]
        self.row = self.column = 0
        for escape, text in re.findall(r"(\x1b\[\d*[A-Za-z]|\r|\n)|([^\x1b\r\n]+)", written):
            if text:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + text + line[self.column + len(text) :]
                self.column += len(text)
            elif escape == "\r":
                self.column = 0
            elif escape == "\n":
                self.row, self.column = self.row + 1, 0
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif escape.endswith("A"):
                self.row -= int(escape[2:-1])
            elif escape == "\x1b[K":
                self.lines[self.row] = self.lines[self.row][: self.column]
            elif escape == "\x1b[J":
                self.lines[self.row] = self.lines[self.row][: self.column]
                del self.lines[self.row + 1 :]

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)


class Clock:
    """Stands still unless told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class LiveTests(TextTestCase):
    def setUp(self) -> None:
        self.stream = Terminal()
        self.clock = Clock()
        self.console = Console(
            file=self.stream, force_terminal=True, no_color=True, width=80, legacy_windows=False
        )
        out = TextOutput(self.stream, color=False)
        self.live = LiveProgress(out, console=self.console, clock=self.clock)
        self.addCleanup(self.live.close)
        for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
            patch = mock.patch(f"sys.{name}", self.stream)
            patch.start()
            self.addCleanup(patch.stop)

    def send(self, *events: Event) -> None:
        streams.send(events, self.live.handle_event)

    def begin(self, total: int = 4, others: int = 2) -> None:
        """Start a run whose first stage has ``total`` tests."""
        unit = [streams.test_info(f"test_{place}") for place in range(total)]
        later = [streams.test_info(f"test_{place}", stage="database") for place in range(others)]
        started = streams.run(streams.not_run([*unit, *later], ""))[0]
        self.send(started, StageStarted("unit", total, 0.0))

    def shown(self) -> str:
        return Screen(STYLE.sub("", self.stream.getvalue())).text

    def assertShown(self, *patterns: str) -> None:
        """Fail unless the screen's lines match the patterns."""
        self.assertRegex(self.shown(), r"\A" + "\n".join(patterns) + r"\Z")

    def test_stage_bar_counts_and_current_test(self) -> None:
        self.begin()
        self.assertShown(r"unit \(1/2\) +0/4  0:00", "")
        self.send(TestStarted(streams.test_info("test_0")))
        self.clock.now += 10
        self.send(streams.finished(streams.test_info("test_0")))
        self.send(TestStarted(streams.test_info("test_1")))
        self.assertShown(
            r"unit \(1/2\) ━+╸? +1/4  0:10, ~0:30 left",
            r"test_1 \(shop\.tests\.CartTests\.test_1\)",
        )

    def test_the_current_test_is_always_named(self) -> None:
        self.begin()
        for place in range(3):  # no time passes between them
            self.send(*streams.ran(streams.test_info(f"test_{place}")))
        self.send(TestStarted(streams.test_info("test_hangs")))
        self.assertShown(r"unit .* 0/4 .*", r"test_hangs \(shop.*")

    def test_attempts_that_failed_are_named(self) -> None:
        self.begin()
        test = streams.test_info("test_0")
        self.send(TestStarted(test), streams.retried(test))
        self.assertShown(
            r"retried: shop\.tests\.CartTests\.test_0 failed in attempt 1: AssertionError: 1 != 2",
            r"unit \(1/2\) .*0/4 .*",
            "",
        )

    def test_failures_stay_above(self) -> None:
        self.begin()
        self.send(*streams.failed(streams.test_info("test_0")))
        self.send(*streams.ran(streams.test_info("test_1"), Outcome.SKIPPED))
        self.send(*streams.ran(streams.test_info("test_2"), Outcome.UNEXPECTED_SUCCESS))
        self.assertShown(
            r"FAIL: test_0 \(shop\.tests\.CartTests\.test_0\)",
            r"UNEXPECTED SUCCESS: test_2 \(shop\.tests\.CartTests\.test_2\)",
            r"unit \(1/2\) .*  3/4  2 failed  1 skipped  0:00, ~0:00 left",
            "",
        )

    def test_a_fixture_is_named_once(self) -> None:
        self.begin()
        tests = [streams.test_info("test_0"), streams.test_info("test_1")]
        fixture, *verdicts = streams.fixture_failed("setUpClass", tests)
        self.send(fixture, *verdicts[:-1])
        self.clock.now += 1
        self.send(verdicts[-1])
        self.assertShown(
            r"ERROR: setUpClass \(shop\.tests\.CartTests\)", r"unit .* 2/4  2 failed .*", ""
        )

    def test_a_tear_down_counts(self) -> None:
        self.begin()
        torn = streams.fixture_failed("tearDownClass")[0]
        assert isinstance(torn, FixtureFailed)
        self.send(torn)
        self.assertShown(r"ERROR: tearDownClass .*", r"unit .* 0/4  1 failed .*", "")

    def test_side_by_side_the_longest_running_is_named(self) -> None:
        self.begin()
        for place in range(3):
            self.send(TestStarted(streams.test_info(f"test_{place}"), worker=place + 1))
        self.assertShown("unit.*", r"\(\+2\) test_0 \(shop.*")

    def test_names_are_cropped_to_the_width(self) -> None:
        self.begin()
        self.send(TestStarted(streams.test_info(name="名" * 30 + "a" * 60)))
        self.assertEqual(self.shown().splitlines()[1], "名" * 30 + "a" * 16 + "...")

    def test_a_name_cannot_move_the_cursor(self) -> None:
        self.begin()
        self.send(TestStarted(streams.test_info(name="test\n\x1b[2Jx")))
        self.assertShown("unit.*", r"test  \[2Jx")

    def test_a_narrow_terminal_goes_without_the_bar(self) -> None:
        self.console.width = 42
        self.begin()
        self.send(*streams.failed(streams.test_info("test_0")))
        self.assertShown("FAIL.*", r"unit \(1/2\)  1/4  1 failed  0:00, ~0:00 l…", "")

    def test_redrawn_when_a_stage_begins(self) -> None:
        self.begin()
        self.send(StageStarted("database", 2, 0.0))
        self.assertShown(r"database \(2/2\) .*0/2 .*", "")

    def test_counts_are_rendered_at_most_every_80_milliseconds(self) -> None:
        self.begin(total=100)
        with mock.patch.object(self.console, "print", wraps=self.console.print) as printed:
            for place in range(50):
                self.send(*streams.ran(streams.test_info(f"test_{place}")))
                self.clock.now += 0.01
        self.assertIn(printed.call_count, range(4, 8))

    def test_output_of_tests_goes_above(self) -> None:
        self.begin()
        self.send(TestStarted(streams.test_info("test_0")))
        self.clock.now += 1
        print("from a test")
        self.assertShown("from a test", "unit.*", "test_0.*")

    def test_a_burst_of_output_is_not_redrawn_each_time(self) -> None:
        self.begin()
        self.clock.now += 1
        for number in range(20):
            print("line", number)
        self.assertEqual(self.stream.getvalue().count("unit"), 2)
        self.send(TestStarted(streams.test_info("test_0")))
        self.assertShown(*[f"line {number}" for number in range(20)], "unit.*", "test_0.*")

    def test_an_unfinished_line_of_output_is_ended(self) -> None:
        self.begin()
        print("thinking...", end="")
        self.assertShown(r"thinking\.\.\.")
        self.send(TestStarted(streams.test_info("test_0")))
        self.assertShown(r"thinking\.\.\.", "unit.*", "test_0.*")

    def test_log_records_of_a_handler_made_before(self) -> None:
        handler = logging.StreamHandler(self.stream)
        self.begin()
        self.clock.now += 1
        handler.emit(logging.LogRecord("shop", logging.ERROR, "", 1, "sold out", None, None))
        self.assertShown("sold out", "unit.*", "")

    def test_output_through_a_capture_made_later(self) -> None:
        self.begin()
        self.clock.now += 1

        class Tee(io.StringIO):
            def write(self, text: str) -> int:
                return passed_on.write(text)

        passed_on = sys.stdout
        with mock.patch("sys.stdout", Tee()):
            print("seen")
        self.assertShown("seen", "unit.*", "")

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_a_forked_child_knows_of_no_display(self) -> None:
        self.begin()
        drawn = len(self.stream.getvalue())
        with mock.patch("os.getpid", return_value=os.getpid() + 1):
            print("child")
        self.assertEqual(self.stream.getvalue()[drawn:], "child\n")

    def test_a_stream_that_is_no_terminal_is_left_alone(self) -> None:
        pipe = io.StringIO()
        with mock.patch("sys.stdout", pipe):
            self.begin()
            drawn = self.stream.getvalue()
            print("to a file")
        self.assertEqual(pipe.getvalue(), "to a file\n")
        self.assertEqual(self.stream.getvalue(), drawn)

    def test_suspended_until_a_test_ends(self) -> None:
        self.begin()
        self.send(TestStarted(streams.test_info("test_0")))
        self.live.suspend()
        print("(Pdb) ", end="")
        self.clock.now += 5
        self.assertShown(r"\(Pdb\)")
        self.send(streams.finished(streams.test_info("test_0")))
        self.send(TestStarted(streams.test_info("test_1")))
        self.assertShown(r"\(Pdb\)", "unit.*1/4.*", "test_1.*")

    def test_closed_it_leaves_nothing_behind(self) -> None:
        self.begin()
        self.send(TestStarted(streams.test_info("test_0")))
        self.live.close()
        self.live.close()
        print("after")
        self.send(*streams.ran(streams.test_info("test_1")))
        self.assertShown("after", "")
        self.assertNotIn("write", vars(self.stream))

    def test_a_terminal_made_narrower(self) -> None:
        self.begin()
        self.send(TestStarted(streams.test_info(name="n" * 70)))
        written = len(self.stream.getvalue())
        self.console.width = 40  # the bar's line and the name now take two rows each
        self.send(TestStarted(streams.test_info("test_1")))
        self.assertTrue(self.stream.getvalue()[written:].startswith("\r\x1b[3A"))


class LiveReportTests(EnvironmentTestCase):
    def live(self, events: list[Event]) -> Terminal:
        stream = Terminal()
        with self.environment(**ROOMY):
            report(events, stream=stream)
        return stream

    def test_the_report_is_that_of_the_plain_form(self) -> None:
        events = streams.failed_stage()
        screen = Screen(STYLE.sub("", self.live(events).getvalue())).text
        name = "FAIL: test_fail (shop.tests.CartTests.test_fail)\n"
        self.assertEqual(screen, name + report(events, verbosity=0))

    def test_an_error_in_the_display_gives_the_terminal_back(self) -> None:
        stream = Terminal()
        with self.environment(**ROOMY):
            reporter = ConsoleReporter(summary=Summary(), stream=stream)
        reporter.handle_event(streams.every_outcome()[0])
        self.assertIn("write", vars(stream))
        broken: Callable[..., None] = mock.Mock(side_effect=RuntimeError("no"))
        with (
            mock.patch("sanerunner.reporting.region.Region.draw", broken),
            self.assertRaisesMessage(RuntimeError, "no"),
        ):
            reporter.handle_event(StageStarted("unit", 1, 0.0))
        self.assertNotIn("write", vars(stream))
