"""The plugin interface: what is a valid plugin, and when its hooks are called."""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Iterator
from typing import Any

from sanerunner import Plugin
from sanerunner.eventbus import EventBus
from sanerunner.events import Outcome, RunFinished
from sanerunner.exceptions import UsageError
from sanerunner.pluginloading import load_plugins, validate
from sanerunner.plugins import (
    HOOKS,
    SCOPES,
    PluginManager,
    missing_plugins,
    missing_reason,
)

from .support.projects import inner_project
from .support.running import run_classes

THIS = __name__


class Fine(Plugin):
    name = "fine"
    answer = 42

    def test_setup(self) -> None:
        self._helper()

    def report(self, summary: Any, extra: int = 0) -> None: ...

    def _helper(self) -> None: ...

    @property
    def something(self) -> int:
        return 1


class FineToo(Fine):
    """Adds nothing, and is checked with what it inherits."""


class WrongName(Plugin):
    def test_set_up(self, test: Any) -> None: ...


class WrongArgument(Plugin):
    def test_setup(self, tests: Any) -> None: ...


class InheritsWrongName(WrongName): ...


class NoSelf(Plugin):
    def test_setup() -> None: ...  # type: ignore[misc]


class Asynchronous(Plugin):
    async def test_setup(self, test: Any) -> None: ...


class NoMethod(Plugin):
    report = None  # type: ignore[assignment]


class Raises(Plugin):
    def __init__(self) -> None:
        raise RuntimeError("not today")


class NeedsArguments(Plugin):
    def __init__(self, colour: str) -> None: ...


class Recording(Plugin):
    """Writes down each call; raises in the hook named by ``fails``."""

    def __init__(self, label: str, calls: list[str], fails: str = "") -> None:
        self._label = label
        self._calls = calls
        self._fails = fails

    def _record(self, hook: str) -> None:
        self._calls.append(f"{self._label} {hook}")
        if hook == self._fails:
            raise RuntimeError(f"{self._label} {hook}")

    def worker_setup(self, worker: int) -> None:
        self._record(f"worker_setup {worker}")

    def worker_teardown(self, worker: int) -> None:
        self._record(f"worker_teardown {worker}")

    def stage_setup(self, stage: str) -> None:
        self._record(f"stage_setup {stage}")

    def stage_teardown(self, stage: str) -> None:
        self._record(f"stage_teardown {stage}")

    def class_setup(self, test_class: type) -> None:
        self._record("class_setup")

    def class_teardown(self, test_class: type) -> None:
        self._record("class_teardown")

    def test_setup(self, test: unittest.TestCase) -> None:
        self._record("test_setup")

    def test_teardown(self, test: unittest.TestCase) -> None:
        self._record("test_teardown")


class LoadingTest(unittest.TestCase):
    def assert_refused(self, path: str, *parts: str) -> None:
        with self.assertRaises(UsageError) as caught:
            load_plugins([path])
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        for part in (path, *parts):
            self.assertIn(part, message)

    def test_good_plugins(self) -> None:
        plugins = load_plugins([f"{THIS}.Fine", f"{THIS}.FineToo"])
        self.assertEqual([type(plugin) for plugin in plugins], [Fine, FineToo])
        self.assertEqual(load_plugins([]), [])

    def test_paths_that_cannot_be_imported(self) -> None:
        self.assert_refused("no.such.module", "cannot be imported", "No module named 'no'")
        self.assert_refused(f"{THIS}.Missing", 'does not define a "Missing"')
        self.assert_refused("nodots", "doesn't look like a module path")
        self.assert_refused("", "cannot be imported")

    def test_module_that_raises(self) -> None:
        import sys
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "a_plugin_that_raises.py").write_text("1 / 0", encoding="utf-8")
            sys.path.insert(0, folder)
            self.addCleanup(sys.path.remove, folder)
            self.assert_refused("a_plugin_that_raises.Plugin", "ZeroDivisionError")

    def test_what_is_no_plugin(self) -> None:
        for name in ("LoadingTest", "THIS", "run_classes"):
            self.assert_refused(f"{THIS}.{name}", "is not a subclass of sanerunner.Plugin")

    def test_wrong_hook_name_lists_the_hooks(self) -> None:
        for name in ("WrongName", "InheritsWrongName"):
            self.assert_refused(
                f"{THIS}.{name}",
                "unknown hook 'test_set_up' (did you mean 'test_setup'?)",
                *HOOKS,
            )

    def test_wrong_signature(self) -> None:
        self.assert_refused(
            f"{THIS}.WrongArgument", "test_setup() takes 'tests', but the hook is test_setup(test)"
        )
        self.assert_refused(f"{THIS}.NoSelf", "test_setup()")

    def test_hook_that_would_never_be_awaited(self) -> None:
        self.assert_refused(f"{THIS}.Asynchronous", "test_setup()")

    def test_hook_that_is_no_method(self) -> None:
        self.assert_refused(f"{THIS}.NoMethod", "report")

    def test_class_that_cannot_be_made(self) -> None:
        self.assert_refused(f"{THIS}.Raises", "RuntimeError: not today")
        self.assert_refused(f"{THIS}.NeedsArguments", "TypeError")

    def test_hooks_are_documented(self) -> None:
        for name in HOOKS:
            self.assertTrue(inspect.getdoc(getattr(Plugin, name)), name)
        for scope in SCOPES:
            self.assertLessEqual({f"{scope}_setup", f"{scope}_teardown"}, HOOKS.keys())

    def test_other_members_are_free(self) -> None:
        class Inner(Plugin):
            Thing = int

            @staticmethod
            def _helper() -> None: ...

        validate(Inner, "Inner")


