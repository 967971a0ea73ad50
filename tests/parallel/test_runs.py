"""Parallel runs as a user sees them: interruptions, options, and workers that cannot work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import unittest
from collections.abc import Iterator
from contextlib import contextmanager

from ..support.projects import ROOT, InnerProject, Outcome, inner_project

METHODS = ("fork", "forkserver", "spawn")

INTERRUPTED = """
import time, unittest
from pathlib import Path
from app.models import Thing
from django.test import TestCase

def begun(name, seconds):
    Path(name).touch()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not Path("go").exists():
        time.sleep(0.01)

class A(TestCase):
    def test_a(self): ...
    def test_b(self): begun("a.begun", 60)
    def test_c(self): ...

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        print("torn down")

class B(unittest.TestCase):
    test_type = "database"
    def test_a(self): ...
    def test_b(self): begun("b.begun", 60)
    def test_c(self): ...
"""

OVERLAPS = """
import os, time, unittest

class Beside(unittest.TestCase):
    def note(self, what):
        with open("log.txt", "a") as file:
            file.write(f"{what} {type(self).__name__}\\n")

    def run_beside(self):
        self.note("+")
        time.sleep(0.05)
        self.note("-")

class Serial(Beside):
    sane_serial = True
    def test(self): self.run_beside()

class Group1(Beside):
    sane_group = "g"
    def test(self): self.run_beside()

class Group2(Beside):
    sane_group = "g"
    def test(self): self.run_beside()

class Free1(Beside):
    def test_1(self): self.run_beside()
    def test_2(self): self.run_beside()

class Free2(Beside):
    def test_1(self): self.run_beside()
    def test_2(self): self.run_beside()
