"""--bisect and --pair find the tests that make another one fail; --only-from runs a list."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import unittest
from collections.abc import Callable, Sequence

from sanerunner.bisection.search import find_culprits, find_partner
from sanerunner.reporting.rerun import rerun_command

from .support.projects import ROOT, InnerProject, inner_project
from .support.services import databases_on, require_postgresql


def failing_after(culprits: set[str], runs: list[list[str]]) -> Callable[[Sequence[str]], bool]:
    """A suspect that fails after all of ``culprits``; each run is noted."""

    def fails(before: Sequence[str]) -> bool:
        runs.append(list(before))
        return culprits <= set(before)

    return fails


class SearchTest(unittest.TestCase):
    def find(self, total: int, culprits: Sequence[int]) -> list[list[str]]:
        tests = [f"t{place}" for place in range(total)]
        wanted = [tests[place] for place in culprits]
        runs: list[list[str]] = []
        found = find_culprits(tests, failing_after(set(wanted), runs))
        self.assertEqual(found, wanted)
        for run in runs:  # the real order, whatever is left out
            self.assertEqual(run, [test for test in tests if test in run])
        return runs

    def test_one_culprit_wherever_it_stands(self) -> None:
        for total in range(1, 20):
            for place in range(total):
                self.find(total, [place])

    def test_several_culprits(self) -> None:
        for size in (2, 3, 4):
            for culprits in itertools.combinations(range(8), size):
                self.find(8, culprits)

    def test_steps_grow_with_the_logarithm(self) -> None:
        self.assertLessEqual(len(self.find(1024, [1023])), 20)
        self.assertLessEqual(len(self.find(1024, [3, 1000])), 50)

    def test_partner(self) -> None:
        runs: list[list[str]] = []
        self.assertEqual(find_partner(["a", "b", "c"], failing_after({"b"}, runs)), ["b"])
        self.assertEqual(runs, [["a"], ["b"]])
        self.assertEqual(find_partner(["a"], failing_after({"b"}, runs)), [])

    def test_command_of_several_labels(self) -> None:
        argv = ["manage.py", "test", "--settings=s", "--bisect", "b", "app"]
        self.assertEqual(
            rerun_command("a", "b", argv=argv), "python manage.py test --settings=s a b"
        )


TESTS = """
import os, unittest
from django.test import SimpleTestCase, TestCase
from app.models import Thing

class Early(TestCase):
    def test_1(self): pass
    def test_2(self): os.environ["LEFT"] = "1"
    def test_3(self): Thing.objects.create(name="x")

class Late(TestCase):
    def test_1(self): pass
    def test_2(self): self.assertNotIn("LEFT", os.environ)
    def test_3(self): self.assertEqual(os.environ.get("BOTH"), None)
    def test_4(self): self.fail("always")

class Unit(SimpleTestCase):
    def test_1(self): os.environ["UNIT"] = "1"
    def test_2(self): self.fail("always")

class Needed(TestCase):
    def test_1(self):
        if "UNIT" in os.environ and "LEFT" in os.environ:
            self.fail("both")
