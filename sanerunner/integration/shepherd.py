"""Runs a shell command and sees to it that nothing is left of it: a process of its own.

``python shepherd.py ALIVE TERMINAL COMMAND``: ALIVE is the reading end of a pipe whose other end
the server has, and nobody else: when it is closed, the server has ended. With TERMINAL 1 the
command is to be in the foreground of the terminal. The exit status is the command's, as a shell
tells it. Nothing but the standard library is imported, as this has to be there at once.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

#: How long a command, and what it has started, may take to end when it was asked to, in seconds.
GRACE = 10.0
#: How often processes are looked for where nothing tells of their end, in seconds.
INTERVAL = 0.05
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


class Shepherd:
    """The command's group of processes is neither this process's nor the server's: a signal of
    the terminal goes to the command alone, and one to the server's group does not end this.
    """

    def __init__(self, command: str, alive: int, *, terminal: bool) -> None:
        self._alive = alive
        self._finds_all = _adopt_orphans()
        self._deadline: float | None = None
        self._wakes, wakes = socket.socketpair()
        for end in (self._wakes, wakes):
            end.setblocking(False)
        self._keeps = wakes
        signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *args: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._forward)
        self._terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC) if terminal else None
        # The new group must have the terminal before the command reads from it.
        self._process = subprocess.Popen(command, shell=True, preexec_fn=self._begin)
        self._group = self._process.pid
        self._status: int | None = None

    def _begin(self) -> None:
        """In the new process, before it is the command."""
        os.setpgid(0, 0)
        if self._terminal is not None:
            _put_in_front(self._terminal, os.getpgrp())

    def run(self) -> int:
        """Return the status of the command, when all that it has started has ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._wakes, selectors.EVENT_READ)
            selector.register(self._alive, selectors.EVENT_READ)
            while not self._has_ended():
                ready = {key.fileobj for key, _ in selector.select(self._time_left())}
                self._drain()
                late = self._deadline is not None and time.monotonic() > self._deadline
                if self._alive in ready or late:
                    break
        self._sweep()
        status = self._status if self._status is not None else self._process.wait()
        return status if status >= 0 else 128 - status

    def _time_left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _drain(self) -> None:
        try:
            self._wakes.recv(4096)
        except BlockingIOError:
            pass

    def _has_ended(self) -> bool:
        pid, status = os.waitpid(self._process.pid, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return False
        if os.WIFSTOPPED(status):
            self._stop()
            return False
        self._status = self._process.returncode = os.waitstatus_to_exitcode(status)
        return True

    def _stop(self) -> None:
        """Ctrl-Z: the server sees that this process has stopped, stops, and wakes it again."""
        if self._terminal is None:
            return
        os.kill(os.getpid(), signal.SIGSTOP)
        _put_in_front(self._terminal, self._group)
        os.killpg(self._group, signal.SIGCONT)

    def _forward(self, number: int, frame: object) -> None:
        """Ask the command to end; one that has been asked by SIGTERM has to."""
        if number != signal.SIGINT and self._deadline is None:
            self._deadline = time.monotonic() + GRACE
        self._signal(-self._group, number)

    def _sweep(self) -> None:
        """End what the command has left running, and the command."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            left = self._left()
            for process in left:
                self._signal(process, number)
                self._signal(process, signal.SIGCONT)
            deadline = time.monotonic() + GRACE
            while left and time.monotonic() < deadline:
                pause = deadline - time.monotonic() if self._finds_all else INTERVAL
                with selectors.DefaultSelector() as selector:
                    selector.register(self._wakes, selectors.EVENT_READ)
                    selector.select(pause)
                self._drain()
                left = self._left()

    def _left(self) -> list[int]:
        """Return the processes that are left; a group is a negative number."""
        self._reap()
        if self._finds_all:
            return list(_descendants(os.getpid()))
        return [-self._group] if self._signal(-self._group, 0) else []

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._process.pid and self._status is None:
                self._status = self._process.returncode = os.waitstatus_to_exitcode(status)

    @staticmethod
    def _signal(process: int, number: int) -> bool:
        """Send a signal; return whether there was somebody to get it."""
        try:
            os.killpg(-process, number) if process < 0 else os.kill(process, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


def _adopt_orphans() -> bool:
    """Become the parent of descendants whose own has ended, where the system has that."""
    if sys.platform != "linux" or not os.path.exists("/proc/self/stat"):
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0) == 0)


def _descendants(root: int) -> Iterator[int]:
    """Yield the living descendants of a process, by /proc."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:  # it has just ended
                continue
            if state not in (b"Z", b"X"):
                children.setdefault(int(parent), []).append(int(name))
    pending = [root]
    while pending:
        found = children.get(pending.pop(), [])
        yield from found
        pending += found


def _put_in_front(terminal: int, group: int) -> None:
    """Give a group of processes the terminal, which only one that has it may do unasked."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(terminal, group)
    except OSError:
        pass  # the terminal is gone
    finally:
        signal.signal(signal.SIGTTOU, before)


def main() -> None:
    alive, terminal, command = sys.argv[1:]
    os.setpgid(0, 0)
    sys.exit(Shepherd(command, int(alive), terminal=terminal == "1").run())


if __name__ == "__main__":
    main()
