"""Retries in inner projects: one process and several, verdicts, exit status, report."""

from __future__ import annotations

import signal
import tempfile
import unittest
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

from sanerunner.execution.scheduling import Schedule

from ..support.projects import InnerProject, Outcome, inner_project
from ..support.services import require_mariadb, require_postgresql
from .test_runs import started, wait_for
from .test_scheduling import unit

FILES = {
    "app/plugin.py": """
from sanerunner import Plugin

class Choosy(Plugin):
    def should_retry(self, event):
        return event.test.method_name != "test_refused"

    def class_setup(self, test_class):
        with open(f"{test_class.__name__}.hooks", "a") as file:
            file.write("class\\n")
""",
    "app/tests/__init__.py": "",
    "app/tests/tests_flaky.py": """
import os, sys, time, unittest
from django.test import TestCase
from app.models import Thing
from sanerunner.cases import DestructiveDatabaseTestCase

def tries(name):
    with open(f"{name}.tries", "a") as file:
        file.write(f"{os.getpid()}\\n")
    with open(f"{name}.tries") as file:
        return len(file.readlines())

class Flaky(unittest.TestCase):
    @classmethod
    def setUpClass(cls): tries("Flaky.setUpClass")

    def test_flaky(self):
        print("attempt", tries("flaky"))
        self.assertGreater(tries("flaky"), 3, "too early")

    def test_pass(self): tries("pass")

class Plain(unittest.TestCase):
    def test_always(self):
        raise ValueError(f"attempt {tries('always')}")

    def test_never_again(self): self.fail(str(tries("never_again")))
    test_never_again.sane_retries = 0

    def test_refused(self): self.fail(str(tries("refused")))

class SetUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if tries("SetUp") < 2: raise ValueError("not set up")
    def test_a(self): ...
    def test_b(self): ...

class InTransaction(TestCase):
    @classmethod
    def setUpTestData(cls): cls.thing = Thing.objects.create(name="class")
    def test_rows(self):
        self.assertEqual(Thing.objects.count(), 1)
        Thing.objects.create(name="a")
        self.assertGreater(tries("rows"), 1)

class Rewound(DestructiveDatabaseTestCase):
    @classmethod
    def setUpTestData(cls): cls.thing = Thing.objects.create(name="class")
    def test_committed(self):
        self.assertEqual(Thing.objects.count(), 1)
        Thing.objects.create(name="a")
        self.assertGreater(tries("committed"), 1)
    def test_other(self): self.assertEqual(Thing.objects.count(), 1)

class Hangs(unittest.TestCase):
    sane_timeout = 1
    def test_hangs_once(self):
        if tries("hangs") < 2: time.sleep(100)
""",
}
DEATHS = """
import os, unittest
from .tests_flaky import tries

class Dies(unittest.TestCase):
    @classmethod
    def setUpClass(cls): ...

    def test_a_dies_once(self):
        if tries("dies") < 2: os._exit(3)

    def test_survives(self): ...

class AlwaysDies(unittest.TestCase):
    def test_dies(self):
        tries("always dies")
        os._exit(3)
"""
SETTINGS = """
SANERUNNER = {"KEEP_GOING": True, "RETRIES": 2, "PLUGINS": ["app.plugin.Choosy"]}
"""


