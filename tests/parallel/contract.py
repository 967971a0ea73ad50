"""What every executor must do, whatever happens to a test: one project, run by each of them.

``ExecutorContract`` is for all executors, ``WorkerContract`` adds what only worker processes
survive.
"""

from __future__ import annotations

import re
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from ..support.projects import InnerProject, Outcome

SETTINGS = """
SANERUNNER = {"KEEP_GOING": True, "OUTPUT_LIMIT": 2000, "PLUGINS": ["app.plugin.Recorder"]}
"""

PLUGIN = """
import os
from sanerunner import Plugin

class Recorder(Plugin):
    def worker_setup(self, worker):
        with open("workers.txt", "a") as file:
            file.write(f"set up {worker} {os.getpid()}\\n")

    def worker_teardown(self, worker):
        with open("workers.txt", "a") as file:
            file.write(f"torn down {worker} {os.getpid()}\\n")
"""

# What ends a serial run from outside cannot be survived by it.
DEATHS = """
import ctypes, os, signal, subprocess, sys, time, unittest

class Killed(unittest.TestCase):
    def test_a(self): ...

    def test_b_sigkill(self):
        print("last words")
        os.kill(os.getpid(), signal.SIGKILL)

    def test_c(self): ...

class Segfault(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open("segfault.txt", "a") as file:
            file.write("set up\\n")

    def test_a_segfault(self):
        subprocess.run(["echo", "child's words"])
        ctypes.string_at(0)

    def test_b(self): ...

class DeadClass(unittest.TestCase):
    @classmethod
    def setUpClass(cls): os.kill(os.getpid(), signal.SIGKILL)
    def test_a(self): ...
    def test_b(self): ...

class DeadOnce(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists("once.txt"):
            open("once.txt", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
    def test_a(self): ...

class DeadEnd(unittest.TestCase):
    @classmethod
    def tearDownClass(cls): os.kill(os.getpid(), signal.SIGKILL)
    def test_a(self): ...

class Often(unittest.TestCase):
    sane_group = "x"  # not split
    @classmethod
    def setUpClass(cls): ...
    def test_a(self): os._exit(1)
    def test_b(self): os._exit(1)
    def test_c(self): os._exit(1)
    def test_d(self): ...

class Exec(unittest.TestCase):
    def test_exec(self): os.execvp("sleep", ["sleep", "100"])

class Stuck(unittest.TestCase):
    def test_masked(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGABRT])
        time.sleep(100)

class Output(unittest.TestCase):
    def test_descriptors(self):
        print("python")
        os.write(1, b"descriptor\\n")
        subprocess.run(["echo", "subprocess"])
        os.write(2, b"to stderr \\xff\\n")

    def test_capped(self):
        os.write(1, b"<" + b"x" * 100_000 + b">")
"""

TESTS = """
import os, subprocess, sys, threading, time, unittest
from django.contrib.auth.models import User
from django.test import TestCase, TransactionTestCase
from app.models import Thing

class Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} {two} {threading.Lock()!r:.10}")
        self.lock = threading.Lock()

class Verdicts(unittest.TestCase):
    def test_exit_0(self): os._exit(0)
    def test_exit_3(self): os._exit(3)
    def test_sys_exit(self): sys.exit(0)
    def test_fail(self): self.fail("failed here")
    def test_pass(self): time.sleep(0.05)
    def test_skip(self): self.skipTest("no reason")

    def test_unpicklable(self):
        secret = "shown by tb-locals"
        raise Unpicklable("not", "picklable")

    def test_unpicklable_subtest(self):
        with self.subTest(lock=threading.Lock()):
            self.fail("in subtest")

    def test_output(self):
        print("printed")
        print("to stderr", file=sys.stderr)

    @unittest.expectedFailure
    def test_expected(self): self.fail()

    @unittest.expectedFailure
    def test_unexpected(self): ...

class Hangs(unittest.TestCase):
    def test_a_hangs(self): time.sleep(100)
    def test_b(self): ...

class HangsLess(unittest.TestCase):
    sane_timeout = 0.3
    def test_own_limit(self): time.sleep(100)
    def test_other_limit(self): time.sleep(1.2)
    test_other_limit.sane_timeout = 100

class BrokenSetUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise ValueError("class broken")
    def test_a(self): ...
    def test_b(self): ...

class BrokenTearDown(unittest.TestCase):
    @classmethod
    def tearDownClass(cls): raise ValueError("end broken")
    def test_a(self): ...

class InTransaction(TestCase):
    @classmethod
    def setUpTestData(cls): cls.thing = Thing.objects.create(name="class")
    def test_a(self):
        Thing.objects.create(name="a")
        self.assertEqual(Thing.objects.count(), 2)
    def test_b(self): self.assertEqual(Thing.objects.count(), 1)
    def test_sql(self):
        list(Thing.objects.filter(name="seen in the report"))
        self.fail("show the SQL")

class Commits(TransactionTestCase):
    def test_a(self):
        Thing.objects.create(name="a")
        self.assertEqual(Thing.objects.count(), 1)
    def test_b(self): self.assertEqual(Thing.objects.count(), 0)
"""

