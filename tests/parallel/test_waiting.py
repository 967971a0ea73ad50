"""Nothing waits for what it does not need: databases are made while other tests run."""

from __future__ import annotations

import threading
import unittest

from sanerunner.execution.background import Background

from ..support.projects import InnerProject, Outcome, inner_project

METHODS = ("fork", "spawn")

# wait_for() is how the parts of a run wait for each other; those that run one after the other
# would wait in vain.
MEETING = """
import time
from pathlib import Path

def wait_for(*names):
    deadline = time.monotonic() + 60
    while not all(Path(name).exists() for name in names):
        assert time.monotonic() < deadline, names
        time.sleep(0.01)
"""

MIGRATION = """
from django.db import migrations, models
from meeting import wait_for
from pathlib import Path

def meet(apps, schema_editor):
    Path("migrating").touch()
    {meet}

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel("Thing", [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=50)),
        ]),
        migrations.RunPython(meet),
    ]
"""

TESTS = """
import os, signal, unittest
from pathlib import Path
from django.test import TestCase
from app.models import Thing
from meeting import wait_for

class Units(unittest.TestCase):
    def test_a(self):
        Path("testing").touch()
        wait_for("migrating")

    def test_b(self): ...

class Rows(TestCase):
    def test_c(self): self.assertEqual(Thing.objects.count(), 0)
    def test_d(self): self.assertEqual(Thing.objects.count(), 0)
"""


class BackgroundTest(unittest.TestCase):
    def setUp(self) -> None:
        self.log: list[str] = []

    def job(self, name: str, error: BaseException | None = None) -> tuple[str, object]:
        def work() -> None:
            self.assertIsNot(threading.current_thread(), threading.main_thread())
            self.log.append(name)
            if error is not None:
                raise error

        return name, work

    def background(self, *jobs: tuple[str, object]) -> Background:
        background = Background(jobs)  # type: ignore[arg-type]
        self.addCleanup(background.close)
        return background

    def test_one_after_the_other(self) -> None:
        background = self.background(self.job("a"), self.job("b"))
        self.assertTrue(background.is_done("there is no job for it"))
        self.assertFalse(background.is_done("a"))
        background.advance()
        self.assertTrue(background.busy)
        background.settle()
        self.assertFalse(background.busy)
        self.assertTrue(background.is_done("a"))
        self.assertEqual(self.log, ["a"])
        background.wait("b")
        self.assertEqual(self.log, ["a", "b"])
        background.wait("b")

    def test_error(self) -> None:
        background = self.background(self.job("a"), self.job("b", OSError("x")), self.job("c"))
        with self.assertRaisesRegex(OSError, "x"):
            background.wait("c")
        self.assertTrue(background.has_failed("b"))
        self.assertTrue(background.has_failed("c"))
        self.assertFalse(background.has_failed("a"))
        with self.assertRaisesRegex(OSError, "x"):
            background.wait("b")
        background.wait("a")
        background.advance()
        self.assertEqual(self.log, ["a", "b"])

    def test_what_is_said_when_it_has_ended(self) -> None:
        told: list[threading.Thread] = []

        def tell() -> None:
            told.append(threading.current_thread())

        background = Background([("a", lambda: background.hand_over(tell))])
        ended = threading.Event()
        background.notify = ended.set
        background.advance()
        self.assertTrue(ended.wait(60))
        self.assertEqual(told, [])
        background.look()
        self.assertTrue(background.is_done("a"))
        background.hand_over(tell)
        self.assertEqual(told, [threading.current_thread()] * 2)

    def test_close(self) -> None:
        background = self.background(self.job("a"), self.job("b"))
        background.advance()
        background.close()
        background.advance()
        self.assertEqual(self.log, ["a"])

    def test_nobody_hears_of_what_has_ended_after_the_run(self) -> None:
        told: list[str] = []
        may_end = threading.Event()

        def work() -> None:
            may_end.wait(60)
            background.hand_over(lambda: told.append("ready"))

        background = Background([("a", work)])
        background.notify = lambda: told.append("notified")
        background.advance()
        background.mute()
        may_end.set()
        background.close()
        self.assertTrue(background.is_done("a"))
        self.assertEqual(told, [])


