from __future__ import annotations

from collections import Counter
from dataclasses import replace

from django.test import SimpleTestCase

from sanerunner.events import Event, Outcome, RunFinished
from sanerunner.reporting.summary import Summary

from . import event_streams as streams


def summarize(events: list[Event], keep_durations: int | None = None) -> Summary:
    summary = Summary(keep_durations=keep_durations)
    streams.send(events, summary.handle_event)
    return summary


class CountTests(SimpleTestCase):
    def test_every_outcome(self) -> None:
        summary = summarize(streams.every_outcome())
        one_of_each = {outcome: 1 for outcome in Outcome if outcome is not Outcome.NOT_RUN}
        self.assertEqual(summary.counts, one_of_each)
        self.assertEqual(summary.by_stage, {"unit": one_of_each})
        self.assertEqual(summary.by_kind, {"unit": one_of_each})
        self.assertEqual(summary.tests_run, 6)
        self.assertEqual(summary.failures, 1)
        self.assertEqual(summary.errors, 1)
        self.assertEqual(summary.skipped, 1)
        self.assertEqual(summary.expected_failures, 1)
        self.assertEqual(summary.unexpected_successes, 1)
        self.assertFalse(summary.successful)

    def test_bad_tests_are_kept_in_order_and_no_other(self) -> None:
        summary = summarize(streams.every_outcome())
        names = [event.test.method_name for event in summary.bad]
        self.assertEqual(names, ["test_fail", "test_raise", "test_fixed"])

    def test_not_run(self) -> None:
        summary = summarize(streams.failed_stage(left_out=3))
        self.assertEqual(summary.not_run_reasons, Counter({"stage 'unit' failed": 3}))
        self.assertEqual(summary.not_run, 3)
        self.assertEqual(summary.tests_run, 2)
        self.assertEqual(summary.verdicts, 5)
        self.assertEqual(summary.by_stage["database"], {Outcome.NOT_RUN: 3})
        self.assertEqual(summary.by_kind["database"], {Outcome.NOT_RUN: 3})
        self.assertEqual(summary.stopped_by, "stage 'unit' failed")

    def test_a_failed_set_up_counts_as_its_tests(self) -> None:
        tests = [streams.test_info("test_a"), streams.test_info("test_b")]
        events = streams.run(streams.stage("unit", streams.fixture_failed("setUpClass", tests)))
        summary = summarize(events)
        self.assertEqual(summary.errors, 2)
        self.assertEqual(len(summary.fixture_failures), 1)

    def test_a_failed_tear_down_counts_by_itself(self) -> None:
        passed = streams.ran(streams.test_info())
        torn = streams.fixture_failed("tearDownClass")
        summary = summarize(streams.run(streams.stage("unit", [*passed, *torn])))
        self.assertEqual(summary.errors, 1)
        self.assertEqual(summary.tests_run, 1)
        self.assertFalse(summary.successful)


class SuccessTests(SimpleTestCase):
    passed = streams.stage("unit", streams.ran(streams.test_info()))

    def test_all_passed(self) -> None:
        self.assertTrue(summarize(streams.run(self.passed)).successful)

    def test_empty(self) -> None:
        self.assertTrue(summarize(streams.EMPTY).successful)

    def test_a_run_that_has_not_ended(self) -> None:
        summary = summarize(streams.run(self.passed)[:-1])
        self.assertFalse(summary.successful)
        self.assertEqual(summary.stopped_by, "")

    def test_a_run_that_was_stopped(self) -> None:
        self.assertFalse(summarize(streams.run(self.passed, stopped_by="Ctrl-C")).successful)

    def test_a_test_without_a_verdict(self) -> None:
        summary = summarize(streams.run(self.passed, total=3))
        self.assertEqual(summary.without_verdict, 2)
        self.assertFalse(summary.successful)


class FlakyTests(SimpleTestCase):
    def events(self, *, successful: bool = True) -> list[Event]:
        tests = streams.flaky(streams.test_info())
        *events, finished = streams.run(streams.stage("unit", tests))
        assert isinstance(finished, RunFinished)
        return [*events, replace(finished, successful=successful)]

    def test_flaky_tests_are_kept_and_have_passed(self) -> None:
        summary = summarize(self.events())
        self.assertEqual([event.attempt for event in summary.flaky], [2])
        self.assertEqual(summary.counts, {Outcome.PASSED: 1})
        self.assertEqual((summary.verdicts, summary.bad), (1, []))
        self.assertTrue(summary.successful)

    def test_the_run_may_fail_of_them(self) -> None:
        self.assertFalse(summarize(self.events(successful=False)).successful)


class DurationTests(SimpleTestCase):
    def events(self) -> list[Event]:
        tests: list[Event] = []
        for place, seconds in enumerate([0.2, 0.3, 0.1, 0.3]):
            tests += streams.ran(streams.test_info(f"test_{place}"), duration=seconds)
        tests += streams.not_run([streams.test_info("test_late")], "stopped")
        return streams.run(streams.stage("unit", tests))

    def slowest(self, keep: int | None) -> list[tuple[str, float]]:
        summary = summarize(self.events(), keep_durations=keep)
        return [(d.id.rpartition(".")[2], d.seconds) for d in summary.durations]

    def test_none(self) -> None:
        self.assertEqual(self.slowest(None), [])

    def test_the_slowest(self) -> None:
        self.assertEqual(self.slowest(1), [("test_1", 0.3)])
        self.assertEqual(self.slowest(2), [("test_1", 0.3), ("test_3", 0.3)])

    def test_all(self) -> None:
        expected = [("test_1", 0.3), ("test_3", 0.3), ("test_0", 0.2), ("test_2", 0.1)]
        self.assertEqual(self.slowest(0), expected)

    def test_the_name_is_unittests(self) -> None:
        summary = summarize(self.events(), keep_durations=1)
        self.assertEqual(summary.durations[0].name, "test_1 (shop.tests.CartTests.test_1)")
