"""Failed tests run again: when, in what, and what is told of it."""

from __future__ import annotations

import unittest
from typing import Any

from sanerunner import Plugin
from sanerunner.collection.stages import make_plan
from sanerunner.events import Outcome, RunFinished, TestFinished, TestRetried, TestStarted
from sanerunner.exceptions import UsageError
from sanerunner.execution.retries import Retries, can_be_made_anew
from sanerunner.parsing import DEFAULT_STAGES

from .support.running import Ran, module_of, run_classes, tests_of

PASSED, FAILED, ERRORED = Outcome.PASSED, Outcome.FAILED, Outcome.ERRORED


def failing(times: int, name: str = "Inner") -> type[unittest.TestCase]:
    """Return a class whose ``test_b`` fails that often, and then passes."""

    class Inner(unittest.TestCase):
        ran: list[str] = []

        @classmethod
        def setUpClass(cls) -> None:
            cls.ran.append("set up")

        @classmethod
        def tearDownClass(cls) -> None:
            cls.ran.append("tear down")

        def setUp(self) -> None:
            self.assertFalse(hasattr(self, "used"), "it is the object of another attempt")
            self.used = True
            self.ran.append(self._testMethodName)

        def test_a(self) -> None: ...

        def test_b(self) -> None:
            self.assertGreater(self.ran.count("test_b"), times, "too early")

        def test_c(self) -> None: ...

    Inner.__qualname__ = Inner.__name__ = name
    return Inner


def shape(ran: Ran) -> list[str]:
    """What was told of tests, in its order."""
    names = {TestStarted: "started", TestRetried: "retried", TestFinished: "finished"}
    return [
        f"{names[type(event)]} {event.test.method_name}"
        for event in ran.events
        if isinstance(event, (TestStarted, TestRetried, TestFinished))
    ]