class ManagerTest(unittest.TestCase):
    def setUp(self) -> None:
        self.calls: list[str] = []

    def test_order_and_reverse_order(self) -> None:
        manager = PluginManager([Recording(label, self.calls) for label in "abc"])
        teardowns = manager.set_up("test", test=self)
        self.assertEqual(self.calls, ["a test_setup", "b test_setup", "c test_setup"])
        self.calls.clear()
        for teardown in teardowns:
            teardown(test=self)
        self.assertEqual(self.calls, ["c test_teardown", "b test_teardown", "a test_teardown"])

    def test_partial_set_up_is_torn_down(self) -> None:
        plugins = [Recording(label, self.calls) for label in "ab"]
        failing = Recording("c", self.calls, fails="test_setup")
        manager = PluginManager([*plugins, failing, Recording("d", self.calls)])
        with self.assertRaisesRegex(RuntimeError, "c test_setup"):
            manager.set_up("test", test=self)
        self.assertEqual(
            self.calls,
            ["a test_setup", "b test_setup", "c test_setup", "b test_teardown", "a test_teardown"],
        )

    def test_tear_down_that_raises_keeps_no_other_from_its_own(self) -> None:
        manager = PluginManager(
            [
                Recording("a", self.calls),
                Recording("b", self.calls, fails="test_teardown"),
                Recording("c", self.calls, fails="test_setup"),
            ]
        )
        with self.assertRaisesRegex(RuntimeError, "b test_teardown"):
            manager.set_up("test", test=self)
        self.assertEqual(self.calls[-2:], ["b test_teardown", "a test_teardown"])

    def test_set_up_without_tear_down_and_the_reverse(self) -> None:
        calls = self.calls

        class OnlySetUp(Plugin):
            def test_setup(self, test: Any) -> None:
                calls.append("set up")

        class OnlyTearDown(Plugin):
            def test_teardown(self, test: Any) -> None:
                calls.append("tear down")

        manager = PluginManager([OnlySetUp(), OnlyTearDown()])
        for teardown in manager.set_up("test", test=self):
            teardown(test=self)
        self.assertEqual(calls, ["set up", "tear down"])

    def test_fewer_arguments(self) -> None:
        calls = self.calls

        class Spare(Plugin):
            def configure(self, options: dict[str, Any]) -> None:
                calls.append(f"configure {options}")

            def test_setup(self) -> None:
                calls.append("test_setup")

            def stage_setup(self, **arguments: Any) -> None:
                calls.append(f"stage_setup {arguments}")

            def class_setup(self, test_class: type, extra: int = 3) -> None:
                calls.append(f"class_setup {test_class.__name__} {extra}")

            def handle_event(self) -> None:
                calls.append("handle_event")

        manager = PluginManager([Spare()])
        manager.call("configure", config=None, options={"a": 1})
        manager.set_up("test", test=self)
        manager.set_up("stage", stage="unit")
        manager.set_up("class", test_class=type(self))
        for handler in manager.event_handlers():
            handler(RunFinished(True, 0.0))
        self.assertEqual(
            calls,
            [
                "configure {'a': 1}",
                "test_setup",
                "stage_setup {'stage': 'unit'}",
                "class_setup ManagerTest 3",
                "handle_event",
            ],
        )

    def test_only_overridden_hooks_are_called(self) -> None:
        self.assertEqual(PluginManager([Plugin(), FineToo()]).event_handlers(), [])

    def test_active_names(self) -> None:
        manager = PluginManager([Fine(), Plugin()])
        self.assertEqual(manager.names, {"fine"})
        self.assertEqual(missing_plugins(["fine"]), ["fine"])
        with manager.active():
            self.assertEqual(missing_plugins(["fine", "coarse"]), ["coarse"])
            with PluginManager([]).active():
                self.assertEqual(missing_plugins(["fine"]), ["fine"])
            self.assertEqual(missing_plugins(["fine"]), [])
        self.assertEqual(missing_plugins(["fine"]), ["fine"])
        self.assertEqual(missing_reason(["a"]), "requires the sanerunner plugin a")
        self.assertEqual(missing_reason(["a", "b"]), "requires the sanerunner plugins a, b")

    def test_one_name_may_stand_alone(self) -> None:
        self.assertEqual(missing_plugins("fine"), ["fine"])