MODULE = """
import unittest
def setUpModule(): raise ValueError("module broken")
class A(unittest.TestCase):
    def test_of_module(self): ...
"""

IMPORT = "raise ValueError('import broken')\n"


class ExecutorContract(unittest.TestCase):
    """Runs the project once; each test looks at one row of what must hold."""

    arguments: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[dict[str, str]] = {}
    outcome: ClassVar[Outcome]
    project: ClassVar[InnerProject]
    cases: ClassVar[dict[str, ElementTree.Element]]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="contract-")
        cls.addClassCleanup(folder.cleanup)
        files = {
            "app/tests/__init__.py": "",
            "app/tests/tests_verdicts.py": TESTS,
            "app/tests/tests_module.py": MODULE,
            "app/tests/tests_import.py": IMPORT,
            "app/plugin.py": PLUGIN,
            **cls.files,
        }
        cls.project = InnerProject(Path(folder.name), files, SETTINGS)
        cls.outcome = cls.project.test(
            "--pattern=tests_*.py",
            "--timeout=1",
            "--debug-sql",
            "--junit=junit.xml",
            *cls.arguments,
        )
        cls.cases = {
            f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}": case
            for case in cls.project.xml().iter("testcase")
        }

    def assert_verdict(self, name: str, tag: str, *texts: str) -> ElementTree.Element:
        """The test has this verdict in the JUnit report ("" for passed), with these texts."""
        self.assertIn(name, self.cases, self.outcome.output)
        case = self.cases[name]
        tags = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        self.assertEqual(tags[:1], [tag] if tag else [], f"{name}\n{self.outcome.output}")
        text = "".join([*case.itertext(), *(child.get("message", "") for child in case)])
        for expected in texts:
            self.assertIn(expected, text)
        return case

    def test_a_run_with_failures_never_succeeds(self) -> None:
        self.assertEqual(self.outcome.returncode, 1, self.outcome.output)
        self.assertIn("\nFAILED (", self.outcome.stderr)
        self.assertNotIn("\nOK", self.outcome.stderr)

    def test_every_test_has_one_verdict(self) -> None:
        sources = [TESTS, MODULE, *self.files.values()]
        methods = re.findall(r"def (test_\w+)", "".join(sources))
        names = [name.rpartition(".")[2] for name in self.cases]
        self.assertEqual(
            sorted(name for name in names if name.startswith("test_")), sorted(methods)
        )
        self.assertNotIn("not run", self.outcome.stderr)

    def test_verdicts(self) -> None:
        self.assert_verdict("Verdicts.test_pass", "")
        self.assert_verdict("Verdicts.test_fail", "failure", "failed here")
        self.assert_verdict("Verdicts.test_skip", "skipped", "no reason")
        self.assert_verdict("Verdicts.test_expected", "skipped")
        self.assert_verdict("Verdicts.test_unexpected", "failure")

    def test_tests_that_end_their_process(self) -> None:
        for name, status in (("test_exit_0", 0), ("test_exit_3", 3)):
            case = self.assert_verdict(f"Verdicts.{name}", "error")
            (error,) = case.findall("error")
            self.assertRegex(
                error.get("message", ""), rf"exit status {status}\b|os._exit\({status}\)"
            )
        self.assert_verdict("Verdicts.test_sys_exit", "error", "SystemExit: 0")

    def test_exceptions_that_do_not_pickle(self) -> None:
        self.assert_verdict(
            "Verdicts.test_unpicklable", "error", "not picklable", "Unpicklable", "raise Unpick"
        )
        self.assert_verdict("Verdicts.test_unpicklable_subtest", "failure", "in subtest", "lock=")

    def test_output_belongs_to_the_test(self) -> None:
        case = self.assert_verdict("Verdicts.test_output", "")
        self.assertEqual(case.findtext("system-out", "").strip(), "printed")
        self.assertEqual(case.findtext("system-err", "").strip(), "to stderr")
        self.assertIn("printed\n", self.outcome.stdout)
        self.assertIn("to stderr\n", self.outcome.stderr)

    def test_a_test_that_hangs(self) -> None:
        name = "app.tests.tests_verdicts.Hangs.test_a_hangs"
        self.assert_verdict(
            "Hangs.test_a_hangs", "error", name, "1 s", "TestTimeout", "in test_a_hangs"
        )
        self.assert_verdict("Hangs.test_b", "")
        self.assert_verdict("HangsLess.test_own_limit", "error", "0.3 s", "in test_own_limit")
        self.assert_verdict("HangsLess.test_other_limit", "")

    def test_broken_fixtures(self) -> None:
        for name in ("test_a", "test_b"):
            self.assert_verdict(f"BrokenSetUp.{name}", "error", "ValueError: class broken")
        self.assert_verdict("BrokenTearDown.test_a", "")
        self.assertIn(
            "ERROR: tearDownClass (app.tests.tests_verdicts.BrokenTearDown)", self.outcome.stderr
        )
        self.assert_verdict("A.test_of_module", "error", "ValueError: module broken")
        (failed,) = [case for name, case in self.cases.items() if "tests_import" in name]
        self.assertIn("import broken", "".join(failed.itertext()))

    def test_databases(self) -> None:
        for name in (
            "InTransaction.test_a",
            "InTransaction.test_b",
            "Commits.test_a",
            "Commits.test_b",
        ):
            self.assert_verdict(name, "")

    def test_sql(self) -> None:
        self.assert_verdict("InTransaction.test_sql", "failure", "show the SQL")
        self.assertIn("seen in the report", self.outcome.stderr)

    def test_times_are_those_of_the_test(self) -> None:
        seconds = float(self.cases["Verdicts.test_pass"].get("time", "0"))
        self.assertGreaterEqual(seconds, 0.05)
        slow = float(self.cases["HangsLess.test_other_limit"].get("time", "0"))
        self.assertGreaterEqual(slow, 1.2)

    def test_hooks_of_workers(self) -> None:
        lines = (self.project.folder / "workers.txt").read_text().splitlines()
        set_up = [line.removeprefix("set up ") for line in lines if line.startswith("set up")]
        torn_down = [line.removeprefix("torn down ") for line in lines if line.startswith("torn")]
        self.assertEqual(len(set_up), len(set(set_up)))
        self.assertLessEqual(set(torn_down), set(set_up))
        self.assertGreaterEqual(len(torn_down), 1)
        self.assertEqual({line.split()[0] for line in set_up}, self.workers)

    #: The numbers of the processes that run tests.
    workers: ClassVar[set[str]] = {"0"}

    def test_nothing_is_left(self) -> None:
        databases = {path.name for path in self.project.folder.rglob("*.sqlite3*")}
        self.assertLessEqual(databases, {"history.sqlite3"})