class OverlapTest(unittest.TestCase):
    def project(
        self, tests: str = TESTS, settings: str = "", meet: str = "wait_for('testing')"
    ) -> InnerProject:
        return inner_project(
            self,
            tests,
            f"DATABASES['default']['TEST'] = {{'NAME': 'made.sqlite3'}}\n{settings}",
            **{
                "meeting.py": MEETING,
                "app/migrations/__init__.py": "",
                "app/migrations/0001_initial.py": MIGRATION.format(meet=meet),
            },
        )

    def test_databases_are_made_while_units_run(self) -> None:
        for method in METHODS:
            with self.subTest(method):
                outcome = self.project().test("--parallel=2", f"--start-method={method}")
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertIn("Ran 4 tests", outcome.stderr)

    def test_in_one_stage(self) -> None:
        """Its tests which need no database do not wait for those that do."""
        project = self.project()
        stages = "--stages=unit,database/destructive/http/selenium"
        outcome = project.test("--parallel=2", stages)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertIn("Ran 4 tests", outcome.stderr)

    def test_a_suffix_counts_there_too(self) -> None:
        names = "self.assertIn('made_x', str(connection.settings_dict['NAME']))"
        tests = "from django.db import connection\n" + TESTS.replace(
            "self.assertEqual(Thing.objects.count(), 0)", names
        )
        outcome = self.project(tests).test("--parallel=2", "--database-suffix=x")
        self.assertEqual(outcome.returncode, 0, outcome.output)

    def test_error(self) -> None:
        """The stage that runs is completed; then the run ends as a serial one does."""
        for stages in ((), ("--stages=unit,database/destructive/http/selenium",)):
            with self.subTest(stages):
                project = self.project(meet="wait_for('testing'); raise OSError('no such thing')")
                outcome = project.test("--parallel=2", "--junit=junit.xml", *stages)
                self.assertEqual(
                    project.verdicts(),
                    dict.fromkeys(("test_a", "test_b"), "passed")
                    | dict.fromkeys(("test_c", "test_d"), "skipped"),
                )
                self.assertIn("OSError: no such thing", outcome.stderr)
                self.assertIn("2 tests not run", outcome.stderr)
                serial = self.project(meet="raise OSError('no such thing')").test(
                    "--select=database"
                )
                self.assertEqual(outcome.returncode, serial.returncode)
                self.assertEqual(outcome.stderr.splitlines()[-1], serial.stderr.splitlines()[-1])
                left = {path.name for path in project.folder.glob("made*")}
                self.assertEqual(left, set())

    def test_a_failure_is_told_while_they_are_made(self) -> None:
        """The report is complete before the command ends, which has to wait for them."""
        tests = TESTS.replace('wait_for("migrating")', 'wait_for("migrating"); self.fail("x")')
        for arguments in ((), ("--failfast",)):
            with self.subTest(arguments):
                project = self.project(tests, meet="wait_for('junit.xml')")
                outcome = project.test("--parallel=2", "--junit=junit.xml", *arguments)
                self.assertEqual(outcome.returncode, 1, outcome.output)
                self.assertEqual(project.verdicts()["test_c"], "skipped")
                self.assertIn("FAILED (failures=1", outcome.stderr)
                left = {path.name for path in project.folder.glob("made*")}
                self.assertEqual(left, set())

    def test_not_where_no_test_needs_them(self) -> None:
        for arguments in (["--select=unit"], ["--list"]):
            with self.subTest(arguments):
                tests = TESTS.replace('wait_for("migrating")', "...")
                project = self.project(tests)
                outcome = project.test("--parallel=2", *arguments)
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertFalse((project.folder / "migrating").exists())

    def test_a_worker_that_dies_meanwhile(self) -> None:
        """Its successor is started, and sees nothing of a database that is half made."""
        tests = TESTS.replace(
            'wait_for("migrating")',
            'wait_for("migrating"); Path("dying").touch(); os.kill(os.getpid(), signal.SIGKILL)',
        )
        for method in METHODS:
            with self.subTest(method):
                project = self.project(tests, meet="wait_for('dying')")
                outcome = project.test("--parallel=2", "--keep-going", f"--start-method={method}")
                self.assertEqual(outcome.returncode, 1, outcome.output)
                self.assertIn("Ran 4 tests", outcome.stderr)
                self.assertIn("FAILED (errors=1)", outcome.stderr)

    def test_an_undeclared_database_meanwhile(self) -> None:
        """The test waits for it."""
        tests = TESTS.replace(
            'wait_for("migrating")',
            'wait_for("migrating"); self.assertEqual(Thing.objects.count(), 0)',
        )
        outcome = self.project(tests).test("--parallel=2")
        self.assertEqual(outcome.returncode, 0, outcome.output)


