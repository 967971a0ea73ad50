"""The server of this process at the service of one class: its epochs, and what they leave."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..exceptions import LateRequestError, ViewError
from ..servers.epochs import Closed, LateRequest, ServerFailure
from ..servers.process import ProcessServer


class LateRequestWarning(UserWarning):
    """A test of a stock class left requests running; they were given up."""


class Service:
    """Opens the server's gate for a class and for each of its tests, and shuts it.

    Requests that a test of a ``sane`` class leaves running fail it. Of those of stock classes is
    warned; what else their tests could notice is as Django has it.
    """

    def __init__(
        self, server: ProcessServer, owner: str, application: Callable[..., Any], *, sane: bool
    ) -> None:
        self._server = server
        self._owner = owner
        self._application = application
        self._sane = sane
        self._told = 0
        self._left: list[Closed] = []  # of the class's own epochs

    def open(self, owner: str = "") -> None:
        """Let requests through, for a test; for the class's fixtures if none is named."""
        self._told = 0
        self._server.open(
            owner or self._owner, application=self._application, as_django=not self._sane
        )

    def shut(self, *, fails: bool) -> list[Exception]:
        """End requests; return what the test has to answer for: requests that were still running
        and, if ``fails``, exceptions in views that no client has raised.

        What happened in the class's fixtures before is the test's affair as well.
        """
        self.drain()
        left, self._left = self._left, []
        problems: list[Exception] = []
        for closed in left:
            problems += self._of_late_requests(closed)
            if fails:
                problems += [_of_failure(failure) for failure in closed.errors]
        return problems

    def drain(self) -> None:
        """End requests, before databases are put back; ``shut()`` tells of them."""
        if self._server.is_open:
            closed = self._server.shut()
            untold = closed.errors[self._told :]
            self._left.append(Closed(closed.owner, closed.late, untold))

    def tell_failures(self) -> str:
        """Return the tracebacks of views that were not told yet: they are a client's now."""
        failures = self._server.errors()
        untold, self._told = failures[self._told :], len(failures)
        return "\n\n".join(map(_described, untold))

    @contextmanager
    def fixtures(self) -> Iterator[None]:
        """The class's own code runs in this block, or may run."""
        self.open()
        try:
            yield
        finally:
            self.drain()

    def _of_late_requests(self, closed: Closed) -> list[Exception]:
        if not closed.late:
            return []
        message = late_message(closed.owner, closed.late)
        if self._sane:
            return [LateRequestError(message)]
        warnings.warn(message, LateRequestWarning, stacklevel=2)
        return []


def late_message(owner: str, late: Iterable[LateRequest]) -> str:
    """Say which requests ``owner``, a test or class, has left running."""
    return (
        f"{owner} ended while the live server was answering {listed(late)}. Such requests are "
        "given up, and may use no database any more: let the test wait for their answers."
    )


def listed(requests: Iterable[LateRequest]) -> str:
    """Return "GET /slow/ (for 2.1 s), POST /orders/ (for 2.0 s)"."""
    return ", ".join(f"{each.method} {each.url} (for {each.seconds:.1f} s)" for each in requests)


def _described(failure: ServerFailure) -> str:
    return f"{failure.method} {failure.url}:\n{failure.traceback}"


def _of_failure(failure: ServerFailure) -> ViewError:
    what = f"{failure.type}: {failure.message}" if failure.message else failure.type
    return ViewError(f"{failure.method} {failure.url} raised {what}\n\n{failure.traceback}")
