"""``--reload``: a process that serves, and one that starts it anew when the code has changed.

The databases stay: a process that ends for this leaves them as they are, with what the next
one needs to put them back.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from django.utils import autoreload

from ..exceptions import ServerError
from .announcing import variables
from .execute import Execution
from .interruption import Interrupted, Interruption
from .loop import MainLoop
from .serving import RELOAD
from .watching import Watcher

#: In the environment of a process that serves: where the handover is.
VARIABLE = "SANERUNNER_INTEGRATION_HANDOVER"
#: The same: the writing end of a pipe, for the URL.
READY = "SANERUNNER_INTEGRATION_READY"


class Handover:
    """A file by which the processes hand on what they know: ``token``, ``port`` (of the first
    that served), ``kept`` (see Integration.keep()), ``over`` (the databases were taken down).
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def given(cls) -> Handover | None:
        """Return that of the process that has started this one; None if none has."""
        path = os.environ.pop(VARIABLE, None)
        return None if path is None else cls(Path(path))

    def read(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
        return content

    def write(self, content: Mapping[str, Any]) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(dict(content)), encoding="utf-8")
        new.replace(self._path)

    def update(self, **values: Any) -> None:
        self.write({**self.read(), **values})

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, VARIABLE: str(self._path)}


class Supervisor:
    """Starts this very command line again and again. ``clean_up()`` takes down what a process
    that was killed has left. ``command`` is run when the first process is ready.
    """

    def __init__(
        self, token: str, command: str, *, clean_up: Callable[[], object], errors: TextIO
    ) -> None:
        self._token = token
        self._command = command
        self._clean_up = clean_up
        self._errors = errors
        self._interruption = Interruption()
        self._loop = MainLoop()  # one for each time that is waited
        self._loop.close()
        self._process: subprocess.Popen[bytes] | None = None
        self._execution: Execution | None = None
        self._stopping = False

    def run(self) -> int:
        """Return the exit status, when everything has been taken down."""
        with tempfile.TemporaryDirectory() as folder, self._interruption.taken():
            handover = Handover(Path(folder, "handover.json"))
            handover.write({"token": self._token, "executes": bool(self._command)})
            self._interruption.serving(self._interrupted)
            try:
                status = self._run(handover)
            except Interrupted as error:
                status = 128 + error.number
            finally:
                self._interruption.ending()
                if self._execution is not None:
                    self._execution.end()
                if "port" in handover.read() and not handover.read().get("over"):
                    self._clean_up()
        if self._execution is not None:
            return self._execution.status or 0
        return status

    def _run(self, handover: Handover) -> int:
        while True:
            status = self._serve(handover)
            if self._is_stopping():
                return status if status > 0 else 0
            if status == RELOAD:
                continue
            if "port" not in handover.read():  # it has never been ready: nothing to wait for
                return status if status >= 0 else 128 - status
            self._wait_for_change()
            if self._is_stopping():
                return 0

    def _is_stopping(self) -> bool:
        return self._stopping

    def _serve(self, handover: Handover) -> int:
        """Return the status of a process that has served."""
        self._loop = MainLoop()
        reading, writing = os.pipe()
        try:
            process = self._process = self._start(handover, writing)
        finally:
            os.close(writing)
        if self._is_stopping():  # the signal has come just before
            self._send(signal.SIGTERM)
        threading.Thread(target=self._wait_for_ready, args=(reading,), daemon=True).start()
        waiter = threading.Thread(target=self._wait_for_end, args=(process, self._loop))
        waiter.start()
        self._loop.run()
        waiter.join()
        self._loop.close()
        return process.returncode

    def _start(self, handover: Handover, writing: int) -> subprocess.Popen[bytes]:
        """Start a process; when it is ready it writes its URL to ``writing``."""
        command = autoreload.get_child_arguments()
        if os.name != "posix":  # where --exec with --reload is refused
            return subprocess.Popen(command, env=handover.environment)
        environment = {**handover.environment, READY: str(writing)}
        return subprocess.Popen(command, env=environment, pass_fds=[writing])

    def _wait_for_end(self, process: subprocess.Popen[bytes], loop: MainLoop) -> None:
        process.wait()
        loop.stop()

    def _wait_for_ready(self, reading: int) -> None:
        with open(reading, encoding="utf-8") as pipe:
            url = pipe.read().strip()
        if url and self._command and self._execution is None:
            try:
                self._loop.call(lambda: self._execute(url))
            except ServerError:
                pass  # it has ended meanwhile

    def _execute(self, url: str) -> None:
        self._execution = Execution(self._command, variables(url, self._token))
        self._execution.start(self._stop, lambda: self._loop.call(self._suspend))

    def _suspend(self) -> None:
        assert self._execution is not None
        self._execution.suspend()

    def _stop(self) -> None:
        """The command has ended: so does all."""
        self._stopping = True
        self._send(signal.SIGTERM)
        if self._process is None or self._process.returncode is not None:
            self._loop.stop()

    def _interrupted(self, number: int) -> None:
        if self._execution is not None and self._execution.status is None:
            self._execution.send(number)
            return
        self._stopping = True
        self._send(number)
        if self._process is None or self._process.returncode is not None:
            self._loop.stop()

    def _send(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _wait_for_change(self) -> None:
        self._loop = MainLoop()
        watcher = Watcher(lambda path: self._loop.stop(), unseen=True)
        watcher.start()
        self._errors.write("The server has ended; waiting for a change of the code.\n")
        self._errors.flush()
        self._loop.run()
        watcher.stop()
        self._loop.close()