"""


@contextmanager
def started(project: InnerProject, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a run of ``project`` in a session of its own; it is killed if it does not end."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "manage.py", "test", "--noinput", "-v2", *arguments],
        cwd=project.folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "settings",
            "TMPDIR": str(project.folder),  # what a killed run leaves goes with the project
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell that runs this in the background has SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(project: InnerProject, process: subprocess.Popen[str], *names: str) -> None:
    while not all((project.folder / name).exists() for name in names):
        if process.poll() is not None:
            raise AssertionError(process.communicate())
        time.sleep(0.01)


class InterruptTest(unittest.TestCase):
    def interrupt(self, times: int, *arguments: str) -> tuple[InnerProject, Outcome]:
        project = inner_project(self, INTERRUPTED)
        with started(project, "--junit=junit.xml", *arguments) as process:
            begun = ["a.begun", "b.begun"] if "--parallel=2" in arguments else ["a.begun"]
            wait_for(project, process, *begun)
            for _ in range(times):
                process.send_signal(signal.SIGINT)
                # The first one must have been taken before the second is sent, or tests go on.
                self.wait_for_handling(process)
                if times == 1:
                    (project.folder / "go").touch()
            stdout, stderr = process.communicate(timeout=60)
        return project, Outcome(process.returncode, stdout, stderr)

    def wait_for_handling(self, process: subprocess.Popen[str]) -> None:
        with open(f"/proc/{process.pid}/status") as status:
            while True:
                status.seek(0)
                pending = [line.split()[1] for line in status if line.startswith("ShdPnd")]
                if not pending or not int(pending[0], 16) & (1 << (signal.SIGINT - 1)):
                    return

    def test_first_lets_the_running_tests_end(self) -> None:
        for method in METHODS:
            with self.subTest(method):
                project, outcome = self.interrupt(1, "--parallel=2", f"--start-method={method}")
                self.assertEqual(outcome.returncode, 130, outcome.output)
                self.assertIn("2 tests not run: interrupted", outcome.stderr)
                self.assertNotIn("\nOK", outcome.stderr)
                self.assertIn("torn down", outcome.stdout)
                self.assertIn("Destroying test database", outcome.stderr)
                verdicts = [case.get("name") for case in project.xml().iter("testcase")]
                self.assertEqual(len(verdicts), 6)
                self.assertIsNone(project.xml().find(".//error"))

    def test_second_ends_at_once(self) -> None:
        project, outcome = self.interrupt(2, "--parallel=2")
        self.assertEqual(outcome.returncode, 130, outcome.output)
        self.assertIn("2 tests not run: interrupted", outcome.stderr)
        self.assertIn("Destroying test database", outcome.stderr)
        errors = [
            case.get("name")
            for case in project.xml().iter("testcase")
            if case.find("error") is not None
        ]
        self.assertEqual(errors, ["test_b", "test_b"])

    def test_workers_end_when_the_coordinator_is_killed(self) -> None:
        project = inner_project(self, INTERRUPTED.replace('begun("', 'print(flush=True); begun("'))
        with started(project, "--parallel=2") as process:
            wait_for(project, process, "a.begun", "b.begun")
            process.kill()
            process.wait()
            (project.folder / "go").touch()
            # Whoever holds the pipes' other ends has ended when they are closed.
            process.communicate(timeout=30)


class OptionsTest(unittest.TestCase):
    def test_serial_and_groups(self) -> None:
        project = inner_project(self, OVERLAPS)
        outcome = project.test("--parallel=4")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        running: set[str] = set()
        for line in (project.folder / "log.txt").read_text().splitlines():
            sign, name = line.split()
            if sign == "-":
                running.discard(name)
                continue
            running.add(name)
            self.assertFalse({"Group1", "Group2"} <= running, running)
            if "Serial" in running:
                self.assertEqual(running, {"Serial"})

    def test_wrong_attribute(self) -> None:
        project = inner_project(self, OVERLAPS.replace("sane_serial = True", "sane_serial = 1"))
        outcome = project.test("--parallel=2")
        self.assertEqual(outcome.returncode, 2, outcome.output)
        self.assertIn(
            "UsageError: app.tests.Serial.sane_serial must be True or False, not 1.",
            outcome.stderr,
        )

    def test_one_giant_class_uses_both_workers(self) -> None:
        project = inner_project(
            self,
            """
            import os, time, unittest
            from pathlib import Path
            pids = Path("pids.txt")
            class Giant(unittest.TestCase):
                def check(self):
                    with pids.open("a") as file:
                        file.write(f"{os.getpid()}\\n")
                    deadline = time.monotonic() + 60
                    while len(set(pids.read_text().split())) < 2:
                        assert time.monotonic() < deadline
                        time.sleep(0.01)
            for n in range(20):
                setattr(Giant, f"test_{n}", lambda self: self.check())
            """,
        )
        outcome = project.test("--parallel=2")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        pids = (project.folder / "pids.txt").read_text().split()
        self.assertEqual((len(pids), len(set(pids))), (20, 2))

    def test_failfast(self) -> None:
        project = inner_project(
            self,
            """
            import time, unittest
            class Fails(unittest.TestCase):
                def test(self): self.fail()
                def test_more(self): ...
            class Waits(unittest.TestCase):
                @classmethod
                def setUpClass(cls): ...
            for n in range(100):
                setattr(Waits, f"test_{n}", lambda self: time.sleep(0.1))
            """,
        )
        outcome = project.test("--parallel=2", "--failfast")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertIn("tests not run: --failfast", outcome.stderr)

    def test_buffer_and_tb_locals(self) -> None:
        project = inner_project(
            self,
            """
            import unittest
            class A(unittest.TestCase):
                def test_pass(self): print("of a passed test")
                def test_fail(self):
                    print("of a failed test")
                    self.fail()
            """,
        )
        outcome = project.test("--parallel=2", "--buffer", "--durations=2")
        self.assertNotIn("of a passed test", outcome.output)
        self.assertIn("of a failed test", outcome.stderr)
        self.assertNotIn("of a failed test", outcome.stdout)
        self.assertIn("Slowest test durations", outcome.stderr)

    def test_pdb_runs_in_one_process(self) -> None:
        project = inner_project(
            self,
            """
            import os, unittest
            class A(unittest.TestCase):
                def test_a(self): print("pid", os.getpid())
                def test_b(self): print("pid", os.getpid())
            """,
        )
        outcome = project.test("--parallel=2", "--pdb")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("--pdb: all tests run in one process", outcome.stdout)
        pids = [line for line in outcome.stdout.splitlines() if line.startswith("pid ")]
        self.assertEqual((len(pids), len(set(pids))), (2, 1))

    def test_shuffled_order_is_the_same_in_spawned_workers(self) -> None:
        project = inner_project(self, OVERLAPS)
        outcome = project.test("--parallel=2", "--start-method=spawn", "--shuffle")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("Used shuffle seed", outcome.stdout)


class BrokenWorkersTest(unittest.TestCase):
    TESTS = """
        import unittest
        class A(unittest.TestCase):
            def test_a(self): ...
            def test_b(self): ...
    """

    def test_other_tests_are_a_mismatch(self) -> None:
        project = inner_project(
            self,
            self.TESTS
            + """
        import multiprocessing
        if multiprocessing.parent_process() is not None:
            class B(unittest.TestCase):
                def test_of_workers(self): ...
            del A.test_b
    """,
        )
        for method in ("spawn", "forkserver"):
            with self.subTest(method):
                outcome = project.test("--parallel=2", f"--start-method={method}")
                self.assertEqual(outcome.returncode, 1, outcome.output)
                self.assertIn("has collected other tests than the run", outcome.stderr)
                self.assertIn("\n-app.tests.A.test_b\n", outcome.stderr)
                self.assertIn("\n+app.tests.B.test_of_workers", outcome.stderr)
                self.assertNotIn("\nOK", outcome.stderr)

    def test_a_module_that_fails_to_load_in_workers_only(self) -> None:
        project = inner_project(
            self,
            self.TESTS,
            **{
                "app/test_more.py": """
                    import multiprocessing, unittest
                    if multiprocessing.parent_process() is not None:
                        raise ImportError("not in a worker")
                    class More(unittest.TestCase):
                        def test_c(self): ...
                        def test_d(self): ...
                    """
            },
        )
        for method in ("spawn", "forkserver"):
            with self.subTest(method):
                outcome = project.test(
                    "--parallel=2",
                    f"--start-method={method}",
                    "--junit=junit.xml",
                    *(["app.test_more", "app.tests"] if method == "spawn" else []),
                )
                self.assertEqual(outcome.returncode, 1, outcome.output)
                self.assertEqual(
                    project.verdicts(),
                    {"test_a": "passed", "test_b": "passed", "test_c": "error", "test_d": "error"},
                )
                self.assertIn("ImportError: not in a worker", outcome.stderr)

    def test_workers_that_die_before_their_first_test(self) -> None:
        project = inner_project(
            self,
            self.TESTS
            + """
        import multiprocessing, os
        if multiprocessing.parent_process() is not None:
            os.write(2, b"why it died")
            os._exit(5)
    """,
        )
        outcome = project.test("--parallel=2", "--start-method=spawn", "--no-checks")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertIn("3 workers have died before they could run a test", outcome.stderr)
        self.assertIn("died (exit status 5)", outcome.stderr)
        self.assertIn("why it died", outcome.stderr)
        self.assertNotIn("\nOK", outcome.stderr)

    def test_hook_of_a_plugin_that_raises(self) -> None:
        plugin = """
            from sanerunner import Plugin
            class Broken(Plugin):
                def worker_{}(self, worker): raise ValueError("hook broken")
            """
        for scope in ("setup", "teardown"):
            with self.subTest(scope):
                project = inner_project(
                    self,
                    self.TESTS,
                    "SANERUNNER = {'PLUGINS': ['app.plugin.Broken']}",
                    **{"app/plugin.py": plugin.format(scope)},
                )
                outcome = project.test("--parallel=2")
                self.assertEqual(outcome.returncode, 1, outcome.output)
                self.assertIn("ValueError: hook broken", outcome.stderr)
                self.assertNotIn("\nOK", outcome.stderr)

    def test_spawned_workers_need_a_settings_module(self) -> None:
        project = inner_project(self, self.TESTS)
        project.write(
            "runtests.py",
            """
            from django.conf import settings
            settings.configure(TEST_RUNNER="sanerunner.SaneRunner", SECRET_KEY="x", DATABASES={})
            import django
            django.setup()
            from django.core.management import call_command
            if __name__ == "__main__":
                call_command("test", "app", "--parallel=2", "--start-method=spawn")
            """,
        )
        outcome = project.python("runtests.py")
        self.assertNotEqual(outcome.returncode, 0)
        self.assertIn("read the settings from a module, but these have none", outcome.stderr)
