"""The gate in front of the application: requests pass while a test's epoch is open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.core.signals import got_request_exception

from .asgigate import ASGIGate
from .base import ASGI
from .epochs import CURRENT, Closed, Epoch, LateRequest, ServedRequest, ServerFailure
from .holding import Hold
from .wsgigate import WSGIGate

#: How long answers that may go on for ever are waited for, in seconds.
STREAM_GRACE = 0.1


class Gate:
    """One for each server: ``application`` is what the server serves.

    ``first`` is the application that is told of the server's start and end (ASGI's lifespan).
    While no epoch is open requests are answered with 503, but with ``hold`` begun they wait.
    ``interface`` is "wsgi" or "asgi".
    """

    def __init__(self, interface: str, first: Callable[..., Any] | None = None) -> None:
        self._epoch: Epoch | None = None
        self.hold = Hold()
        self.application: Callable[..., Any] = (
            ASGIGate(self._present, self.hold, first)
            if interface == ASGI
            else WSGIGate(self._present, self.hold)
        )

    @property
    def is_open(self) -> bool:
        return self._epoch is not None

    def open(self, owner: str, *, application: Callable[..., Any]) -> Epoch:
        """Begin an epoch: let requests through to ``application``. ``owner`` is a test's id."""
        if self._epoch is not None:
            raise RuntimeError(f"the gate is open for {self._epoch.owner}")
        self._epoch = Epoch(owner, application)
        got_request_exception.connect(self._take_failure)
        return self._epoch

    def shut(self, *, grace: float) -> Closed:
        """End the epoch: let nothing in, wait up to ``grace`` seconds for what is in, and declare
        the rest dead. Nothing is waited for if no epoch is open.
        """
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return Closed("")
        try:
            return epoch.end(grace=grace, stream_grace=STREAM_GRACE)
        finally:
            got_request_exception.disconnect(self._take_failure)

    def running(self) -> tuple[LateRequest, ...]:
        """Return the requests that are being answered now: what a test that hangs waits for."""
        return self._epoch.running() if self._epoch is not None else ()

    def errors(self) -> tuple[ServerFailure, ...]:
        """Return what views have not handled so far."""
        return tuple(self._epoch.failures) if self._epoch is not None else ()

    def requests(self) -> tuple[ServedRequest, ...]:
        """Return the last requests that were answered, in this epoch."""
        return tuple(self._epoch.requests) if self._epoch is not None else ()

    def _present(self) -> Epoch | None:
        return self._epoch

    def _take_failure(self, **kwargs: Any) -> None:
        exchange, error = CURRENT.get(), sys.exc_info()[1]
        if exchange is not None and exchange.epoch is self._epoch and error is not None:
            exchange.epoch.fail(exchange, error)