class SerialTest(unittest.TestCase):
    def test_a_test_that_passes_later_is_flaky(self) -> None:
        inner: Any = failing(1)
        ran = run_classes(inner, retries=2)
        self.assertEqual(
            shape(ran),
            [
                "started test_a",
                "finished test_a",
                "started test_b",
                "retried test_b",
                "started test_c",
                "finished test_c",
                "started test_b",
                "finished test_b",
            ],
        )
        verdict = ran.finished["test_b"]
        self.assertEqual((verdict.outcome, verdict.attempt, verdict.flaky), (PASSED, 2, True))
        (attempt,) = verdict.earlier
        self.assertEqual(attempt.outcome, FAILED)
        self.assertIn("too early", attempt.failures[0].message)
        (retried,) = ran.of(TestRetried)
        self.assertEqual((retried.attempt, retried.failed), (1, attempt))
        self.assertTrue(ran.result.wasSuccessful())
        self.assertEqual([test.id()[-6:] for test, _ in ran.result.flaky], ["test_b"])
        self.assertEqual(ran.result.testsRun, 3)
        self.assertTrue(ran.of(RunFinished)[0].successful)
        self.assertFalse(ran.finished["test_a"].flaky)

    def test_the_class_is_set_up_anew(self) -> None:
        inner: Any = failing(2)
        run_classes(inner, retries=2)
        self.assertEqual(
            inner.ran,
            [
                *("set up", "test_a", "test_b", "test_c", "tear down"),
                *("set up", "test_b", "tear down"),
                *("set up", "test_b", "tear down"),
            ],
        )

    def test_classes_follow_and_modules_stay(self) -> None:
        first: Any = failing(1)
        second: Any = failing(3, "Second")  # it counts what the first has run, too
        told: list[str] = first.ran
        second.ran = told

        def set_up() -> None:
            told.append("module")

        with module_of(first, second, setUpModule=set_up, tearDownModule=set_up):
            ran = run_classes(first, second, retries=1)
        self.assertEqual(told.count("module"), 2)
        self.assertEqual((told[0], told[-1]), ("module", "module"))
        self.assertEqual(told.count("set up"), told.count("tear down"))
        self.assertTrue(ran.result.wasSuccessful())
        self.assertEqual(
            [event.test.class_name for event in ran.of(TestRetried)],
            ["tests.made_module.Inner", "tests.made_module.Second"],
        )

    def test_the_last_failure_is_the_verdict(self) -> None:
        inner: Any = failing(9)
        ran = run_classes(inner, retries=2)
        verdict = ran.finished["test_b"]
        self.assertEqual((verdict.outcome, verdict.attempt), (FAILED, 3))
        self.assertEqual([one.outcome for one in verdict.earlier], [FAILED, FAILED])
        self.assertEqual(len(ran.of(TestFinished)), 3)
        self.assertFalse(verdict.flaky)
        self.assertFalse(ran.result.wasSuccessful())
        self.assertEqual(len(ran.result.failures), 1)

    def test_no_retries_by_default(self) -> None:
        inner: Any = failing(1)
        ran = run_classes(inner)
        self.assertEqual(ran.finished["test_b"].attempt, 1)
        self.assertEqual(ran.finished["test_b"].outcome, FAILED)
        self.assertEqual(ran.of(TestRetried), [])

    def test_classes_and_methods_have_their_own_number(self) -> None:
        inner: Any = failing(9)
        inner.sane_retries = 1
        self.assertEqual(run_classes(inner).finished["test_b"].attempt, 2)
        inner.test_b.sane_retries = 3
        self.assertEqual(run_classes(inner, retries=9).finished["test_b"].attempt, 4)
        self.assertEqual(run_classes(inner, retries=None).finished["test_b"].attempt, 1)
        inner.test_b.sane_retries = 0
        self.assertEqual(run_classes(inner, retries=9).finished["test_b"].attempt, 1)

    def test_a_number_that_cannot_be_obeyed(self) -> None:
        for wrong in (-1, True, "2", 1.5):
            inner: Any = failing(1)
            inner.sane_retries = wrong
            with self.assertRaisesRegex(UsageError, r"Inner\.sane_retries must be a whole number"):
                run_classes(inner)

    def test_a_set_up_that_fails_once(self) -> None:
        class Inner(unittest.TestCase):
            set_ups = 0

            @classmethod
            def setUpClass(cls) -> None:
                cls.set_ups += 1
                print("said by the set-up")
                if cls.set_ups == 1:
                    raise ValueError("not yet")

            def test_a(self) -> None: ...
            def test_b(self) -> None: ...

        ran = run_classes(Inner, retries=1)
        self.assertEqual(ran.outcomes, {"test_a": PASSED, "test_b": PASSED})
        self.assertEqual(Inner.set_ups, 2)
        self.assertEqual(ran.fixtures, [])
        first, second = (event.failed for event in ran.of(TestRetried))
        self.assertEqual(first.failures[0].fixture, second.failures[0].fixture)
        self.assertEqual((first.stdout, second.stdout), ("said by the set-up\n", ""))
        self.assertTrue(ran.result.wasSuccessful())

    def test_a_set_up_that_fails_for_good(self) -> None:
        class Inner(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                raise ValueError("never")

            def test_a(self) -> None: ...
            def test_b(self) -> None: ...

        ran = run_classes(Inner, retries=1)
        self.assertEqual(ran.outcomes, {"test_a": ERRORED, "test_b": ERRORED})
        self.assertEqual(len(ran.fixtures), 1)
        fixture, verdicts = ran.fixtures[0], ran.of(TestFinished)
        self.assertLess(ran.events.index(fixture), ran.events.index(verdicts[0]))
        self.assertFalse(ran.result.wasSuccessful())

    def test_a_module_that_fails_once(self) -> None:
        inner: Any = failing(0)
        tries: list[int] = []

        def set_up() -> None:
            tries.append(1)
            if len(tries) == 1:
                raise ValueError("not yet")

        with module_of(inner, setUpModule=set_up):
            ran = run_classes(inner, retries=1)
        self.assertEqual(set(ran.outcomes.values()), {PASSED})
        self.assertEqual((len(tries), ran.fixtures), (2, []))

    def test_a_failed_tear_down_is_not_undone(self) -> None:
        inner: Any = failing(1)
        inner.tearDownClass = classmethod(lambda cls: 1 / 0)
        ran = run_classes(inner, retries=1)
        self.assertEqual(ran.outcomes["test_b"], PASSED)
        self.assertEqual(len(ran.fixtures), 2)
        self.assertFalse(ran.result.wasSuccessful())

    def test_hooks_are_called_around_each_attempt(self) -> None:
        class Counter(Plugin):
            calls: list[str] = []

            def class_setup(self, test_class: type) -> None:
                self.calls.append("class")

            def class_teardown(self, test_class: type) -> None:
                self.calls.append("end")

            def test_setup(self, test: unittest.TestCase) -> None:
                self.calls.append(test._testMethodName)

        run_classes(failing(1), retries=1, plugins=[Counter()])
        self.assertEqual(
            Counter.calls,
            ["class", "test_a", "test_b", "test_c", "end", "class", "test_b", "end"],
        )

    def test_a_skipped_attempt_proves_nothing(self) -> None:
        class Inner(unittest.TestCase):
            tries = 0

            def test_a(self) -> None:
                type(self).tries += 1
                if self.tries == 2:
                    self.skipTest("gone")
                self.fail("first")

        verdict = run_classes(Inner, retries=2).finished["test_a"]
        self.assertEqual((verdict.outcome, verdict.attempt, verdict.earlier), (FAILED, 1, ()))
        self.assertEqual(verdict.reason, "attempt 2 was skipped: gone")

    def test_an_unexpected_success_may_be_flaky(self) -> None:
        class Inner(unittest.TestCase):
            tries = 0

            @unittest.expectedFailure
            def test_a(self) -> None:
                type(self).tries += 1
                self.assertEqual(self.tries, 1)

        verdict = run_classes(Inner, retries=1).finished["test_a"]
        self.assertEqual((verdict.outcome, verdict.flaky), (Outcome.EXPECTED_FAILURE, True))

    def test_what_may_be_retried_is_asked(self) -> None:
        inner: Any = failing(1)
        asked: list[TestFinished] = []

        def refuse(event: TestFinished) -> bool:
            asked.append(event)
            return False

        ran = run_classes(inner, retries=5, wanted=refuse)
        self.assertEqual(ran.finished["test_b"].attempt, 1)
        self.assertEqual([event.outcome for event in asked], [FAILED])


class InterruptTest(unittest.TestCase):
    def test_what_waits_for_an_attempt_keeps_its_failure(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None:
                self.fail("before")

            def test_b(self) -> None:
                raise KeyboardInterrupt

            def test_c(self) -> None: ...

        ran = run_classes(Inner, retries=3)
        self.assertEqual(
            ran.outcomes, {"test_b": ERRORED, "test_a": FAILED, "test_c": Outcome.NOT_RUN}
        )
        self.assertEqual(ran.finished["test_a"].failures[0].message, "before")
        self.assertEqual([event.attempt for event in ran.finished.values()], [1, 1, 1])
        self.assertTrue(ran.run.interrupted)
        self.assertEqual(len(ran.of(TestFinished)), 3)


class LimitTest(unittest.TestCase):
    def test_failfast_counts_final_failures(self) -> None:
        flaky: Any = failing(1)
        broken: Any = failing(9, "Broken")
        ran = run_classes(flaky, broken, retries=1, failfast=True)
        self.assertEqual([flaky.ran.count("test_b"), broken.ran.count("test_b")], [2, 2])
        self.assertFalse(ran.of(RunFinished)[0].successful)
        self.assertEqual(ran.finished["test_b"].outcome, FAILED)

    def test_max_failures(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None:
                self.fail()

            test_b = test_c = test_a

            def test_d(self) -> None: ...

        ran = run_classes(Inner, max_failures=2)
        self.assertEqual(
            list(ran.outcomes.values()), [FAILED, FAILED, Outcome.NOT_RUN, Outcome.NOT_RUN]
        )
        self.assertEqual(ran.finished["test_d"].reason, "not run: --max-failures=2")
        self.assertEqual(ran.of(RunFinished)[0].stopped_by, "--max-failures=2")
        self.assertFalse(ran.run.interrupted)

    def test_the_limit_ends_retrying(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None:
                self.fail()

            test_b = test_c = test_a

        ran = run_classes(Inner, retries=1, max_failures=2)
        attempts = {name: event.attempt for name, event in ran.finished.items()}
        self.assertEqual(attempts, {"test_a": 2, "test_b": 2, "test_c": 1})
        self.assertEqual(set(ran.outcomes.values()), {FAILED})
        self.assertEqual(len(ran.of(TestFinished)), 3)

    def test_a_set_up_under_failfast(self) -> None:
        class Inner(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                raise ValueError("never")

            def test_a(self) -> None: ...
            def test_b(self) -> None: ...

        ran = run_classes(Inner, retries=1, failfast=True)
        self.assertEqual([event.attempt for event in ran.finished.values()], [2, 1])
        self.assertEqual(len(ran.fixtures), 1)


class AnewTest(unittest.TestCase):
    def test_stock_and_own_constructors(self) -> None:
        class Own(unittest.TestCase):
            def __init__(self, method: str = "test", number: int = 1) -> None:
                super().__init__(method)
                self.number = number

            def test(self) -> None: ...

        class Picky(Own):
            def __init__(self, method: str, number: int) -> None:
                super().__init__(method, number)

        self.assertTrue(can_be_made_anew(Own("test")))
        self.assertFalse(can_be_made_anew(Own("test", 2)))
        self.assertFalse(can_be_made_anew(Picky("test", 1)))
        self.assertFalse(can_be_made_anew(unittest.FunctionTestCase(lambda: None)))

    def test_what_cannot_be_made_anew_is_named_and_not_retried(self) -> None:
        inner: Any = failing(9)
        twice = [*tests_of(inner), inner("test_b")]
        retries = Retries(make_plan(twice, DEFAULT_STAGES), emit=lambda event: None, retries=1)
        (unusual,) = retries.unusual
        self.assertTrue(unusual.endswith("test_b[2]"))
        self.assertTrue(retries.active)
