"""What later stages need, made in a thread while workers run the stages before them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

# Prepares what one stage needs; called in the thread.
Job = Callable[[], None]


class Background:
    """Does one job after the other, ``jobs`` by the names of their stages, in their order.

    Each has a thread of its own: between two of them the process can fork. ``lend()`` is entered
    before a thread starts and left when it has ended; what it yields is called in the thread,
    first of all. ``notify()`` is called by a thread that is about to end. All other methods are
    for the thread that has made the object.

    A job that fails is the last one: its error is raised by ``wait()``.
    """

    def __init__(
        self,
        jobs: Iterable[tuple[str, Job]] = (),
        *,
        lend: Callable[[], AbstractContextManager[Callable[[], None]]] = lambda: nullcontext(
            lambda: None
        ),
    ) -> None:
        self._waiting = list(jobs)
        self._stages = {stage for stage, _ in self._waiting}
        self._lend = lend
        self._done: set[str] = set()
        self._failed: dict[str, BaseException] = {}
        self._stage = ""
        self._ended = False
        self._closed = False
        self._for_owner: list[Callable[[], object]] = []
        self._thread: threading.Thread | None = None
        self._loan: AbstractContextManager[Callable[[], None]] = nullcontext(lambda: None)
        self._telling = threading.Lock()
        self.notify: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None

    def is_done(self, stage: str) -> bool:
        """Whether what the stage needs is there, as far as there was a job for it."""
        return stage in self._done or stage not in self._stages

    def has_failed(self, stage: str) -> bool:
        """Whether what the stage needs cannot be had, as its job, or one before, has failed."""
        return bool(self._failed) and not self.is_done(stage)

    def advance(self) -> None:
        """Begin the next job if none is running."""
        if self._thread is not None or self._failed or not self._waiting:
            return
        self._stage, job = self._waiting.pop(0)
        self._loan = self._lend()
        begin = self._loan.__enter__()
        self._thread = threading.Thread(
            target=self._work, args=(begin, job), name="sanerunner databases", daemon=True
        )
        self._thread.start()

    def settle(self) -> None:
        """Wait until the job that is running has ended."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            self._ended = False
            self._loan.__exit__(None, None, None)
            if self._stage not in self._failed:
                self._done.add(self._stage)
            said, self._for_owner = self._for_owner, []
            if not self._closed:
                for call in said:
                    call()

    def look(self) -> None:
        """To be called after ``notify()``: a job that has ended is taken note of."""
        if self._ended:
            self.settle()

    def hand_over(self, call: Callable[[], object]) -> None:
        """Call this in the thread that has made the object: now, or when the job, which calls
        this, has ended.
        """
        if threading.current_thread() is self._thread:
            self._for_owner.append(call)
        else:
            call()

    def wait(self, stage: str) -> None:
        """Wait until what ``stage`` needs is there. Raises what kept it from being made."""
        while not self.is_done(stage) and not self._failed:
            self.settle()
            if not self.is_done(stage):
                self.advance()
        if not self.is_done(stage):
            raise next(iter(self._failed.values()))

    def mute(self) -> None:
        """Notify nobody from now on."""
        with self._telling:
            self.notify = lambda: None

    def close(self) -> None:
        """Begin no further job, and wait for the one that is running; nobody hears of it."""
        self._closed = True
        self._waiting.clear()
        self.settle()

    def _work(self, begin: Callable[[], None], job: Job) -> None:
        try:
            begin()
            job()
        except BaseException as error:
            self._failed[self._stage] = error
        finally:
            self._ended = True
            with self._telling:
                self.notify()
