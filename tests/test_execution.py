"""Running tests: verdicts, fixtures, interruptions, and what a project may put in place."""

from __future__ import annotations

import signal
import subprocess
import sys
import unittest
from typing import Any
from unittest import mock

from django.test import SimpleTestCase

from sanerunner import Plugin
from sanerunner.events import (
    Outcome,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    TestFinished,
    TestStarted,
    WorkerStarted,
)
from sanerunner.execution.runresult import RunResult

from .support.projects import ROOT, InnerProject, inner_project
from .support.running import Ran, module_of, run_classes

PASSED, FAILED, ERRORED, SKIPPED = (
    Outcome.PASSED,
    Outcome.FAILED,
    Outcome.ERRORED,
    Outcome.SKIPPED,
)


class VerdictTest(unittest.TestCase):
    def test_every_outcome(self) -> None:
        class Inner(unittest.TestCase):
            def test_error(self) -> None:
                raise KeyError("k")

            @unittest.expectedFailure
            def test_expected(self) -> None:
                self.fail("known")

            def test_failure(self) -> None:
                self.fail("wrong")

            def test_pass(self) -> None: ...

            @unittest.skip("not here")
            def test_skip(self) -> None: ...

            def test_skip_inside(self) -> None:
                self.skipTest("not now")

            @unittest.expectedFailure
            def test_unexpected(self) -> None: ...

        ran = run_classes(Inner)
        self.assertEqual(
            ran.outcomes,
            {
                "test_error": ERRORED,
                "test_expected": Outcome.EXPECTED_FAILURE,
                "test_failure": FAILED,
                "test_pass": PASSED,
                "test_skip": SKIPPED,
                "test_skip_inside": SKIPPED,
                "test_unexpected": Outcome.UNEXPECTED_SUCCESS,
            },
        )
        self.assertEqual(ran.finished["test_skip"].reason, "not here")
        self.assertEqual(ran.finished["test_skip_inside"].reason, "not now")
        (failure,) = ran.finished["test_failure"].failures
        self.assertEqual(
            (failure.is_error, failure.type, failure.message, failure.subtest),
            (False, "AssertionError", "wrong", ""),
        )
        self.assertTrue(failure.traceback.endswith("AssertionError: wrong\n"))
        (error,) = ran.finished["test_error"].failures
        self.assertEqual((error.is_error, error.type, error.message), (True, "KeyError", "'k'"))
        self.assertNotIn("unittest/case.py", error.traceback)

    def test_the_result_is_a_unittest_result(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None:
                """What a does."""
                self.fail("wrong")

            def test_b(self) -> None:
                raise ValueError

            def test_c(self) -> None:
                self.skipTest("c")

            @unittest.expectedFailure
            def test_d(self) -> None:
                self.fail("known")

            @unittest.expectedFailure
            def test_e(self) -> None: ...

            def test_f(self) -> None: ...

        result = run_classes(Inner).result
        self.assertIsInstance(result, unittest.TestResult)
        self.assertFalse(result.wasSuccessful())
        self.assertEqual(result.testsRun, 6)
        ((failed, text),) = result.failures
        self.assertIn("wrong", text)
        self.assertTrue(failed.id().endswith("Inner.test_a"))
        self.assertIn("test_a", str(failed))
        self.assertEqual(failed.shortDescription(), "What a does.")
        self.assertEqual([test.id()[-1] for test, _ in result.errors], ["b"])
        self.assertEqual([(test.id()[-1], why) for test, why in result.skipped], [("c", "c")])
        self.assertEqual([test.id()[-1] for test, _ in result.expectedFailures], ["d"])
        self.assertEqual([test.id()[-1] for test in result.unexpectedSuccesses], ["e"])
        self.assertEqual(result.not_run, [])
        self.assertTrue(RunResult().wasSuccessful())

    def test_subtests(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None:
                for number in range(4):
                    with self.subTest("is even", number=number):
                        self.assertEqual(number % 2, 0)
                with self.subTest():
                    raise ValueError("odd")

            def test_b(self) -> None:
                with self.subTest(x=1):
                    pass

            def test_c(self) -> None:
                with self.subTest(x=1):
                    self.skipTest("half")
                with self.subTest(x=2):
                    self.fail("the other half")

            def test_d(self) -> None:
                with self.subTest(x=1):
                    self.skipTest("half")

            @unittest.expectedFailure
            def test_e(self) -> None:
                with self.subTest(x=1):
                    self.fail("known")

        ran = run_classes(Inner)
        self.assertEqual(
            ran.outcomes,
            {
                "test_a": ERRORED,
                "test_b": PASSED,
                "test_c": FAILED,
                "test_d": SKIPPED,
                "test_e": Outcome.EXPECTED_FAILURE,
            },
        )
        self.assertEqual(
            [(each.subtest, each.is_error) for each in ran.finished["test_a"].failures],
            [
                ("[is even] (number=1)", False),
                ("[is even] (number=3)", False),
                ("(<subtest>)", True),
            ],
        )
        self.assertEqual(ran.finished["test_d"].reason, "half")
        self.assertEqual((ran.result.testsRun, len(ran.result.failures)), (5, 1))

    def test_several_problems_of_one_test_are_one_verdict(self) -> None:
        class Inner(unittest.TestCase):
            def tearDown(self) -> None:
                raise ValueError("tear-down")

            def test_a(self) -> None:
                self.addCleanup(self.fail, "clean-up")
                self.fail("test")

        ran = run_classes(Inner)
        self.assertEqual(ran.outcomes, {"test_a": ERRORED})
        self.assertEqual(
            [failure.message for failure in ran.finished["test_a"].failures],
            ["test", "tear-down", "clean-up"],
        )
        self.assertEqual((len(ran.result.errors), len(ran.result.failures)), (1, 0))

    def test_errors_around_a_test_in_djangos_hands(self) -> None:
        class Before(SimpleTestCase):
            @classmethod
            def _pre_setup(cls) -> None:
                raise ValueError("before")

            def test_a(self) -> None: ...

        class After(SimpleTestCase):
            def _post_teardown(self) -> None:
                raise ValueError("after")

            def test_a(self) -> None: ...

        for case, message in ((Before, "before"), (After, "after")):
            with self.subTest(message):
                ran = run_classes(case)
                self.assertEqual(ran.outcomes, {"test_a": ERRORED})
                (failure,) = ran.finished["test_a"].failures
                self.assertEqual((failure.type, failure.message), ("ValueError", message))

    def test_exceptions_that_end_programs(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None:
                sys.exit(0)

            def test_b(self) -> None:
                raise GeneratorExit

            def test_c(self) -> None: ...

        ran = run_classes(Inner)
        self.assertEqual(ran.outcomes, {"test_a": ERRORED, "test_b": ERRORED, "test_c": PASSED})
        self.assertEqual(ran.finished["test_a"].failures[0].type, "SystemExit")

    def test_program_ends_outside_of_a_test(self) -> None:
        """unittest lets it through; the run must not end with success."""

        class Inner(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                sys.exit(0)

            def test_a(self) -> None: ...

            def test_b(self) -> None: ...

        ran = run_classes(Inner)
        self.assertEqual(ran.outcomes, {"test_a": ERRORED, "test_b": ERRORED})
        self.assertEqual(ran.fixtures[0].failure.type, "SystemExit")

    def test_program_ends_in_hooks_of_plugins_and_django(self) -> None:
        class Ends(Plugin):
            def test_setup(self) -> None:
                sys.exit(0)

        class Inner(unittest.TestCase):
            def test_a(self) -> None: ...

        class OfDjango(SimpleTestCase):
            @classmethod
            def _pre_setup(cls) -> None:
                sys.exit(0)

            def test_b(self) -> None: ...

        ran = run_classes(Inner, plugins=[Ends()])
        self.assertEqual(ran.outcomes, {"test_a": ERRORED})
        ran = run_classes(OfDjango)
        self.assertEqual(ran.outcomes, {"test_b": ERRORED})

    def test_exception_without_text(self) -> None:
        class Silent(Exception):
            def __str__(self) -> str:
                raise ValueError

        class Inner(unittest.TestCase):
            def test_a(self) -> None:
                raise Silent

        ran = run_classes(Inner)
        (failure,) = ran.finished["test_a"].failures
        self.assertEqual(failure.message, "<str() of the exception raised ValueError>")
        self.assertIn("Silent", failure.traceback)

    def test_a_run_method_that_tells_nothing(self) -> None:
        class Inner(unittest.TestCase):
            def run(self, result: Any = None) -> None: ...

            def test_a(self) -> None: ...

        ran = run_classes(Inner)
        self.assertEqual(ran.outcomes, {"test_a": SKIPPED})
        self.assertEqual(ran.finished["test_a"].reason, "its run() method reported no outcome")

    @unittest.skipIf(sys.version_info < (3, 11), "unittest tells of failures after the test")
    def test_a_test_sees_its_own_failure_in_tear_down(self) -> None:
        """Screenshots are taken this way."""
        seen = []

        class Inner(unittest.TestCase):
            def run(self, result: Any = None) -> Any:
                self._result = result
                return super().run(result)

            def tearDown(self) -> None:
                seen.append(len(self._result.failures))

            def test_a(self) -> None:
                self.fail()

        run_classes(Inner)
        self.assertEqual(seen, [1])

    def test_times_are_measured_here(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None: ...

        ran = run_classes(Inner)
        event = ran.finished["test_a"]
        self.assertGreaterEqual(event.duration, 0)
        self.assertGreater(event.started_at, 1_600_000_000)


class FixtureTest(unittest.TestCase):
    def test_failed_class_set_up(self) -> None:
        class First(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                cls.addClassCleanup(calls.append, "class clean-up")
                raise ValueError("no class")

            @classmethod
            def tearDownClass(cls) -> None:
                calls.append("tearDownClass")

            def test_a(self) -> None: ...

            def test_b(self) -> None: ...

        class Second(unittest.TestCase):
            def test_c(self) -> None: ...

        calls: list[str] = []
        ran = run_classes(First, Second)
        self.assertEqual(ran.outcomes, {"test_a": ERRORED, "test_b": ERRORED, "test_c": PASSED})
        (fixture,) = ran.fixtures
        self.assertEqual(fixture.fixture, "setUpClass")
        self.assertTrue(fixture.owner.endswith("First"))
        self.assertEqual(fixture.failure.message, "no class")
        self.assertEqual(fixture.failure.fixture, f"setUpClass ({fixture.owner})")
        self.assertEqual(ran.finished["test_b"].failures, (fixture.failure,))
        self.assertEqual(calls, ["class clean-up"])
        self.assertEqual(len(ran.result.errors), 2)

    def test_failed_class_tear_down_leaves_verdicts_as_they_are(self) -> None:
        class Inner(unittest.TestCase):
            @classmethod
            def tearDownClass(cls) -> None:
                raise ValueError("still there")

            def test_a(self) -> None: ...

        ran = run_classes(Inner)
        self.assertEqual(ran.outcomes, {"test_a": PASSED})
        (fixture,) = ran.fixtures
        self.assertEqual((fixture.fixture, fixture.before_tests), ("tearDownClass", False))
        self.assertFalse(ran.result.wasSuccessful())
        self.assertFalse(ran.of(StageFinished)[0].successful)
        self.assertFalse(ran.of(RunFinished)[0].successful)
        ((handle, _),) = ran.result.errors
        self.assertIn("tearDownClass (", handle.id())

    def test_failed_class_clean_up(self) -> None:
        class Inner(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                cls.addClassCleanup(cls.fail_late)

            @classmethod
            def fail_late(cls) -> None:
                raise ValueError("late")

            def test_a(self) -> None: ...

        ran = run_classes(Inner)
        self.assertEqual(ran.outcomes, {"test_a": PASSED})
        self.assertEqual([each.failure.message for each in ran.fixtures], ["late"])

    def test_skipped_classes(self) -> None:
        class Inside(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                raise unittest.SkipTest("no weather")

            def test_a(self) -> None: ...

        @unittest.skip("no sun")
        class Decorated(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                raise ValueError("never called")

            def test_b(self) -> None: ...

        ran = run_classes(Inside, Decorated)
        self.assertEqual(ran.outcomes, {"test_a": SKIPPED, "test_b": SKIPPED})
        self.assertEqual(ran.finished["test_a"].reason, "no weather")
        self.assertEqual(ran.finished["test_b"].reason, "no sun")
        self.assertEqual(ran.fixtures, [])
        self.assertTrue(ran.result.wasSuccessful())
        self.assertEqual(len(ran.result.skipped), 2)

    def test_a_skipped_class_whose_base_failed(self) -> None:
        class Base(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                raise ValueError("base")

            def test_a(self) -> None: ...

        @unittest.skip("for a reason")
        class Child(Base):
            def test_b(self) -> None: ...

        ran = run_classes(Base, Child)
        self.assertEqual(ran.finished["test_b"].outcome, SKIPPED)
        self.assertEqual(ran.finished["test_b"].reason, "for a reason")

    def test_a_skip_in_a_tear_down_hides_no_later_failure(self) -> None:
        class First(unittest.TestCase):
            @classmethod
            def tearDownClass(cls) -> None:
                raise unittest.SkipTest("nothing to tear down")

            def test_a(self) -> None: ...

        class Second(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                raise ValueError("really broken")

            def test_b(self) -> None: ...

        ran = run_classes(First, Second)
        self.assertEqual(ran.outcomes, {"test_a": PASSED, "test_b": ERRORED})

    def test_module_fixtures(self) -> None:
        class Inner(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                calls.append("setUpClass")

            def test_a(self) -> None:
                calls.append("test_a")

            def test_b(self) -> None:
                calls.append("test_b")

        class After(unittest.TestCase):
            def test_c(self) -> None: ...

        calls: list[str] = []
        with module_of(
            Inner,
            setUpModule=lambda: calls.append("setUpModule"),
            tearDownModule=lambda: calls.append("tearDownModule"),
        ):
            run_classes(Inner, After)
            self.assertEqual(
                calls, ["setUpModule", "setUpClass", "test_a", "test_b", "tearDownModule"]
            )

        def fail() -> None:
            raise ValueError("no module")

        def skip() -> None:
            raise unittest.SkipTest("no module today")

        with module_of(Inner, setUpModule=fail):
            ran = run_classes(Inner, After)
        self.assertEqual(ran.outcomes, {"test_a": ERRORED, "test_b": ERRORED, "test_c": PASSED})
        self.assertEqual(ran.fixtures[0].fixture, "setUpModule")
        self.assertEqual(ran.fixtures[0].owner, "tests.made_module")
        self.assertEqual(ran.finished["test_b"].failures[0].message, "no module")
        with module_of(Inner, setUpModule=skip):
            ran = run_classes(Inner, After)
        self.assertEqual(ran.outcomes, {"test_a": SKIPPED, "test_b": SKIPPED, "test_c": PASSED})
        self.assertEqual(ran.finished["test_b"].reason, "no module today")
        with module_of(Inner, tearDownModule=fail):
            ran = run_classes(Inner, After)
        self.assertEqual(set(ran.outcomes.values()), {PASSED})
        self.assertEqual([each.fixture for each in ran.fixtures], ["tearDownModule"])

    def test_a_failed_set_up_does_not_reach_into_the_next_stage(self) -> None:
        class Inner(unittest.TestCase):
            fails = True

            @classmethod
            def setUpClass(cls) -> None:
                if cls.fails:
                    cls.fails = False
                    raise ValueError("once")

            def test_a(self) -> None: ...

            def test_b(self) -> None: ...

            test_b.test_type = "http"  # type: ignore[attr-defined]

        ran = run_classes(Inner, keep_going=True)
        self.assertEqual(ran.outcomes, {"test_a": ERRORED, "test_b": PASSED})


class RunTest(unittest.TestCase):
    def setUp(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None: ...

            def test_b(self) -> None:
                self.fail()

            def test_c(self) -> None: ...

        class Later(unittest.TestCase):
            test_type = "http"

            def test_d(self) -> None: ...

        self.inner, self.later = Inner, Later

    def test_events_in_their_order(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None: ...

        ran = run_classes(Inner)
        self.assertEqual(
            [type(event) for event in ran.events],
            [
                RunStarted,
                WorkerStarted,
                StageStarted,
                TestStarted,
                TestFinished,
                StageFinished,
                RunFinished,
            ],
        )
        self.assertEqual(ran.events[0].kinds, {"unit": 1})  # type: ignore[union-attr]
        self.assertTrue(ran.of(RunFinished)[0].successful)
        self.assertEqual(ran.of(RunFinished)[0].stopped_by, "")

    def test_a_failed_stage_stops_the_later_ones(self) -> None:
        prepared: list[str] = []
        ran = run_classes(
            self.inner, self.later, prepare=lambda stage: prepared.append(stage.name)
        )
        self.assertEqual(ran.outcomes["test_d"], Outcome.NOT_RUN)
        self.assertEqual(ran.finished["test_d"].reason, "not run: stage 'unit' failed")
        self.assertEqual(prepared, ["unit"])
        self.assertEqual(len(ran.of(StageStarted)), 1)
        self.assertEqual(ran.of(RunFinished)[0].stopped_by, "stage 'unit' failed")
        ((handle, reason),) = ran.result.not_run
        self.assertEqual((handle.id()[-1], reason), ("d", "not run: stage 'unit' failed"))
        self.assertEqual(ran.result.testsRun, 3)

    def test_keep_going(self) -> None:
        ran = run_classes(self.inner, self.later, keep_going=True)
        self.assertEqual(ran.outcomes["test_d"], PASSED)
        self.assertEqual([event.successful for event in ran.of(StageFinished)], [False, True])
        self.assertFalse(ran.of(RunFinished)[0].successful)

    def test_failfast(self) -> None:
        ran = run_classes(self.inner, self.later, failfast=True, keep_going=True)
        self.assertEqual(
            ran.outcomes,
            {
                "test_a": PASSED,
                "test_b": FAILED,
                "test_c": Outcome.NOT_RUN,
                "test_d": Outcome.NOT_RUN,
            },
        )
        self.assertEqual(ran.finished["test_d"].reason, "not run: --failfast")
        self.assertFalse(ran.run.interrupted)

    def test_failfast_at_fixtures_and_unexpected_successes(self) -> None:
        class FailsEarly(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                raise ValueError

            def test_a(self) -> None: ...

            def test_b(self) -> None: ...

        class Unexpected(unittest.TestCase):
            @unittest.expectedFailure
            def test_a(self) -> None: ...

            def test_b(self) -> None: ...

        ran = run_classes(FailsEarly, failfast=True)
        self.assertEqual(ran.outcomes["test_b"], Outcome.NOT_RUN)
        self.assertEqual(ran.outcomes["test_a"], ERRORED)
        ran = run_classes(Unexpected, failfast=True)
        self.assertEqual(ran.outcomes["test_b"], Outcome.NOT_RUN)

    def test_a_stage_that_cannot_be_prepared(self) -> None:
        events: list[Any] = []

        def prepare(stage: Any) -> None:
            if stage.name != "unit":
                raise OSError("no server\nat all")

        class Passes(unittest.TestCase):
            def test_a(self) -> None: ...

        with self.assertRaisesRegex(OSError, "no server"):
            run_classes(Passes, self.later, prepare=prepare, subscribers=[events.append])
        outcomes = [event for event in events if isinstance(event, TestFinished)]
        self.assertEqual([event.outcome for event in outcomes], [PASSED, Outcome.NOT_RUN])
        self.assertEqual(
            outcomes[1].reason, "not run: stage 'destructive,http' could not start: no server"
        )
        self.assertIsInstance(events[-1], RunFinished)
        self.assertFalse(events[-1].successful)

    def interrupted(self, **places: Any) -> Ran:
        class Inner(unittest.TestCase):
            @classmethod
            def tearDownClass(cls) -> None:
                torn.append("tearDownClass")

            def test_a(self) -> None: ...

            def test_b(self) -> None:
                self.addCleanup(torn.append, "clean-up")
                raise KeyboardInterrupt

            def test_c(self) -> None: ...

        torn: list[str] = []
        self.torn = torn
        return run_classes(Inner, self.later, **places)

    def test_interrupted_in_a_test(self) -> None:
        ran = self.interrupted()
        self.assertEqual(
            ran.outcomes,
            {
                "test_a": PASSED,
                "test_b": ERRORED,
                "test_c": Outcome.NOT_RUN,
                "test_d": Outcome.NOT_RUN,
            },
        )
        self.assertEqual(ran.finished["test_d"].reason, "not run: interrupted")
        self.assertEqual(ran.finished["test_b"].failures[0].type, "KeyboardInterrupt")
        self.assertTrue(ran.run.interrupted)
        self.assertIn("tearDownClass", self.torn)

    def test_no_tests(self) -> None:
        ran = run_classes()
        self.assertEqual(
            [type(event) for event in ran.events], [RunStarted, WorkerStarted, RunFinished]
        )
        self.assertTrue(ran.of(RunFinished)[0].successful)

    def test_companion_is_told_what_unittest_would_tell_it(self) -> None:
        class Companion(unittest.TestResult):
            def __init__(self) -> None:
                super().__init__()
                self.calls: list[str] = []

            def __getattribute__(self, name: str) -> Any:
                if name.startswith(("add", "start", "stop")) and name != "stop":
                    calls.append(name)
                return super().__getattribute__(name)

        calls: list[str] = []
        companion = Companion()
        run_classes(self.inner, companion=companion)
        self.assertEqual(companion.testsRun, 3)
        self.assertEqual(len(companion.failures), 1)
        self.assertEqual(
            [name for name in calls if name != "addDuration"],
            [
                "startTest",
                "addSuccess",
                "stopTest",
                "startTest",
                "addFailure",
                "stopTest",
                "startTest",
                "addSuccess",
                "stopTest",
            ],
        )

    def test_debugger_is_called_for_errors_and_failures(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None:
                self.fail("a")

            def test_b(self) -> None:
                with self.subTest():
                    raise ValueError("b")

            def test_c(self) -> None:
                self.skipTest("c")

            @unittest.expectedFailure
            def test_d(self) -> None:
                self.fail("d")

        debug = mock.Mock()
        run_classes(Inner, on_failure=debug)
        self.assertEqual([str(call.args[0][1]) for call in debug.call_args_list], ["a", "b"])


INTERRUPTED_TESTS = """
    import os, signal, time, unittest
    from django.test import TestCase
    from app.models import Thing

    class Rows(TestCase):
        def test_a(self):
            Thing.objects.create(name="a")
        def test_b(self):
            for _ in range(int(os.environ["SIGNALS"])):
                os.kill(os.getpid(), signal.SIGINT)
        def test_c(self):
            self.fail("not to be run")
"""
FILE_DATABASE = """
    DATABASES["default"]["TEST"] = {"NAME": str(BASE_DIR / "test.sqlite3")}
"""


class InterruptTest(unittest.TestCase):
    def interrupted(self, signals: int) -> tuple[InnerProject, Any]:
        project = inner_project(self, INTERRUPTED_TESTS, FILE_DATABASE)
        outcome = project.test("-v2", "--junit=junit.xml", environment={"SIGNALS": str(signals)})
        self.assertEqual(outcome.returncode, 130, outcome.output)
        self.assertIn("test_c", project.verdicts())
        self.assertEqual(project.verdicts()["test_c"], "skipped")
        (message,) = {each.get("message") for each in project.xml().iter("skipped")}
        self.assertEqual(message, "not run: interrupted")
        self.assertFalse((project.folder / "test.sqlite3").exists())
        self.assertNotIn('Traceback (most recent call last):\n  File "manage.py"', outcome.stderr)
        return project, outcome

    def test_first_time(self) -> None:
        """The test that is running comes to its end."""
        project, outcome = self.interrupted(1)
        self.assertEqual(
            project.verdicts(), {"test_a": "passed", "test_b": "passed", "test_c": "skipped"}
        )
        self.assertIn("not run: interrupted", outcome.stderr)
        self.assertIn("FAILED (not run=1)", outcome.stderr)

    def test_second_time(self) -> None:
        """The test that is running is cut off."""
        project, _ = self.interrupted(2)
        self.assertEqual(
            project.verdicts(), {"test_a": "passed", "test_b": "error", "test_c": "skipped"}
        )

    def test_while_a_database_is_made(self) -> None:
        migration = """
            import os, signal
            from django.db import migrations, models

            def interrupt(apps, schema_editor):
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

            class Migration(migrations.Migration):
                operations = [
                    migrations.CreateModel("Thing", [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("name", models.CharField(max_length=50)),
                    ]),
                    migrations.RunPython(interrupt),
                ]
        """
        files = {"app/migrations/__init__.py": "", "app/migrations/0001_initial.py": migration}
        project = inner_project(self, INTERRUPTED_TESTS, FILE_DATABASE, **files)
        outcome = project.test("--junit=junit.xml", environment={"SIGNALS": "0"})
        # By the signal, as Python does it, or by its number.
        self.assertIn(outcome.returncode, (130, -signal.SIGINT), outcome.output)
        self.assertEqual(set(project.verdicts().values()), {"skipped"})
        self.assertFalse((project.folder / "test.sqlite3").exists())


OWN_RUNNER = """
    import unittest
    from sanerunner import SaneRunner

    class Result(unittest.TextTestResult):
        def startTest(self, test):
            super().startTest(test)
            self.stream.writeln(f"own: {test._testMethodName}")

    class OwnResult(SaneRunner):
        def get_resultclass(self):
            return Result

    class Quiet(unittest.TextTestRunner):
        def run(self, test):
            print(f"quiet: {test.countTestCases()} tests")
            return super().run(test)

    class OwnTestRunner(SaneRunner):
        test_runner = Quiet

        def get_test_runner_kwargs(self):
            return {**super().get_test_runner_kwargs(), "descriptions": False}

        def suite_result(self, suite, result, **kwargs):
            print(f"bad: {len(result.failures)} of {result.testsRun}")
            return super().suite_result(suite, result, **kwargs)

    class OwnDatabases(SaneRunner):
        def setup_databases(self, **kwargs):
            print("before databases")
            made = super().setup_databases(**kwargs)
            print("after databases")
            return made

        def teardown_databases(self, old_config, **kwargs):
            super().teardown_databases(old_config, **kwargs)
            print("databases gone")

        def run_checks(self, databases):
            print("checks:", sorted(databases))
            super().run_checks(databases)

        def get_test_runner_kwargs(self):
            return {**super().get_test_runner_kwargs(), "verbosity": 2}

    class StockDatabases(SaneRunner):
        def setup_databases(self, **kwargs):
            from django.test.runner import DiscoverRunner
            return DiscoverRunner.setup_databases(self, **kwargs)

    class NoDatabases(SaneRunner):
        def setup_databases(self, **kwargs): pass
        def teardown_databases(self, old_config, **kwargs): pass
"""
OWN_TESTS = """
    import unittest
    from django.test import TestCase
    from app.models import Thing

    class Plain(unittest.TestCase):
        def test_a(self):
            '''A docstring.'''
        def test_b(self): pass

    class Rows(TestCase):
        def test_c(self):
            Thing.objects.create(name="c")
            self.fail("on purpose")
"""


class SubclassTest(unittest.TestCase):
    def run_with(self, name: str, *arguments: str) -> Any:
        project = inner_project(self, OWN_TESTS, **{"app/runners.py": OWN_RUNNER})
        outcome = project.test(f"--testrunner=app.runners.{name}", "--junit=junit.xml", *arguments)
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertEqual(
            project.verdicts(), {"test_a": "passed", "test_b": "passed", "test_c": "failure"}
        )
        return outcome

    def test_own_result_class(self) -> None:
        outcome = self.run_with("OwnResult")
        for name in ("test_a", "test_b", "test_c"):
            self.assertIn(f"own: {name}\n", outcome.stderr)
        self.assertEqual(outcome.stderr.count("Ran 3 tests"), 1)
        self.assertEqual(outcome.stderr.count("AssertionError: on purpose"), 1)
        self.assertIn("FAILED (failures=1)", outcome.stderr)

    def test_own_test_runner(self) -> None:
        outcome = self.run_with("OwnTestRunner", "-v2")
        self.assertIn("quiet: 3 tests\n", outcome.stdout)
        self.assertIn("bad: 1 of 3\n", outcome.stdout)
        self.assertIn("test_a (app.tests.Plain", outcome.stderr)
        self.assertNotIn("A docstring.", outcome.stderr)

    def test_own_methods_around_databases(self) -> None:
        outcome = self.run_with("OwnDatabases")
        told = [line for line in outcome.stdout.splitlines() if ":" in line or "data" in line]
        self.assertEqual(
            told,
            [
                "before databases",
                "after databases",
                "checks: ['default']",
                "checks: ['default']",
                "databases gone",
            ],
        )
        self.assertIn("... ok\n", outcome.stderr)

    def test_databases_made_by_django(self) -> None:
        outcome = self.run_with("StockDatabases")
        self.assertEqual(outcome.stderr.count("Creating test database"), 1, outcome.output)
        self.assertEqual(outcome.stderr.count("Destroying test database"), 1, outcome.output)

    def test_a_subclass_that_wants_no_databases_gets_them_when_tests_do(self) -> None:
        outcome = self.run_with("NoDatabases")
        self.assertEqual(outcome.stderr.count("Creating test database"), 1, outcome.output)


OPTION_TESTS = """
    import sys, unittest
    from django.conf import settings
    from django.test import TestCase
    from app.models import Thing

    class Plain(unittest.TestCase):
        def test_debug(self):
            print(f"DEBUG is {settings.DEBUG}")

    class Rows(TestCase):
        def test_passes(self):
            print("from the passing test")
            Thing.objects.create(name="passing")
        def test_fails(self):
            print("from the failing test")
            Thing.objects.create(name="failing")
            self.fail("on purpose")
"""


class OptionsTest(unittest.TestCase):
    def test_debug_as_the_settings_have_it(self) -> None:
        project = inner_project(self, OPTION_TESTS, 'DEBUG = True\nSANERUNNER = {"DEBUG": "keep"}')
        label = "app.tests.Plain"
        self.assertIn("DEBUG is True", project.test(label).stdout)
        project.write("more.py", "from settings import *\nSANERUNNER = {}")
        self.assertIn("DEBUG is False", project.test(label, "--settings=more").stdout)
        outcome = project.test(label, "--settings=more", "--debug-mode")
        self.assertIn("DEBUG is True", outcome.stdout)

    def test_what_django_documents(self) -> None:
        project = inner_project(self, OPTION_TESTS)
        arguments = ["--debug-sql", "--buffer", "--timing", "--durations=0", "app.tests.Rows"]
        quiet = project.test(*arguments)
        verbose = project.test(*arguments, "-v2")
        for outcome in (quiet, verbose):
            self.assertEqual(outcome.returncode, 1, outcome.output)
            self.assertIn("Total run took", outcome.output)
            self.assertIn("Slowest test durations", outcome.stderr)
            self.assertIn("INSERT INTO", outcome.stderr)
            self.assertIn("'failing'", outcome.stderr)
            self.assertIn("from the failing test", outcome.stderr)
            self.assertNotIn("from the passing test", outcome.output)
        self.assertNotIn("'passing'", quiet.stderr)
        self.assertIn("'passing'", verbose.stderr)
        self.assertRegex(verbose.stderr, r"\d\.\d{3}s +test_passes \(app\.tests\.Rows")

    def test_debuggers(self) -> None:
        tests = (
            OPTION_TESTS
            + """
        def test_breakpoint(self):
            print("hidden until the debugger comes")
            breakpoint()
        """
        )
        project = inner_project(self, tests)
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "error",
                "manage.py",
                "test",
                "--pdb",
                "app.tests.Rows.test_fails",
            ],
            cwd=project.folder,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            input="p 6 * 7\nc\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertIn("Opening PDB: AssertionError('on purpose')", done.stdout)
        self.assertIn("42", done.stdout)
        self.assertEqual(done.returncode, 1)
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "error",
                "manage.py",
                "test",
                "--buffer",
                "app.tests.Rows.test_breakpoint",
            ],
            cwd=project.folder,
            env={"PYTHONPATH": str(ROOT), "PATH": ""},
            input="p 6 * 7\nc\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertIn("42", done.stdout)
        self.assertEqual(done.returncode, 0, done.stderr)
