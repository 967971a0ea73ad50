"""The system checks that need no database, in a process beside the first stage."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from ..exceptions import WorkerError
from .channel import Channel, ChannelClosed
from .systemchecks import CheckResult

# Starts a process that calls serve_checks() with the connection.
CheckLaunch = Callable[[Connection], BaseProcess]


class CheckProcess:
    """``take(result)`` is given what the checks have found, and may raise; ``again()`` runs them
    in this process, if one of them needs a database after all.
    """

    def __init__(
        self,
        launch: CheckLaunch,
        *,
        take: Callable[[CheckResult], None],
        again: Callable[[], None],
    ) -> None:
        self._launch = launch
        self._take = take
        self._again = again
        self._process: BaseProcess | None = None

    def start(self) -> None:
        ours, theirs = Pipe()
        self._channel = Channel(ours)
        try:
            self._process = self._launch(theirs)
        finally:
            theirs.close()

    def fileno(self) -> int:
        """Becomes readable when there is a result, or none will come."""
        return self._channel.fileno()

    def finish(self) -> None:
        """Take the result. Raises what ``take()`` raises, and WorkerError if there is none."""
        try:
            name, *values = self._channel.receive()
        except ChannelClosed:
            name, values = "failed", ["their process has died"]
        self.end()
        if name == "failed":
            raise WorkerError(f"The system checks could not be run: {values[0]}")
        if name == "needs a database":
            self._again()
        else:
            self._take(CheckResult(*values))

    def end(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
            self._channel.close()


def serve_checks(connection: Connection, check: Callable[[], CheckResult | None]) -> None:
    """Be the process; ``check()`` returns None where a check needs a database."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run decides
    channel = Channel(connection)
    try:
        result = check()
        if result is None:
            channel.send(("needs a database",))
        else:
            channel.send(("checked", result.output, result.errors, result.failure))
    except ChannelClosed:  # the run is over
        return
    except BaseException:
        channel.send(("failed", f"\n{traceback.format_exc()}"))