class RetriesContract(unittest.TestCase):
    arguments: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[dict[str, str]] = {}
    outcome: ClassVar[Outcome]
    project: ClassVar[InnerProject]
    cases: ClassVar[dict[str, ElementTree.Element]]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="retries-")
        cls.addClassCleanup(folder.cleanup)
        cls.project = InnerProject(Path(folder.name), {**FILES, **cls.files}, SETTINGS)
        cls.outcome = cls.project.test(
            "--pattern=tests_*.py", "--junit=junit.xml", "-v2", *cls.arguments
        )
        cls.cases = {case.get("name", ""): case for case in cls.project.xml().iter("testcase")}

    def tries(self, name: str) -> list[str]:
        return (self.project.folder / f"{name}.tries").read_text().splitlines()

    def tags(self, name: str) -> list[str]:
        self.assertIn(name, self.cases, self.outcome.output)
        return [child.tag for child in self.cases[name] if not child.tag.startswith("system-")]

    def test_a_flaky_test(self) -> None:
        self.assertEqual(self.tags("test_flaky"), ["flakyFailure"], self.outcome.output)
        (attempt,) = self.cases["test_flaky"].findall("flakyFailure")
        self.assertEqual(attempt.get("type"), "AssertionError")
        self.assertIn("too early", attempt.get("message", ""))
        self.assertIn("tests_flaky.py", attempt.findtext("stackTrace", ""))
        self.assertEqual(attempt.findtext("system-out", "").strip(), "attempt 1")
        self.assertEqual(self.cases["test_flaky"].findtext("system-out", "").strip(), "attempt 3")
        self.assertRegex(
            self.outcome.stderr,
            r"\n  test_flaky \(.*\) in attempt 2; first AssertionError: 2 not greater than 3",
        )
        self.assertRegex(
            self.outcome.stderr, r"test_flaky \(.*\) \.\.\. (attempt 1\n)?FAIL, to be retried"
        )
        self.assertEqual(self.tags("test_pass"), [])
        self.assertEqual(len(self.tries("pass")), 1)

    def test_the_class_is_set_up_anew_with_its_hooks(self) -> None:
        self.assertEqual(len(self.tries("Flaky.setUpClass")), 2)
        hooks = (self.project.folder / "Flaky.hooks").read_text().split()
        self.assertEqual(hooks, ["class", "class"])

    def test_a_test_that_fails_in_all_attempts(self) -> None:
        self.assertEqual(self.tags("test_always"), ["error", "rerunFailure", "rerunFailure"])
        self.assertEqual(len(self.tries("always")), 3)
        messages = [child.get("message") for child in self.cases["test_always"]]
        self.assertEqual(messages, ["attempt 1", "attempt 2", "attempt 3"])

    def test_what_is_not_retried(self) -> None:
        for name in ("never_again", "refused"):
            self.assertEqual(self.tags(f"test_{name}"), ["failure"])
            self.assertEqual(len(self.tries(name)), 1)

    def test_a_set_up_that_fails_once(self) -> None:
        self.assertEqual(len(self.tries("SetUp")), 2)
        for name in ("test_a", "test_b"):
            self.assertEqual(self.tags(name), ["flakyFailure"])
        self.assertNotIn("ERROR: setUpClass", self.outcome.stderr)

    def test_databases(self) -> None:
        for name in ("test_rows", "test_committed"):
            self.assertEqual(self.tags(name), ["flakyFailure"], self.outcome.output)
        self.assertEqual(self.tags("test_other"), [])

    def test_a_test_that_hangs_once(self) -> None:
        self.assertEqual(self.tags("test_hangs_once"), ["flakyFailure"], self.outcome.output)
        (attempt,) = self.cases["test_hangs_once"].findall("flakyFailure")
        self.assertEqual(attempt.get("type"), "TestTimeout")

    #: How many tests fail for good, and how many are flaky.
    counts: ClassVar[str] = "failures=2, errors=1, flaky=6"

    def test_totals(self) -> None:
        self.assertEqual(self.outcome.returncode, 1)
        self.assertIn(f"FAILED ({self.counts})", self.outcome.stderr)


class WorkerRetriesContract(RetriesContract):
    files = {"app/tests/tests_deaths.py": DEATHS}
    counts = "failures=2, errors=2, flaky=7"

    def test_a_worker_that_dies(self) -> None:
        self.assertEqual(self.tags("test_a_dies_once"), ["flakyFailure"], self.outcome.output)
        self.assertEqual(len(self.tries("dies")), 2)
        self.assertEqual(self.tags("test_dies"), ["error", "rerunFailure", "rerunFailure"])
        self.assertEqual(len(set(self.tries("always dies"))), 3)


class SerialTest(RetriesContract):
    pass


class ForkTest(WorkerRetriesContract):
    arguments = ("--parallel=2", "--start-method=fork")


class SpawnTest(WorkerRetriesContract):
    arguments = ("--parallel=2", "--start-method=spawn")