class AroundTestsTest(unittest.TestCase):
    """Hooks around the tests of a run in this process."""

    def setUp(self) -> None:
        self.calls: list[str] = []
        calls = self.calls

        class Inner(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                calls.append("setUpClass")

            @classmethod
            def tearDownClass(cls) -> None:
                calls.append("tearDownClass")

            def setUp(self) -> None:
                calls.append("setUp")
                self.addCleanup(calls.append, "cleanup")

            def test_a(self) -> None:
                calls.append("test_a")

            def test_b(self) -> None:
                calls.append("test_b")

        self.inner = Inner

    def test_order(self) -> None:
        ran = run_classes(self.inner, plugins=[Recording("p", self.calls)])
        self.assertTrue(ran.result.wasSuccessful())
        self.assertEqual(
            self.calls,
            [
                "p worker_setup 0",
                "p stage_setup unit",
                "p class_setup",
                "setUpClass",
                "p test_setup",
                "setUp",
                "test_a",
                "cleanup",
                "p test_teardown",
                "p test_setup",
                "setUp",
                "test_b",
                "cleanup",
                "p test_teardown",
                "tearDownClass",
                "p class_teardown",
                "p stage_teardown unit",
                "p worker_teardown 0",
            ],
        )

    def test_hooks_of_a_test_that_raise_error_that_test(self) -> None:
        for hook in ("test_setup", "test_teardown"):
            with self.subTest(hook):
                self.calls.clear()
                ran = run_classes(self.inner, plugins=[Recording("p", self.calls, fails=hook)])
                self.assertEqual(set(ran.outcomes.values()), {Outcome.ERRORED})
                (failure,) = ran.finished["test_a"].failures
                self.assertEqual((failure.type, failure.message), ("RuntimeError", f"p {hook}"))
                self.assertEqual("test_a" in self.calls, hook == "test_teardown")

    def test_class_setup_that_raises_errors_the_tests(self) -> None:
        plugins = [Recording("a", self.calls), Recording("b", self.calls, fails="class_setup")]
        ran = run_classes(self.inner, plugins=plugins)
        self.assertEqual(set(ran.outcomes.values()), {Outcome.ERRORED})
        (fixture,) = ran.fixtures
        self.assertEqual((fixture.fixture, fixture.before_tests), ("setUpClass", True))
        self.assertEqual(ran.finished["test_a"].failures, (fixture.failure,))
        self.assertNotIn("setUpClass", self.calls)
        self.assertNotIn("tearDownClass", self.calls)
        self.assertIn("a class_teardown", self.calls)

    def test_class_teardown_that_raises_is_told_of(self) -> None:
        plugins = [Recording("a", self.calls), Recording("b", self.calls, fails="class_teardown")]
        ran = run_classes(self.inner, plugins=plugins)
        self.assertEqual(set(ran.outcomes.values()), {Outcome.PASSED})
        self.assertEqual([each.fixture for each in ran.fixtures], ["tearDownClass"])
        self.assertFalse(ran.result.wasSuccessful())
        self.assertIn("a class_teardown", self.calls)

    def test_skip_in_hooks(self) -> None:
        class Skips(Plugin):
            def __init__(self, scope: str) -> None:
                self._scope = scope

            def class_setup(self) -> None:
                if self._scope == "class":
                    raise unittest.SkipTest("no class today")

            def test_setup(self, test: unittest.TestCase) -> None:
                if self._scope == "test" and test.id().endswith("test_a"):
                    raise unittest.SkipTest("no test today")

        ran = run_classes(self.inner, plugins=[Skips("class")])
        self.assertEqual(set(ran.outcomes.values()), {Outcome.SKIPPED})
        self.assertEqual(ran.finished["test_b"].reason, "no class today")
        self.assertTrue(ran.result.wasSuccessful())
        ran = run_classes(self.inner, plugins=[Skips("test")])
        self.assertEqual(ran.outcomes, {"test_a": Outcome.SKIPPED, "test_b": Outcome.PASSED})
        self.assertEqual(ran.finished["test_a"].reason, "no test today")

    def test_stage_setup_that_raises_leaves_no_test_without_verdict(self) -> None:
        events: list[Any] = []
        with self.assertRaisesRegex(RuntimeError, "p stage_setup unit"):
            run_classes(
                self.inner,
                plugins=[Recording("p", self.calls, fails="stage_setup unit")],
                subscribers=[events.append],
            )
        outcomes = [event.outcome for event in events if hasattr(event, "outcome")]
        self.assertEqual(outcomes, [Outcome.NOT_RUN] * 2)
        self.assertFalse(events[-1].successful)
        self.assertEqual(events[-1].stopped_by, "stage 'unit' could not start: p stage_setup unit")

    def test_stage_teardown_that_raises_ends_the_stage_all_the_same(self) -> None:
        events: list[Any] = []
        plugins = [
            Recording("a", self.calls),
            Recording("b", self.calls, fails="stage_teardown unit"),
        ]
        with self.assertRaisesRegex(RuntimeError, "b stage_teardown unit"):
            run_classes(self.inner, plugins=plugins, subscribers=[events.append])
        self.assertEqual(
            [type(event).__name__ for event in events[-2:]], ["StageFinished", "RunFinished"]
        )
        self.assertIn("a stage_teardown unit", self.calls)
        self.assertIn("a worker_teardown 0", self.calls)
        self.assertFalse(events[-1].successful)


class EventBusTest(unittest.TestCase):
    def test_a_subscriber_that_raises_starves_no_other(self) -> None:
        seen: list[Any] = []

        class Broken:
            def handle(self, event: Any) -> None:
                seen.append("broken")
                raise ValueError("cannot")

        bus = EventBus()
        bus.subscribe(Broken().handle)
        bus.subscribe(seen.append)
        event = RunFinished(True, 0.0)
        bus.emit(event)
        bus.emit(event)
        self.assertEqual(seen, ["broken", event, event])
        (error,) = bus.errors
        self.assertIn(f"{THIS}.EventBusTest", error)
        self.assertIn("Broken failed on RunFinished and was left out of the rest", error)
        self.assertIn("ValueError: cannot", error)


PLUGIN = """
    from pathlib import Path
    from sanerunner import Plugin
    from sanerunner.events import TestFinished

    class Shout(Plugin):
        name = "shout"

        def add_arguments(self, parser):
            parser.add_argument("--shout", default="quietly", help="How loudly to tell.")

        def configure(self, config, options):
            self._how = options["shout"]
            self._kinds = config.select
            self._seen = []

        def modify_collection(self, tests):
            tests[:] = [test for test in tests if "unwanted" not in test.id()]

        def handle_event(self, event):
            if isinstance(event, TestFinished):
                self._seen.append(f"{event.test.method_name}={event.outcome}")

        def report(self, summary):
            text = f"{self._how}: {', '.join(self._seen)}; {summary.tests_run} run"
            Path("shout.txt").write_text(text)

    class Breaks(Plugin):
        def handle_event(self, event):
            raise ValueError("broken ear")

    class BreaksReport(Plugin):
        def report(self):
            raise ValueError("broken mouth")
"""
TESTS = """
    import unittest

    class Plain(unittest.TestCase):
        required_sane_plugins = ["shout"]

        def test_wanted(self): pass
        def test_unwanted(self): self.fail()

        def test_needs_more(self): self.fail()
        test_needs_more.required_sane_plugins = ["shout", "whisper"]
"""


class ProjectTest(unittest.TestCase):
    def told(self, plugins: list[str], *arguments: str) -> Iterator[Any]:
        settings = f'SANERUNNER = {{"PLUGINS": {[f"app.plugins.{name}" for name in plugins]}}}'
        project = inner_project(self, TESTS, settings, **{"app/plugins.py": PLUGIN})
        outcome = project.test("--select=unit", *arguments)
        yield outcome
        told = project.folder / "shout.txt"
        yield told.read_text(encoding="utf-8") if told.exists() else ""

    def test_a_plugin_in_a_project(self) -> None:
        outcome, told = self.told(["Shout"], "--shout=loudly")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("OK (skipped=1)", outcome.stderr)
        self.assertEqual(told, "loudly: test_needs_more=skipped, test_wanted=passed; 2 run")

    def test_plugins_that_raise_fail_the_run_and_starve_no_other(self) -> None:
        outcome, told = self.told(["Breaks", "BreaksReport", "Shout"])
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertEqual(told, "quietly: test_needs_more=skipped, test_wanted=passed; 2 run")
        self.assertIn("app.plugins.Breaks failed on RunStarted", outcome.stderr)
        self.assertIn("broken ear", outcome.stderr)
        self.assertIn("broken mouth", outcome.stderr)
        self.assertIn("Ran 2 tests", outcome.stderr)
