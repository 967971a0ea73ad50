"""What runs remember, and the options that make use of it."""

from __future__ import annotations

import sqlite3
import tempfile
import unittest
from contextlib import closing, redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from sanerunner import conf
from sanerunner.collection.describing import unique_ids
from sanerunner.collection.narrowing import narrow
from sanerunner.collection.sharding import keep_shard
from sanerunner.events import Outcome, RunFinished
from sanerunner.exceptions import UsageError
from sanerunner.parsing import Shard
from sanerunner.reporting.history import FILE_NAME, History, Recording, read_recording

from .event_streams import finished, send, test_info
from .support.projects import inner_project
from .support.running import tests_of

ENDED = RunFinished(True, 1.0)
ADD, SUB = test_info("test_add"), test_info("test_sub")


class HistoryTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "state"
        self.path = self.folder / FILE_NAME

    def run_with(self, *events: Any) -> str:
        """Store the events of one run; return what was said on standard error."""
        said = StringIO()
        with redirect_stderr(said):
            send([*events, ENDED], History(self.folder).handle_event)
        return said.getvalue()

    def test_nothing_before_the_first_run(self) -> None:
        recording = History(self.folder).read()
        self.assertFalse(recording)
        self.assertFalse(self.folder.exists())

    def test_remembers_durations_and_verdicts(self) -> None:
        self.run_with(finished(ADD, duration=2.0), finished(SUB, Outcome.FAILED, duration=1.0))
        recording = History(self.folder).read()
        self.assertEqual(recording.durations, {ADD.id: 2.0, SUB.id: 1.0})
        self.assertEqual(recording.verdicts, {ADD.id: "passed", SUB.id: "failed"})

    def test_is_ignored_by_git(self) -> None:
        self.run_with(finished(ADD))
        self.assertEqual((self.folder / ".gitignore").read_text(), "*\n")

    def test_runs_of_parts_add_up(self) -> None:
        self.run_with(finished(ADD, duration=2.0))
        self.run_with(finished(SUB, duration=1.0))
        self.assertEqual(set(History(self.folder).read().verdicts), {ADD.id, SUB.id})

    def test_durations_are_evened_out(self) -> None:
        self.run_with(finished(ADD, duration=2.0))
        self.run_with(finished(ADD, duration=1.0))
        self.assertEqual(History(self.folder).read().durations, {ADD.id: 1.5})

    def test_a_test_that_did_not_run_keeps_its_duration(self) -> None:
        self.run_with(finished(ADD, duration=2.0))
        self.run_with(finished(ADD, Outcome.NOT_RUN, duration=0.0))
        recording = History(self.folder).read()
        self.assertEqual(recording.durations, {ADD.id: 2.0})
        self.assertEqual(recording.verdicts, {ADD.id: "not run"})

    def test_ids_that_do_not_begin_with_the_class(self) -> None:
        doctest = test_info("lines", id="shop.prices", class_name="shop")
        other = test_info("x", id="app.tests.X.x", class_name="doctest.DocTestCase")
        self.run_with(finished(doctest), finished(other))
        self.assertEqual(set(History(self.folder).read().verdicts), {doctest.id, other.id})

    def test_classes_not_seen_for_long_are_forgotten(self) -> None:
        self.run_with(finished(ADD))
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("UPDATE class SET seen = 0")
        self.run_with(finished(test_info(case="OtherTests")))
        self.assertEqual(len(History(self.folder).read().verdicts), 1)

    def test_a_file_that_is_no_history_is_begun_anew(self) -> None:
        self.folder.mkdir()
        self.path.write_text("no database, but long enough to be taken for one" * 50)
        said = StringIO()
        with redirect_stderr(said):
            self.assertFalse(History(self.folder).read())
        self.assertIn("cannot be read and is begun anew", said.getvalue())
        self.assertEqual(self.run_with(finished(ADD)), "")
        self.assertTrue(History(self.folder).read())

    def test_a_file_that_cannot_be_opened_is_said(self) -> None:
        self.path.mkdir(parents=True)
        said = StringIO()
        with redirect_stderr(said):
            self.assertFalse(History(self.folder).read())
        self.assertIn("cannot be read (", said.getvalue())

    def test_another_format_is_begun_anew(self) -> None:
        self.run_with(finished(ADD))
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("PRAGMA user_version = 99")
        self.run_with(finished(SUB))
        self.assertEqual(set(History(self.folder).read().verdicts), {SUB.id})

    def test_a_folder_that_cannot_be_written_is_said(self) -> None:
        self.folder.write_text("a file")
        self.assertIn("cannot be written", self.run_with(finished(ADD)))

    def test_recording_of_another_run(self) -> None:
        self.run_with(finished(ADD, duration=2.0))
        for path in (self.folder, self.path):
            self.assertEqual(read_recording(path).durations, {ADD.id: 2.0})

    def test_recording_that_is_not_there_or_none(self) -> None:
        with self.assertRaisesRegex(UsageError, "--durations-from: there is no recording at "):
            read_recording(self.path)
        self.folder.mkdir()
        self.path.write_text("x" * 2000)
        with self.assertRaisesRegex(UsageError, "is no recording: file is not a database"):
            read_recording(self.path)


