"""``--exec``: a command that runs while the server is ready, and ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from . import shepherd

_POSIX = os.name == "posix"


class Execution:
    """Runs ``command`` in the shell. All that it has started ends with it, and it ends with this
    process, also when that is killed (see ``shepherd``). On Windows only the shell is ended.

    An interactive command has the terminal.
    """

    def __init__(self, command: str, environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = {**os.environ, **environment}
        self._terminal: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._waiter: threading.Thread | None = None
        self.status: int | None = None

    def start(self, ended: Callable[[], object], stopped: Callable[[], object]) -> None:
        """Start the command. ``ended()`` is called, in a thread, when it has ended; ``stopped()``
        when it was stopped by Ctrl-Z: what has to be done then is ``suspend()``.
        """
        if _POSIX:
            self._terminal = _foreground_terminal()
            self._process = self._start_shepherd()
        else:
            self._process = subprocess.Popen(self._command, shell=True, env=self._environment)
        self._waiter = threading.Thread(target=self._wait, args=(ended, stopped), daemon=True)
        self._waiter.start()

    def _start_shepherd(self) -> subprocess.Popen[bytes]:
        alive, self._alive = os.pipe()
        terminal = "0" if self._terminal is None else "1"
        try:
            return subprocess.Popen(
                [sys.executable, "-I", shepherd.__file__, str(alive), terminal, self._command],
                env=self._environment,
                pass_fds=[alive],
            )
        finally:
            os.close(alive)

    def _wait(self, ended: Callable[[], object], stopped: Callable[[], object]) -> None:
        process = self._process
        assert process is not None
        if not _POSIX:
            self.status = process.wait()
        while self.status is None:
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                stopped()
                continue
            code = process.returncode = os.waitstatus_to_exitcode(status)
            self.status = code if code >= 0 else 128 - code
        ended()

    def suspend(self) -> None:
        """Stop this process as Ctrl-Z does; go on with the command when it is continued."""
        if self._terminal is None or self._process is None:
            return
        shepherd._put_in_front(self._terminal, os.getpgrp())
        os.kill(0, signal.SIGTSTP)
        self._process.send_signal(signal.SIGCONT)

    def send(self, number: int) -> None:
        """Pass a signal on to the command."""
        if self._process is not None and self.status is None:
            self._process.send_signal(number if _POSIX else signal.SIGTERM)

    def end(self) -> None:
        """See to it that the command has ended, and get the terminal back."""
        self.send(signal.SIGTERM)
        if self._waiter is not None:
            self._waiter.join()
        if _POSIX and self._process is not None:
            os.close(self._alive)
        if self._terminal is not None:
            shepherd._put_in_front(self._terminal, os.getpgrp())
            os.close(self._terminal)
            self._terminal = None


def _foreground_terminal() -> int | None:
    """Return the terminal, opened, if this process is in its foreground."""
    try:
        terminal = os.open(Path("/dev/tty"), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.tcgetpgrp(terminal) == os.getpgrp():
            return terminal
    except OSError:
        pass
    os.close(terminal)
    return None
