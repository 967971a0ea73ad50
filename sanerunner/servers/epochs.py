"""Epochs: each test's time at the server. A request belongs to the epoch in which it came."""

from __future__ import annotations

import contextvars
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError

from .journal import JOURNAL, Running

#: How many of an epoch's last requests are remembered.
REMEMBERED = 100


class EpochOverError(DatabaseError):
    """A request outlived its test, and was about to use a database.

    It is a DatabaseError so that Django leaves transactions in an orderly way.
    """


@dataclass(frozen=True)
class ServerFailure:
    """An exception that a view did not handle. ``url`` is the path with the query."""

    method: str
    url: str
    type: str
    message: str
    traceback: str


@dataclass(frozen=True)
class LateRequest:
    """A request that was still running when its epoch had ended, after ``seconds``."""

    method: str
    url: str
    seconds: float


@dataclass(frozen=True)
class ServedRequest:
    """A request with its answer; ``status`` is 0 where there was none."""

    method: str
    url: str
    status: int
    milliseconds: float


@dataclass(frozen=True)
class Closed:
    """What an epoch leaves: requests that had to be given up, failures, the last requests."""

    owner: str
    late: tuple[LateRequest, ...] = ()
    errors: tuple[ServerFailure, ...] = ()
    requests: tuple[ServedRequest, ...] = ()


@dataclass(eq=False)
class Exchange:
    """A request that is being answered. ``cancel`` is called when it is given up."""

    epoch: Epoch
    method: str
    url: str
    cancel: Callable[[], object] | None = None
    status: int = 0
    endless: bool = False  # the answer has begun, and nothing tells where it ends
    started: float = field(default_factory=time.monotonic)
    error: BaseException | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


#: The request that this code answers; code of threads that it has started has it as well.
CURRENT: contextvars.ContextVar[Exchange | None] = contextvars.ContextVar(
    "sanerunner_request", default=None
)


class Epoch:
    """The time of ``owner``, a test's id, at ``application``.

    ``accepting`` is False from its end on; ``dead``, when requests have been waited for: those
    that are left may use no database.
    """

    def __init__(self, owner: str, application: Callable[..., Any] | None) -> None:
        self.owner = owner
        self.application = application
        self.accepting = True
        self.dead = False
        self.failures: list[ServerFailure] = []
        self.requests: deque[ServedRequest] = deque(maxlen=REMEMBERED)
        self._running: set[Exchange] = set()
        self._changed = threading.Condition()

    def enter(
        self, method: str, url: str, cancel: Callable[[], object] | None = None
    ) -> Exchange | None:
        """Let a request in; None if the epoch has ended."""
        with self._changed:
            if not self.accepting:
                return None
            exchange = Exchange(self, method, url, cancel)
            self._running.add(exchange)
            self._note()
            return exchange

    def leave(self, exchange: Exchange) -> None:
        """A request has been answered, or was given up by its client."""
        with self._changed:
            if exchange not in self._running:
                return
            self._running.remove(exchange)
            self.requests.append(_served(exchange))
            if not self.dead:
                self._note()
            self._changed.notify_all()

    def forget(self, exchange: Exchange) -> None:
        """A request that came in was none of this epoch."""
        with self._changed:
            self._running.discard(exchange)
            self._changed.notify_all()

    def streams(self, exchange: Exchange) -> None:
        """The answer has begun, and may go on for ever."""
        with self._changed:
            exchange.endless = True
            self._changed.notify_all()

    def fail(self, exchange: Exchange, error: BaseException) -> None:
        """Remember what a view did not handle, once."""
        if exchange.error is error or isinstance(error, EpochOverError) or self.dead:
            return
        exchange.error = error
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.failures.append(
            ServerFailure(
                exchange.method, exchange.url, type(error).__name__, str(error), text.rstrip()
            )
        )

    def running(self) -> tuple[LateRequest, ...]:
        """Return the requests that are being answered now, the oldest first."""
        with self._changed:
            return _late(self._running)

    def end(self, *, grace: float, stream_grace: float) -> Closed:
        """Let no request in; wait up to ``grace`` seconds for those that are in, and no longer
        than ``stream_grace`` for answers that may go on for ever. What is left is dead then.
        """
        with self._changed:
            self.accepting = False
            self._changed.wait_for(self._only_streams, timeout=grace)
            if self._only_streams():
                self._changed.wait_for(lambda: not self._running, min(grace, stream_grace))
            self.dead = True
            left = list(self._running)
            JOURNAL.note(())
        for exchange in left:
            if exchange.cancel is not None:
                exchange.cancel()
        late = _late({exchange for exchange in left if not exchange.endless})
        served = [*self.requests, *map(_served, left)]
        return Closed(self.owner, late, tuple(self.failures), tuple(served[-REMEMBERED:]))

    def _note(self) -> None:
        JOURNAL.note(Running(each.method, each.url, each.started) for each in self._running)

    def _only_streams(self) -> bool:
        return all(exchange.endless for exchange in self._running)


def refuse_if_over() -> None:
    """Raise EpochOverError in a request, or a thread of it, whose epoch is dead."""
    exchange = CURRENT.get()
    if exchange is not None and exchange.epoch.dead:
        raise EpochOverError(
            f"{exchange.method} {exchange.url} was still running when {exchange.epoch.owner} had "
            "ended: it may use no database any more."
        )


def _served(exchange: Exchange) -> ServedRequest:
    milliseconds = round(exchange.seconds * 1000, 1)
    return ServedRequest(exchange.method, exchange.url, exchange.status, milliseconds)


def _late(running: set[Exchange]) -> tuple[LateRequest, ...]:
    ordered = sorted(running, key=lambda exchange: exchange.started)
    return tuple(LateRequest(each.method, each.url, each.seconds) for each in ordered)