CHECKS = """
import os, threading, time
from pathlib import Path
from django.core.checks import Error, Warning, register
from meeting import wait_for

@register
def check(app_configs, **kwargs):
    Path("checking").touch()
    with open("pids.txt", "a") as file:
        file.write(f"{os.getpid()}\\n")
    BODY
"""

CHECKED = """
import os, unittest
from pathlib import Path
from meeting import wait_for
import app.checks

class Units(unittest.TestCase):
    def test_a(self):
        Path("testing").touch()
        Path("pid.txt").write_text(str(os.getppid()))
        wait_for(*os.environ["TEST_WAITS"].split())

    def test_b(self): ...

class More(unittest.TestCase):
    test_type = "http"
    def test_c(self): ...
"""

BESIDE = {"TEST_WAITS": "checking"}


class ChecksTest(unittest.TestCase):
    def project(self, body: str) -> InnerProject:
        return inner_project(
            self,
            CHECKED,
            **{"meeting.py": MEETING, "app/checks.py": CHECKS.replace("BODY", body)},
        )

    def test_beside_the_first_stage(self) -> None:
        """In a process of their own, once."""
        for method in METHODS:
            with self.subTest(method):
                project = self.project("wait_for('testing'); return [Warning('beware')]")
                outcome = project.test(
                    "--parallel=2",
                    "--checks-beside",
                    f"--start-method={method}",
                    environment=BESIDE,
                )
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertEqual(outcome.stderr.count("beware"), 1, outcome.output)
                self.assertIn("1 issue (0 silenced)", outcome.stderr)
                self.assertIn("Ran 3 tests", outcome.stderr)
                (pid,) = (project.folder / "pids.txt").read_text().split()
                self.assertNotEqual(pid, (project.folder / "pid.txt").read_text())

    def test_errors_stop_the_run(self) -> None:
        """What is running is finished, nothing else is begun; the rest is as without workers."""
        for method in METHODS:
            with self.subTest(method):
                project = self.project("wait_for('testing'); return [Error('wrong')]")
                outcome = project.test(
                    "--parallel=2",
                    "--checks-beside",
                    "--junit=junit.xml",
                    f"--start-method={method}",
                    environment=BESIDE,
                )
                serial = project.test(environment=BESIDE)
                self.assertEqual(outcome.returncode, serial.returncode, outcome.output)
                self.assertEqual(outcome.returncode, 1)
                lines = serial.stderr.strip().splitlines()
                self.assertIn("SystemCheckError", lines[0])
                self.assertTrue(outcome.stderr.strip().endswith("\n".join(lines)), outcome.output)
                verdicts = project.verdicts()
                self.assertEqual(verdicts["test_a"], "passed")
                self.assertEqual(verdicts["test_c"], "skipped")
                self.assertIn("not run", outcome.stderr)

    def test_the_first_stage_waits_for_them(self) -> None:
        """Though its tests have ended long since, the next one does not begin."""
        project = self.project("time.sleep(0.5); return [Error('wrong')]")
        outcome = project.test(
            "--parallel=2",
            "--checks-beside",
            "--junit=junit.xml",
            environment={"TEST_WAITS": "testing"},
        )
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertEqual(project.verdicts()["test_c"], "skipped")

    def test_one_that_needs_a_database(self) -> None:
        """It has that of the run."""
        body = (
            "from app.models import Thing; Path(f'count{Thing.objects.count()}').touch(); "
            "return [Warning('beware')]"
        )
        for method in METHODS:
            with self.subTest(method):
                project = self.project(body)
                outcome = project.test(
                    "--parallel=2",
                    "--checks-beside",
                    f"--start-method={method}",
                    environment=BESIDE,
                )
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertEqual(outcome.stderr.count("beware"), 1, outcome.output)
                self.assertTrue((project.folder / "count0").exists())
                self.assertFalse((project.folder / "real.sqlite3").exists())

    def test_one_that_raises_or_dies(self) -> None:
        for body, message in (
            ("raise OSError('x')", "OSError: x"),
            ("os._exit(3)", "The system checks could not be run: their process has died"),
        ):
            with self.subTest(body):
                outcome = self.project(body).test(
                    "--parallel=2", "--checks-beside", environment=BESIDE
                )
                self.assertNotEqual(outcome.returncode, 0)
                self.assertIn(message, outcome.stderr)

    def test_none(self) -> None:
        for arguments in (["--parallel=2"], []):
            with self.subTest(arguments):
                project = self.project("return [Error('wrong')]")
                outcome = project.test(
                    "--no-checks", *arguments, environment={"TEST_WAITS": "testing"}
                )
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertFalse((project.folder / "checking").exists())


