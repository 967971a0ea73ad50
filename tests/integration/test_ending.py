"""However it ends, nothing is left of an integration server: no process, port or database."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from sanerunner.integration import shepherd

from ..support.projects import ROOT
from .site import TIMEOUT, Site, is_alive

# A command that tells the number of a process which it leaves in the background.
LEAVES = 'python -c "import time; time.sleep(1000)" & echo left $!; '
# A populating function that tells when it is running, and does not end.
WAITS = """
import signal

def wait():
    print("waiting", flush=True)
    signal.pause()
"""
TRAPS = """
import os, signal, sys

def stop(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    sys.exit(5)

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
print("server", os.getppid(), "up", flush=True)
while True:
    signal.pause()
"""


# A command that asks the user, twice.
ASKS = "echo asks $((1 + 1)); read answer && echo answer is $answer; read again"
INTERACTIVE = ("manage.py", "integrationserver", "--no-control", "--exec", ASKS)
CTRL_C, CTRL_Z = b"\x03", b"\x1a"


def left_in(text: str) -> int:
    """Return the number of the process that LEAVES has told."""
    return int(text.partition("left ")[2].split()[0])


class EndingTest(unittest.TestCase):
    def setUp(self) -> None:
        if os.name != "posix":
            self.skipTest("signals and groups of processes are POSIX's")

    def assert_gone(self, pid: int) -> None:
        """A process that has been killed may take a moment to end."""
        if not hasattr(os, "pidfd_open"):
            self.skipTest("only Linux tells when another's process has ended")
        try:
            ends = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        self.addCleanup(os.close, ends)
        self.assertTrue(select.select([ends], [], [], TIMEOUT)[0])

    def assert_free(self, url: str) -> None:
        address = urlsplit(url)
        with socket.socket() as client, self.assertRaises(ConnectionRefusedError):
            client.connect((address.hostname, address.port))

    def test_signals_without_a_command(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                site = Site(self)
                running = site.start("0", "--no-control").wait_until_ready()
                self.assertNotEqual(site.files(), [])
                self.assertEqual(running.finish(number)[0], 0)
                self.assertEqual(site.files(), [])
                self.assert_free(running.url)

    def test_a_signal_while_it_is_being_made(self) -> None:
        site = Site(self, **{"app/waits.py": WAITS})
        running = site.start("0", "--no-control", "--populate", "app.waits.wait")
        assert running.process.stdout is not None
        self.assertEqual(running.process.stdout.readline(), "waiting\n")
        status, _, stderr = running.finish(signal.SIGTERM)
        self.assertEqual(status, 128 + signal.SIGTERM, stderr)
        self.assertEqual(site.files(), [])

    def test_what_the_command_leaves_is_ended(self) -> None:
        site = Site(self)
        ran = site.execute(f"{LEAVES} exit 4", "--no-control")
        self.assertEqual(ran.returncode, 4, ran.output)
        self.assert_gone(left_in(ran.stdout))
        self.assertEqual(site.files(), [])

    def test_a_command_that_is_killed(self) -> None:
        site = Site(self)
        ran = site.execute(f"{LEAVES} kill -KILL $$", "--no-control")
        self.assertEqual(ran.returncode, 128 + signal.SIGKILL, ran.output)
        self.assert_gone(left_in(ran.stdout))
        self.assertEqual(site.files(), [])

    def test_signals_are_passed_on(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                site = Site(self, **{"traps.py": TRAPS})
                running = site.start("--no-control", "--exec", "exec python traps.py")
                assert running.process.stdout is not None
                self.assertIn("up", running.process.stdout.readline())
                status, stdout, stderr = running.finish(number)
                self.assertEqual((status, stdout), (5, f"got {number.name}\n"), stderr)
                self.assertEqual(site.files(), [])

    def test_a_server_that_is_killed(self) -> None:
        site = Site(self)
        running = site.start("--no-control", "--exec", f"{LEAVES} echo $SANE_BASE_URL; wait")
        assert running.process.stdout is not None
        pid = left_in(running.process.stdout.readline())
        url = running.process.stdout.readline().strip()
        running.send(signal.SIGKILL)
        self.assertEqual(running.process.wait(), -signal.SIGKILL)
        self.assert_gone(pid)
        self.assert_free(url)
        self.assertNotEqual(site.files(), [])  # nobody was there to remove them
        ran = site.execute("true", "--no-control")  # what is there has the project's mark
        self.assertEqual((ran.returncode, site.files()), (0, []), ran.output)

    def test_what_a_killed_server_has_left_is_pruned(self) -> None:
        site = Site(self)
        running = site.start("0", "--no-control").wait_until_ready()
        running.send(signal.SIGKILL)
        running.process.wait()
        (path,) = site.temporary.rglob("*.sane-run")
        content = json.loads(path.read_text())
        content["mark"]["used_at"] -= 2 * 24 * 60 * 60
        path.write_text(json.dumps(content))
        ran = site.execute("true", "--no-control", "--prune-databases", "--database-suffix=x")
        self.assertIn("removed, last used on", ran.stdout, ran.output)
        self.assertEqual(site.files(), [])

    def test_an_interactive_command_has_the_terminal(self) -> None:
        site = Site(self)
        terminal, pid = self.terminal(site, sys.executable, *INTERACTIVE)
        said = read_until(terminal, "asks 2")
        os.write(terminal, b"forty-two\n")
        said += read_until(terminal, "answer is forty-two")
        os.write(terminal, CTRL_C)
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 128 + signal.SIGINT, said)
        self.assertEqual(site.files(), [])

    def test_a_shell_can_stop_it_and_go_on(self) -> None:
        if shutil.which("bash") is None:
            self.skipTest("a shell with job control is needed: bash")
        site = Site(self)
        terminal, _ = self.terminal(site, "bash", "--norc", "-i")
        os.write(terminal, shlex.join([sys.executable, *INTERACTIVE]).encode() + b"\n")
        read_until(terminal, "asks 2")
        os.write(terminal, CTRL_Z)
        read_until(terminal, "Stopped")
        os.write(terminal, b"echo shell says $((40 + 2))\n")
        read_until(terminal, "says 42")
        os.write(terminal, b"fg\n")
        read_until(terminal, "read again")  # the shell says what goes on
        os.write(terminal, b"forty-two\n")
        read_until(terminal, "answer is forty-two")
        os.write(terminal, CTRL_C)
        read_until(terminal, "Destroying")
        os.write(terminal, b"echo status $(($? + 1000))\n")
        read_until(terminal, "status 1130")
        self.assertEqual(site.files(), [])

    def terminal(self, site: Site, *command: str) -> tuple[int, int]:
        """Start a command in a terminal of its own; return that, and the process."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(site.project.folder)
            os.environ.update(site.environment, PYTHONPATH=str(ROOT))
            os.execvp(command[0], list(command))
        self.addCleanup(os.close, terminal)
        return terminal, pid


def read_until(terminal: int, text: str) -> str:
    said = ""
    while text not in said:
        ready, _, _ = select.select([terminal], [], [], TIMEOUT)
        if not ready:
            raise AssertionError(f"{text!r} did not come after {said!r}")
        said += os.read(terminal, 4096).decode(errors="replace")
    return said


class ShepherdTest(unittest.TestCase):
    def herd(self, command: str) -> tuple[subprocess.Popen[str], int]:
        """Start a shepherd; return it, and what it knows this process by."""
        if os.name != "posix":
            self.skipTest("signals and groups of processes are POSIX's")
        alive, mine = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-I", shepherd.__file__, str(alive), "0", command],
            pass_fds=[alive],
            stdout=subprocess.PIPE,
            text=True,
        )
        os.close(alive)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process, mine

    def test_the_status_is_the_command_s(self) -> None:
        for command, status in (("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 143)):
            with self.subTest(command):
                process, mine = self.herd(command)
                self.assertEqual(process.wait(), status)
                os.close(mine)

    def test_the_command_ends_with_the_server(self) -> None:
        process, mine = self.herd("echo started; sleep 1000")
        assert process.stdout is not None
        self.assertEqual(process.stdout.readline(), "started\n")
        os.close(mine)
        self.assertEqual(process.wait(), 128 + signal.SIGTERM)

    def test_those_that_leave_the_group_are_ended_as_well(self) -> None:
        if sys.platform != "linux" or not Path("/proc").exists():
            self.skipTest("only Linux tells who the descendants of a process are")
        source = "import os, time; os.setsid(); print('away', flush=True); time.sleep(1000)"
        process, mine = self.herd(f'{sys.executable} -c "{source}" & echo left $!; wait')
        assert process.stdout is not None
        told = process.stdout.readline() + process.stdout.readline()
        self.assertIn("away", told)
        os.close(mine)
        process.wait()
        self.assertFalse(is_alive(left_in(told)))