class WorkerContract(ExecutorContract):
    """What kills a process kills a worker, and the run goes on."""

    files = {"app/tests/tests_deaths.py": DEATHS}
    workers = {"1", "2"}

    def test_sigkill(self) -> None:
        case = self.assert_verdict(
            "Killed.test_b_sigkill",
            "error",
            "died (signal 9, SIGKILL) while running app.tests.tests_deaths.Killed.test_b_sigkill",
        )
        self.assertEqual(case.findtext("system-out", "").strip(), "last words")
        self.assert_verdict("Killed.test_a", "")
        self.assert_verdict("Killed.test_c", "")

    def test_segfault(self) -> None:
        case = self.assert_verdict(
            "Segfault.test_a_segfault",
            "error",
            "died (signal 11, SIGSEGV)",
            "Fatal Python error: Segmentation fault",
            "in test_a_segfault",
        )
        self.assertEqual(case.findtext("system-out", "").strip(), "child's words")
        self.assert_verdict("Segfault.test_b", "")
        set_ups = (self.project.folder / "segfault.txt").read_text().splitlines()
        self.assertEqual(len(set_ups), 2)  # the rest has run in a fresh process

    def test_exit_status_of_a_worker(self) -> None:
        self.assert_verdict("Verdicts.test_exit_0", "error", "died (exit status 0)")

    def test_death_in_a_class_fixture(self) -> None:
        for name in ("test_a", "test_b"):
            self.assert_verdict(
                f"DeadClass.{name}",
                "error",
                "app.tests.tests_deaths.DeadClass is given up after 3 workers",
                "while running the fixtures of app.tests.tests_deaths.DeadClass",
            )
        self.assert_verdict("DeadOnce.test_a", "")
        self.assert_verdict("DeadEnd.test_a", "")
        self.assertIn("ERROR: tearDownClass (app.tests.tests_deaths.DeadEnd)", self.outcome.stderr)

    def test_a_unit_of_which_workers_die_is_given_up(self) -> None:
        for name in ("test_a", "test_b", "test_c"):
            self.assert_verdict(f"Often.{name}", "error", "exit status 1")
        self.assert_verdict("Often.test_d", "error", "Often is given up after 3 workers")

    def test_a_process_that_becomes_another(self) -> None:
        self.assert_verdict("Exec.test_exec", "error", "has closed its connection to the run")

    def test_a_test_that_blocks_the_signal(self) -> None:
        self.assert_verdict("Stuck.test_masked", "error", "TestTimeout", "its 1 s were over")

    def test_output_of_file_descriptors(self) -> None:
        case = self.assert_verdict("Output.test_descriptors", "")
        self.assertEqual(
            case.findtext("system-out", "").split(), ["python", "descriptor", "subprocess"]
        )
        self.assertEqual(case.findtext("system-err", "").strip(), "to stderr \\xff")

    def test_output_is_capped(self) -> None:
        case = self.assert_verdict("Output.test_capped", "")
        text = case.findtext("system-out", "").strip()
        self.assertTrue(text.startswith("<xxx") and text.endswith("xxx>"), text[:10])
        self.assertIn("left out", text)
        self.assertLess(len(text), 2100)