"""


class InnerTest(unittest.TestCase):
    def project(self, settings: str = "", **files: str) -> InnerProject:
        return inner_project(self, TESTS, settings, **files)

    def assert_found(
        self, project: InnerProject, arguments: Sequence[str], *culprits: str, script: str = ""
    ) -> str:
        """The search finds these, and the command that it shows reproduces the failure."""
        start = [script] if script else ["manage.py", "test", "--noinput"]
        outcome = project.python(*start, *arguments)
        self.assertEqual(outcome.returncode, 1, outcome.output)
        said = outcome.stdout.partition(" fails after:\n")[2].splitlines()
        self.assertEqual(
            said[: len(culprits) + 1],
            [*(f"  {each}" for each in culprits), "To reproduce it:"],
            outcome.output,
        )
        program, *words = shlex.split(said[len(culprits) + 1])
        self.assertEqual(program, "python")
        again = project.python(*words, "--noinput", "--keepdb")
        self.assertEqual(again.returncode, 1, again.output)
        self.assertIn("AssertionError", again.stderr)
        return outcome.stdout

    def test_every_form_of_label(self) -> None:
        """Of a suspect that is beside the labels of the run."""
        project = self.project()
        project.write("other/__init__.py", "")
        project.write(
            "other/tests.py",
            """
            import os
            from django.test import TestCase
            class Other(TestCase):
                def test_other(self): self.assertNotIn("LEFT", os.environ)
            """,
        )
        for label in ("other", "other.tests.Other.test_other", "other/"):
            with self.subTest(label=label):
                said = self.assert_found(
                    project,
                    [f"--bisect={label}", "app.tests.Early", "--pattern=test*.py"],
                    "app.tests.Early.test_2",
                )
                self.assertIn("Step 1: alone: passes\nStep 2: after 3 tests: FAILS", said)

    def test_the_stage_of_units_that_fails_does_not_end_a_step(self) -> None:
        said = self.assert_found(
            self.project(),
            ["--bisect", "app.tests.Needed.test_1", "--failfast", "--shuffle=3"],
            "app.tests.Unit.test_1",
            "app.tests.Early.test_2",
        )
        self.assertIn("--keep-going", said)

    def test_nothing_is_retried_in_a_step(self) -> None:
        settings = 'SANERUNNER = {"RETRIES": 2, "MAX_FAILURES": 1}'
        project = inner_project(
            self,
            """
            import unittest

            class Early(unittest.TestCase):
                left = []
                def test_1(self): self.left.append(1)
                def test_2(self): self.fail("always")

            class Late(unittest.TestCase):
                sane_retries = 3
                def test_1(self):
                    found, Early.left[:] = list(Early.left), []
                    self.assertEqual(found, [])
            """,
            settings,
        )
        outcome = project.test("--bisect=app.tests.Late.test_1")
        self.assertRegex(outcome.output, r"alone: passes")
        self.assertRegex(outcome.output, r"Early\.test_1: FAILS")

    def test_pair(self) -> None:
        said = self.assert_found(
            self.project(),
            ["--pair=app.tests.Late.test_2", "app.tests.Early"],
            "app.tests.Early.test_2",
        )
        steps = [line for line in said.splitlines() if line.startswith("Step ")]
        self.assertEqual(steps[0], "Step 1: alone: passes")
        self.assertEqual(steps[-1].split(": ", 1)[1], "after app.tests.Early.test_2: FAILS")

    def test_fails_alone(self) -> None:
        for option in ("--bisect", "--pair"):
            outcome = self.project().test(f"{option}=app.tests.Late.test_4", "--parallel=2")
            self.assertEqual(outcome.returncode, 1, outcome.output)
            self.assertIn("Step 1: alone: FAILS\n", outcome.stdout)
            self.assertIn("app.tests.Late.test_4 fails alone: no other", outcome.stdout)
            self.assertIn(f"{option}: each step runs in one process", outcome.stdout)
            self.assertIn("\n  python manage.py test app.tests.Late.test_4\n", outcome.stdout)

    def test_never_fails(self) -> None:
        for option in ("--bisect", "--pair"):
            outcome = self.project().test(f"{option}=app.tests.Late.test_3", "app.tests.Late")
            self.assertEqual(outcome.returncode, 0, outcome.output)
            self.assertIn("passes, alone and after", outcome.stdout)

    def test_nothing_is_left_of_the_steps(self) -> None:
        """No report, no history, no database."""
        project = self.project('SANERUNNER = {"JUNIT": "junit.xml"}')
        project.test("--bisect=app.tests.Late.test_2", "app.tests.Early")
        self.assertFalse((project.folder / "junit.xml").exists())
        self.assertFalse((project.folder / ".sanerunner").exists())

    def test_kept_databases(self) -> None:
        """The steps use the kept database, over which two runs cannot come at once."""
        database = require_postgresql(self, "bisect")
        project = self.project(f'DATABASES = {{"default": {database!r}}}')
        self.assert_found(
            project,
            ["--keepdb", "--bisect=app.tests.Late.test_2", "app.tests.Early"],
            "app.tests.Early.test_2",
        )
        self.assertIn(f"test_{database['NAME']}", databases_on(database))

    def test_from_a_script(self) -> None:
        script = """
            import os, sys, django
            from django.core.management.commands.test import Command
            os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
            django.setup()
            Command().run_from_argv([sys.argv[0], "", *sys.argv[1:]])
        """
        project = self.project(**{"runtests.py": script})
        said = self.assert_found(
            project,
            ["app.tests.Early", "--bisect=app.tests.Late.test_2"],
            "app.tests.Early.test_2",
            script="runtests.py",
        )
        self.assertIn("python runtests.py app.tests.Early.test_2", said)

    def test_a_script_that_drops_the_options(self) -> None:
        script = """
            import os, sys, django
            os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
            django.setup()
            from sanerunner import SaneRunner
            SaneRunner(bisect="app.tests.Late.test_2").run_tests([])
        """
        outcome = self.project(**{"script.py": script}).python("script.py")  # it ends
        self.assertNotEqual(outcome.returncode, 0)
        self.assertIn("script.py must hand the options of its command line", outcome.stderr)

    def test_a_step_that_dies(self) -> None:
        project = self.project()
        project.write(
            "app/test_dying.py",
            """
            import os, unittest
            class Dying(unittest.TestCase):
                def test_1(self): os.kill(os.getpid(), 9)
            """,
        )
        outcome = project.test("--bisect=app.test_dying")
        self.assertEqual(outcome.returncode, 2, outcome.output)
        self.assertIn("A step ended with status -9 and no verdict.", outcome.stderr)

    @unittest.skipIf(sys.platform == "win32", "signals of groups of processes")
    def test_an_interrupt_ends_it(self) -> None:
        project = self.project()
        project.write(
            "app/test_slow.py",
            """
            import pathlib, time, unittest
            class Slow(unittest.TestCase):
                def test_1(self):
                    pathlib.Path("begun").touch()
                    time.sleep(60)
            """,
        )
        command = [sys.executable, "manage.py", "test", "--bisect=app.test_slow", "app.test_slow"]
        with subprocess.Popen(
            command,
            cwd=project.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "settings"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            while process.poll() is None and not (project.folder / "begun").exists():
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.5)  # the first lets the test of the step go on, as in any run
            os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, output)
        self.assertNotIn(b"Traceback", output)

    def test_mistakes(self) -> None:
        project = self.project()
        for arguments, message in (
            (["--bisect=app.nothing"], "--bisect: 'app.nothing' cannot be loaded."),
            (["--pair=app.tests.Late.nothing"], "--pair: 'app.tests.Late.nothing' cannot be"),
            (
                ["--bisect=app.tests.Late", "--select=unit"],
                "--bisect: 'app.tests.Late' names no test of this run.",
            ),
            (["--bisect=app/tests.py"], "--bisect: One of the test labels is a path to a file"),
            (["--bisect=a", "--pair=b"], "--bisect and --pair are two ways: give one of them."),
            (["--only-from=nothing"], "--only-from: 'nothing' cannot be read: "),
        ):
            with self.subTest(arguments):
                outcome = project.test(*arguments)
                self.assertEqual(outcome.returncode, 2, outcome.output)
                self.assertIn(message, outcome.stderr)


class OnlyFromTest(unittest.TestCase):
    def test_exactly_these_in_this_order(self) -> None:
        project = inner_project(self, TESTS)
        wanted = ["app.tests.Late.test_2", "app.tests.Early.test_2", "app.tests.Late.test_1"]
        (project.folder / "tests.txt").write_text("\n".join(wanted), encoding="utf-8")
        outcome = project.test("--only-from=tests.txt", "-v", "2")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        ran = re.findall(r"^(\w+) \(([\w.]+)\) \.\.\. ok$", outcome.stderr, re.M)
        methods = [f"{place.removesuffix(f'.{name}')}.{name}" for name, place in ran]
        self.assertEqual(methods, wanted)

    def test_an_id_that_is_none(self) -> None:
        project = inner_project(self, TESTS)
        (project.folder / "tests.txt").write_text("app.tests.Late.none\n", encoding="utf-8")
        outcome = project.test("--only-from=tests.txt")
        self.assertEqual(outcome.returncode, 2, outcome.output)
        self.assertIn(
            "--only-from: no test of this run has the id app.tests.Late.none.", outcome.stderr
        )
