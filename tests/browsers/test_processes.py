"""Drivers that have outlived those who started them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from sanerunner.browsers import processes

SLEEP = [sys.executable, "-c", "input()"]

DRIVER = f"""
import subprocess
browser = subprocess.Popen({SLEEP!r})
print(browser.pid, flush=True)
browser.wait()
"""
# Starts a driver, which starts a browser; tells of both and waits to be killed.
OWNER = f"""
import subprocess, sys
from sanerunner.browsers import processes
files = processes.DriverFiles()
driver = subprocess.Popen(
    [sys.executable, "-c", {DRIVER!r}],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, **processes.OWN_GROUP
)
files.note(driver.pid)
print(driver.pid, driver.stdout.readline().decode().strip(), files.folder, flush=True)
input()
"""


@unittest.skipUnless(os.name == "posix", "there are process groups")
class OrphansTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        patch = mock.patch.object(tempfile, "tempdir", folder.name)
        patch.start()
        self.addCleanup(patch.stop)
        self.temporary = folder.name

    def start(self) -> tuple[subprocess.Popen[bytes], int, int, Path]:
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER],
            env={**os.environ, "TMPDIR": self.temporary},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert owner.stdin is not None and owner.stdout is not None
        self.addCleanup(owner.stdin.close)
        self.addCleanup(owner.stdout.close)
        self.addCleanup(owner.wait)
        self.addCleanup(owner.kill)
        driver, browser, folder = owner.stdout.readline().decode().split()
        return owner, int(driver), int(browser), Path(folder)

    def assert_dead(self, *pids: int) -> None:
        for pid in pids:
            while processes.started(pid):  # a signal takes its time
                pass

    def test_a_driver_whose_owner_lives_is_left_alone(self) -> None:
        owner, pid, browser, folder = self.start()
        self.assertEqual(processes.end_orphans(), [])
        self.assertTrue(processes.started(pid))
        self.assertTrue(processes.started(browser))
        self.assertTrue(folder.is_dir())
        owner.kill()
        owner.wait()
        processes.end_orphans()

    def test_one_whose_owner_was_killed_is_ended_with_its_browser_and_files(self) -> None:
        owner, pid, browser, folder = self.start()
        owner.kill()
        owner.wait()
        self.assertEqual(processes.end_orphans(), [pid])
        self.assertFalse(folder.exists())
        self.assert_dead(pid, browser)
        self.assertEqual(processes.end_orphans(), [])

    def test_a_zombie_is_dead(self) -> None:
        owner, pid, _, _ = self.start()
        owner.kill()  # and nobody has asked for its exit status
        os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(processes.end_orphans(), [pid])

    def test_another_process_with_the_same_id_is_left_alone(self) -> None:
        child = subprocess.Popen(SLEEP, stdin=subprocess.PIPE, **processes.OWN_GROUP)
        self.addCleanup(processes.end, child)
        place = processes.registry()
        assert place is not None
        note = place / f"{child.pid}.json"
        note.write_text(json.dumps({"owner": [1, "never"], "driver": [child.pid, "once"]}))
        self.assertEqual(processes.end_orphans(), [])
        self.assertIsNone(child.poll())
        self.assertFalse(note.exists())

    def test_what_cannot_be_read_is_removed(self) -> None:
        place = processes.registry()
        assert place is not None
        (place / "5.json").write_text("{")
        self.assertEqual(processes.end_orphans(), [])
        self.assertEqual(list(place.iterdir()), [])

    def test_the_folder_of_another_user_is_not_trusted(self) -> None:
        place = processes.registry()
        assert place is not None
        place.chmod(0o777)
        self.assertIsNone(processes.registry())
        self.assertEqual(processes.end_orphans(), [])

    def test_no_folder_but_a_drivers_is_removed(self) -> None:
        precious = Path(self.temporary, "precious")
        precious.mkdir()
        place = processes.registry()
        assert place is not None
        known = {"owner": [1, "never"], "driver": [1, "never"], "folder": str(precious)}
        (place / "1.json").write_text(json.dumps(known))
        processes.end_orphans()
        self.assertTrue(precious.is_dir())