SPECULATION = """
import os, signal, time, unittest
from pathlib import Path
from django.test import TestCase
from app.models import Thing
from meeting import wait_for

def note(line):
    with open("log.txt", "a") as file:
        file.write(f"{line}\\n")

class Last(unittest.TestCase):
    def test_last(self):
        Path("last").touch()
        wait_for("ahead")
        note("last")
        END

class Ahead(TestCase):
    sane_group = "ahead"  # one unit
    @classmethod
    def setUpClass(cls): super().setUpClass()
    def test_ahead_1(self):
        wait_for("last")
        note("ahead")
        Path("ahead").touch()
        BEGUN
    def test_ahead_2(self): print("words of ahead_2")

class More(TestCase):
    def test_more(self): note("more")
"""

RECORDER = """
from sanerunner import Plugin

class Recorder(Plugin):
    def handle_event(self, event):
        name = type(event).__name__
        if name.startswith("Stage"):
            line = f"{name} {event.stage}"
        elif name.startswith("Test"):
            line = " ".join([name, event.test.method_name, *[getattr(event, "outcome", "")]])
        else:
            return
        with open("events.txt", "a") as file:
            file.write(line.strip() + "\\n")

class Stages(Plugin):
    def stage_setup(self, stage): ...
"""


class SpeculationTest(unittest.TestCase):
    """Idle workers begin the next stage; nobody hears of it before that begins."""

    def run_project(
        self, *arguments: str, end: str = "", begun: str = "", plugin: str = "Recorder"
    ) -> tuple[InnerProject, Outcome]:
        project = inner_project(
            self,
            SPECULATION.replace("END", end).replace("BEGUN", begun),
            f"SANERUNNER = {{'PLUGINS': ['app.plugin.{plugin}']}}",
            **{"meeting.py": MEETING, "app/plugin.py": RECORDER},
        )
        outcome = project.test("--parallel=2", "--junit=junit.xml", *arguments)
        return project, outcome

    def events(self, project: InnerProject) -> list[str]:
        return (project.folder / "events.txt").read_text().splitlines()

    def test_order_of_events(self) -> None:
        for method in METHODS:
            with self.subTest(method):
                project, outcome = self.run_project(f"--start-method={method}")
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertIn("Ran 4 tests", outcome.stderr)
                events = self.events(project)
                self.assertEqual(
                    events[:5],
                    [
                        "StageStarted unit",
                        "TestStarted test_last",
                        "TestFinished test_last passed",
                        "StageFinished unit",
                        "StageStarted database",
                    ],
                )
                self.assertEqual(events[5], "TestStarted test_ahead_1")
                self.assertEqual(events[-1], "StageFinished database")
                self.assertEqual(len(events), 12)
                log = (project.folder / "log.txt").read_text().split()
                self.assertLess(log.index("ahead"), log.index("last"))
                self.assertIn("words of ahead_2", outcome.stdout)

    def test_what_has_begun_of_a_stage_that_does_not_run(self) -> None:
        """Its tests were not run, whatever they have found."""
        for begun in ("", "self.fail('never to be seen')", "os.kill(os.getpid(), signal.SIGKILL)"):
            with self.subTest(begun):
                project, outcome = self.run_project(end="self.fail('x')", begun=begun)
                self.assertEqual(outcome.returncode, 1, outcome.output)
                self.assertIn("Ran 1 test in", outcome.stderr)
                self.assertIn("FAILED (failures=1, not run=3)", outcome.stderr)
                self.assertNotIn("never to be seen", outcome.output)
                self.assertNotIn("died", outcome.output)
                self.assertEqual(
                    project.verdicts(),
                    {
                        "test_last": "failure",
                        "test_ahead_1": "skipped",
                        "test_ahead_2": "skipped",
                        "test_more": "skipped",
                    },
                )
                self.assertIn("not run: stage 'unit' failed", outcome.output)

    def test_keep_going(self) -> None:
        """The stage runs in any case; what was found ahead of it counts."""
        project, outcome = self.run_project(
            "--keep-going", end="self.fail('x')", begun="self.fail('y')"
        )
        self.assertIn("FAILED (failures=2)", outcome.stderr)
        self.assertIn("Ran 4 tests", outcome.stderr)
        self.assertEqual(project.verdicts()["test_more"], "passed")

    def test_a_worker_that_dies_ahead(self) -> None:
        """It is told of when the stage has begun, and the rest runs."""
        project, outcome = self.run_project(begun="os.kill(os.getpid(), signal.SIGKILL)")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        self.assertIn("FAILED (errors=1)", outcome.stderr)
        verdicts = project.verdicts()
        self.assertEqual(verdicts.pop("test_ahead_1"), "error")
        self.assertEqual(set(verdicts.values()), {"passed"})
        events = self.events(project)
        begins = events.index("StageStarted database")
        self.assertGreater(events.index("TestFinished test_ahead_1 errored"), begins)

    def test_failfast(self) -> None:
        """A failure ahead of its stage ends the run when that has begun, not before."""
        project, outcome = self.run_project("--failfast", begun="self.fail('y')")
        self.assertEqual(outcome.returncode, 1, outcome.output)
        verdicts = project.verdicts()
        self.assertEqual((verdicts["test_last"], verdicts["test_ahead_1"]), ("passed", "failure"))

    def test_not_where_it_is_turned_off(self) -> None:
        """Nor where a plugin does something between stages."""
        for arguments, plugin in ((["--no-speculate"], "Recorder"), ([], "Stages")):
            with self.subTest(plugin):
                project = inner_project(
                    self,
                    SPECULATION.replace("END", "")
                    .replace("BEGUN", "")
                    .replace('wait_for("ahead")', "time.sleep(0.3)"),
                    f"SANERUNNER = {{'PLUGINS': ['app.plugin.{plugin}']}}",
                    **{"meeting.py": MEETING, "app/plugin.py": RECORDER},
                )
                outcome = project.test("--parallel=2", *arguments)
                self.assertEqual(outcome.returncode, 0, outcome.output)
                log = (project.folder / "log.txt").read_text().split()
                self.assertEqual((log[0], sorted(log[1:])), ("last", ["ahead", "more"]))