def classes(count: int, tests: int = 3) -> list[type[unittest.TestCase]]:
    methods: dict[str, Any] = {f"test_{n}": lambda self: None for n in range(tests)}
    return [type(f"Made{n}", (unittest.TestCase,), dict(methods)) for n in range(count)]


class ShardingTest(unittest.TestCase):
    def test_parts_make_up_the_whole(self) -> None:
        tests = tests_of(*classes(7))
        ids = unique_ids(tests)
        durations = {test_id: float(len(test_id) * n % 7) for n, test_id in enumerate(ids)}
        for count in range(1, 10):
            parts = [keep_shard(tests, Shard(n + 1, count), durations) for n in range(count)]
            with self.subTest(count):
                self.assertEqual(sum(map(len, parts)), len(tests))
                self.assertEqual(
                    {id(test) for part in parts for test in part}, set(map(id, tests))
                )

    def test_classes_stay_whole_and_in_order(self) -> None:
        tests = tests_of(*classes(5))
        part = keep_shard(tests, Shard(1, 2), {})
        self.assertEqual([test for test in tests if type(test) in set(map(type, part))], part)

    def test_balanced_by_durations(self) -> None:
        tests = tests_of(*classes(4, tests=1))
        ids = unique_ids(tests)
        durations = dict(zip(ids, (3.0, 1.0, 1.0, 1.0), strict=True))
        self.assertEqual(keep_shard(tests, Shard(1, 2), durations), tests[:1])
        self.assertEqual(keep_shard(tests, Shard(2, 2), durations), tests[1:])

    def test_new_tests_count_as_average_ones(self) -> None:
        tests = tests_of(*classes(3, tests=1))
        ids = unique_ids(tests)
        kept = keep_shard(tests, Shard(1, 2), {ids[0]: 9.0, ids[1]: 1.0})
        self.assertEqual(kept, [tests[0]])

    def test_a_part_with_nothing_to_do(self) -> None:
        self.assertEqual(keep_shard(tests_of(*classes(1)), Shard(2, 2), {}), [])

    def test_failed_imports_are_units_of_their_own(self) -> None:
        loader = unittest.TestLoader()
        loader.loadTestsFromName("no_such_module_a")
        broken: Any = [
            test
            for name in ("no_such_module_a", "no_such_module_b")
            for test in loader.loadTestsFromName(name)
        ]
        parts = [keep_shard(broken, Shard(n, 2), {}) for n in (1, 2)]
        self.assertEqual([len(part) for part in parts], [1, 1])


