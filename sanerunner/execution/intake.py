"""The events that workers report, on their way to the bus."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..events import Event, Failure, FixtureFailed, TestFinished, TestInfo
from ..exceptions import RewindError
from .agenda import Agenda
from .process import WorkerProcess
from .protocol import EventCodec, Message


class Intake:
    """Keeps account of how far a worker has come, and tells what it has reported.

    ``end_test(worker, place)`` is called for each test that has a verdict, ``stop(because)``
    after an error that makes further tests meaningless. ``show`` is handed what tests have
    printed. ``tells_starts``: whether to tell that a test has begun.
    """

    def __init__(
        self,
        tests: Sequence[TestInfo],
        *,
        agenda: Agenda,
        emit: Callable[[Event], None],
        show: Callable[[str, str], None],
        end_test: Callable[[WorkerProcess, int], None],
        stop: Callable[[str], None],
        tells_starts: bool = True,
    ) -> None:
        self._codec = EventCodec(tests)
        self._agenda = agenda
        self._emit = emit
        self._show = show
        self._end_test = end_test
        self._stop = stop
        self._tells_starts = tells_starts

    def take(self, worker: WorkerProcess, data: Message) -> None:
        if data[0] == "TestStarted":
            worker.begin(data[1])
            if not self._tells_starts:
                return
        event = self._codec.decode(data)
        if isinstance(event, TestFinished):
            self._end_test(worker, data[1])
        if worker.ahead:
            self._agenda.tell(worker, lambda: self._pass_on(event))
        else:
            self._pass_on(event)

    def _pass_on(self, event: Event) -> None:
        """Emit what a worker has reported, and draw the consequences."""
        failures: tuple[Failure, ...] = ()
        if isinstance(event, TestFinished):
            if event.stdout or event.stderr:
                self._show(event.stdout, event.stderr)
            failures = event.failures
        elif isinstance(event, FixtureFailed):
            failures = (event.failure,)
        self._emit(event)
        if failures:
            self._stop_for(failures)

    def _stop_for(self, failures: tuple[Failure, ...]) -> None:
        """Stop after an error that makes further tests meaningless, as a serial run does."""
        for failure in failures:
            if failure.type == RewindError.__name__:
                first_line = failure.message.partition("\n")[0]
                self._stop(f"{failure.type}: {first_line}")