class ExitStatusTest(unittest.TestCase):
    TESTS = """
import unittest
class A(unittest.TestCase):
    tries = []
    def test_flaky(self):
        self.tries.append(1)
        self.assertGreater(len(self.tries), 1)
    def test_passes(self): ...
"""

    def test_flaky_tests_fail_no_run_unless_asked(self) -> None:
        project = inner_project(self, self.TESTS)
        failed = project.test()
        flaky = project.test("--retries=1")
        asked = project.test("--retries=1", "--fail-on-flaky")
        self.assertEqual(failed.returncode, 1, failed.output)
        self.assertEqual(flaky.returncode, 0, flaky.output)
        self.assertIn("\nOK (flaky=1)", flaky.stderr)
        self.assertTrue(flaky.stderr.startswith("R..\n"), flaky.stderr)
        self.assertEqual(asked.returncode, 1, asked.output)
        self.assertIn("\nFAILED (flaky=1)", asked.stderr)

    def test_a_flaky_test_is_not_run_again_as_failed(self) -> None:
        project = inner_project(self, self.TESTS)
        project.test("--retries=1")
        again = project.test("--rerun-failed")
        self.assertIn("Ran 0 tests", again.stderr, again.output)

    def test_the_limit_in_parallel(self) -> None:
        head = (
            "import unittest\n"
            "def tried():\n    with open('tries.txt', 'a') as file: file.write('x')\n"
        )
        classes = "".join(
            f"class Test{number}(unittest.TestCase):\n"
            "    def test(self):\n        tried()\n        self.fail()\n"
            for number in range(9)
        )
        project = inner_project(self, head + classes)
        tries = project.folder / "tries.txt"
        outcome = project.test("--parallel=2", "--max-failures=3")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertRegex(outcome.stderr, r"\n[56] tests not run: --max-failures=3")
        tries.unlink()
        outcome = project.test("--parallel=2", "--max-failures=3", "--retries=1")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        # Three tests have run twice; another one may have been on its way.
        self.assertLessEqual(len(tries.read_text()), 9 + 4)

    def test_what_cannot_be_made_anew_is_said_once(self) -> None:
        tests = '''
import doctest, unittest
def add():
    """
    >>> 1
    2
    """
class A(unittest.TestCase):
    def test_a(self): self.fail("once")
def load_tests(loader, tests, pattern):
    import sys
    tests.addTests(doctest.DocTestSuite(sys.modules[__name__]))
    return tests
'''
        project = inner_project(self, tests)
        outcome = project.test("--retries=1")
        said = "Not retried, since they cannot be made anew: app.tests.add."
        self.assertEqual(outcome.output.count(said), 1, outcome.output)
        self.assertIn("FAILED (failures=2)", outcome.stderr)
        self.assertEqual(outcome.stderr.count("FAIL: "), 2)

    def test_a_plugin_that_raises_lets_the_test_run_again_and_the_run_fail(self) -> None:
        plugin = """
            from sanerunner import Plugin
            class Broken(Plugin):
                def should_retry(self, event): raise ValueError("no answer")
            """
        settings = 'SANERUNNER = {"PLUGINS": ["app.plugin.Broken"]}'
        project = inner_project(self, self.TESTS, settings, **{"app/plugin.py": plugin})
        outcome = project.test("--retries=1")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertIn("flaky=1", outcome.stderr)
        self.assertIn("app.plugin.Broken.should_retry() failed:", outcome.stderr)
        self.assertIn("ValueError: no answer", outcome.stderr)

    def test_numbers_that_cannot_be_obeyed(self) -> None:
        project = inner_project(self, self.TESTS)
        outcome = project.test("--max-failures=many")
        self.assertEqual(outcome.returncode, 2)
        self.assertIn("--max-failures: must be a whole number, 0 or more", outcome.stderr)