class NarrowingTest(unittest.TestCase):
    def setUp(self) -> None:
        self.tests = tests_of(*classes(3, tests=2))
        self.ids = unique_ids(self.tests)

    def narrowed(self, recording: Recording, **changes: Any) -> list[int]:
        """Return the places of the tests that are left, in their order."""
        result = narrow(self.tests, replace(conf.load({}), **changes), recording)
        self.notes = result.notes
        return [self.tests.index(test) for test in result.tests]

    def recording(self, *verdicts: Outcome) -> Recording:
        values = [outcome.value for outcome in verdicts]
        return Recording({}, dict(zip(self.ids, values, strict=False)))

    def test_nothing_asked_for(self) -> None:
        self.assertEqual(self.narrowed(Recording()), [0, 1, 2, 3, 4, 5])
        self.assertEqual(self.notes, [])

    def test_rerun_failed(self) -> None:
        recording = self.recording(
            Outcome.PASSED, Outcome.FAILED, Outcome.NOT_RUN, Outcome.SKIPPED, Outcome.ERRORED
        )
        self.assertEqual(self.narrowed(recording, rerun_failed=True), [1, 2, 4, 5])
        self.assertEqual(
            self.notes, ["--rerun-failed: 4 of 6 test(s) failed, did not run or are new."]
        )

    def test_rerun_failed_without_an_earlier_run(self) -> None:
        self.assertEqual(self.narrowed(Recording(), rerun_failed=True), [0, 1, 2, 3, 4, 5])
        self.assertIn("no earlier run is known", self.notes[0])

    def test_failed_first(self) -> None:
        recording = self.recording(
            *[Outcome.PASSED] * 3, Outcome.FAILED, Outcome.PASSED, Outcome.ERRORED
        )
        self.assertEqual(self.narrowed(recording, failed_first=True), [3, 2, 5, 4, 0, 1])

    def test_shard_says_what_it_is_made_by(self) -> None:
        self.assertEqual(len(self.narrowed(Recording(), shard=Shard(1, 3))), 2)
        self.assertEqual(self.notes, ["Shard 1/3: 2 of 6 test(s), by number of tests."])
        recording = Recording({self.ids[0]: 1.0}, {})
        self.narrowed(recording, shard=Shard(1, 3))
        self.assertIn(f"by recorded durations ({recording.digest})", self.notes[0])


TESTS = """
import os, unittest

class First(unittest.TestCase):
    def test_a(self): pass
    def test_b(self): self.assertFalse(os.environ.get("BROKEN"))

class Second(unittest.TestCase):
    def test_c(self): pass
"""


class ProjectTest(unittest.TestCase):
    def test_rerun_until_green(self) -> None:
        project = inner_project(self, TESTS)
        broken = project.test(environment={"BROKEN": "1"})
        self.assertEqual(broken.returncode, 1, broken.output)
        again = project.test("--rerun-failed", "--junit=junit.xml")
        self.assertEqual(again.returncode, 0, again.output)
        self.assertEqual(project.verdicts(), {"test_b": "passed"})
        self.assertIn("--rerun-failed: 1 of 3 test(s)", again.output)
        third = project.test("--rerun-failed")
        self.assertEqual(third.returncode, 0, third.output)
        self.assertIn("--rerun-failed: 0 of 3 test(s)", third.output)

    def test_shards_by_the_recording_of_another_job(self) -> None:
        project = inner_project(self, TESTS)
        project.test("--state=recorded")
        found: list[str] = []
        for number in (1, 2, 3):
            outcome = project.test(
                f"--shard={number}/3", "--durations-from=recorded", f"--junit={number}.xml"
            )
            self.assertEqual(outcome.returncode, 0, outcome.output)
            found += project.verdicts(f"{number}.xml")
        self.assertEqual(sorted(found), ["test_a", "test_b", "test_c"])

    def test_no_state(self) -> None:
        project = inner_project(self, TESTS, settings='SANERUNNER = {"STATE": None}')
        self.assertEqual(project.test().returncode, 0)
        self.assertFalse((project.folder / ".sanerunner").exists())

    def test_recording_that_is_not_there(self) -> None:
        outcome = inner_project(self, TESTS).test("--shard=1/2", "--durations-from=nowhere")
        self.assertEqual(outcome.returncode, 2, outcome.output)
        self.assertIn("there is no recording at 'nowhere'", outcome.stderr)
        self.assertNotIn("Traceback", outcome.stderr)