class ServersTest(unittest.TestCase):
    """What an attempt has committed, and the rows of its class, are gone before the next."""

    def check(self, settings: dict[str, Any]) -> None:
        tests = """
            from django.test import TestCase, TransactionTestCase
            from sanerunner import DestructiveDatabaseTestCase
            from app.models import Thing

            def tries(name):
                with open(f"{name}.tries", "a+") as file:
                    file.write("x")
                    file.seek(0)
                    return len(file.read())

            class InTransaction(TestCase):
                def test_rows(self):
                    self.assertEqual(Thing.objects.count(), 0)
                    Thing.objects.create(name="a")
                    self.assertGreater(tries("rows"), 1, "in time")

            class Stock(TransactionTestCase):
                def test_stock(self):
                    self.assertEqual(Thing.objects.count(), 0)
                    Thing.objects.create(name="a")
                    self.assertGreater(tries("stock"), 1, "in time")

            class Sane(DestructiveDatabaseTestCase):
                @classmethod
                def setUpTestData(cls): Thing.objects.create(name="class")
                def test_sane(self):
                    self.assertEqual(Thing.objects.create(name="a").pk, 2)
                    self.assertGreater(tries("sane"), 1, "in time")
                def test_sane_again(self):
                    self.assertEqual(Thing.objects.create(name="a").pk, 2)
                    self.assertGreater(tries("again"), 2, "in time")
            """
        databases = f"DATABASES = {{'default': {settings!r}}}\n"
        options = "SANERUNNER = {'RETRIES': 2, 'VERIFY_REWIND': True}\n"
        for arguments in ((), ("--parallel=2",)):
            with self.subTest(arguments):
                project = inner_project(self, tests, databases + options)
                outcome = project.test(*arguments)
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertIn("OK (flaky=4)", outcome.stderr)
                self.assertEqual(outcome.stderr.count("first AssertionError: 1 not greater"), 4)

    def test_sqlite(self) -> None:
        self.check({"ENGINE": "django.db.backends.sqlite3", "NAME": "real.sqlite3"})

    def test_postgresql(self) -> None:
        self.check(require_postgresql(self))

    def test_mariadb(self) -> None:
        self.check(require_mariadb(self))


class InterruptTest(unittest.TestCase):
    TESTS = """
        import pathlib, time, unittest
        class A(unittest.TestCase):
            @classmethod
            def setUpClass(cls): ...  # it is not split
            def test_a(self): self.fail("before Ctrl-C")
            def test_b(self):
                pathlib.Path("a.begun").touch()
                while not pathlib.Path("go").exists(): time.sleep(0.01)
        class B(unittest.TestCase):
            sane_serial = True
            def test_c(self): ...
        """

    def test_what_waits_for_an_attempt_keeps_its_failure(self) -> None:
        for arguments in ((), ("--parallel=2",)):
            with self.subTest(arguments):
                project = inner_project(self, self.TESTS)
                options = ("--junit=junit.xml", "--retries=3", *arguments)
                with started(project, *options) as process:
                    wait_for(project, process, "a.begun")
                    process.send_signal(signal.SIGINT)
                    (project.folder / "go").touch()
                    _, stderr = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 130, stderr)
                verdicts = project.verdicts()
                self.assertEqual(verdicts["test_a"], "failure", stderr)
                self.assertEqual(len(verdicts), 3)
                self.assertEqual(list(project.xml().iter("rerunFailure")), [])


class AvoidTest(unittest.TestCase):
    def test_another_worker_is_preferred(self) -> None:
        schedule = Schedule([unit("a", 1)], workers=2)
        schedule.next(1)
        schedule.done(1)
        schedule.put_back(unit("again", 1, avoid=1))
        self.assertIsNone(schedule.next(1))
        taken = schedule.next(2)
        self.assertEqual(taken and taken.owner, "again")

    def test_where_no_other_is_free_it_is_the_same(self) -> None:
        schedule = Schedule([unit("a", 1), unit("long", 9, first=1)], workers=2)
        schedule.next(2)
        schedule.next(1)
        schedule.done(1)
        schedule.put_back(unit("again", 1, avoid=1))
        taken = schedule.next(1)
        self.assertEqual(taken and taken.owner, "again")

    def test_other_units_come_before(self) -> None:
        schedule = Schedule([unit("a", 3), unit("b", 1, first=1)], workers=2)
        schedule.next(1)
        schedule.done(1)
        schedule.put_back(unit("again", 1, avoid=1))
        taken = [schedule.next(1), schedule.next(2)]
        self.assertEqual([one and one.owner for one in taken], ["b", "again"])


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """Leave out the contracts themselves."""
    suite = unittest.TestSuite()
    for test_class in (
        SerialTest,
        ForkTest,
        SpawnTest,
        ExitStatusTest,
        ServersTest,
        InterruptTest,
        AvoidTest,
    ):
        suite.addTests(loader.loadTestsFromTestCase(test_class))
    return suite
