"""Requests that have to wait: while a database is put back, where clients must see no refusal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import NamedTuple


class Ticket(NamedTuple):
    """What a request has seen before it asked for an epoch."""

    holds: int
    holding: bool


class Hold:
    """Between ``begin()`` and ``end()`` requests that find no epoch wait for the next one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holds = 0
        self._holding = False
        self._wake: list[Callable[[], object]] = []

    def begin(self) -> None:
        with self._changed:
            self._holds += 1
            self._holding = True

    def end(self) -> None:
        with self._changed:
            self._holding = False
            waiting, self._wake = self._wake, []
            self._changed.notify_all()
        for wake in waiting:
            wake()

    def ticket(self) -> Ticket:
        with self._changed:
            return Ticket(self._holds, self._holding)

    def _concerns(self, ticket: Ticket) -> bool:
        """Whether there was a hold when the request found no epoch."""
        return ticket.holding or self._holds != ticket.holds

    def wait(self, ticket: Ticket) -> bool:
        """Wait until nothing is held; return whether to ask for an epoch again."""
        with self._changed:
            if not self._concerns(ticket):
                return False
            self._changed.wait_for(lambda: not self._holding)
            return True

    async def wait_async(self, ticket: Ticket) -> bool:
        """Wait as ``wait()`` does, in an event loop."""
        loop = asyncio.get_running_loop()
        with self._changed:
            if not self._concerns(ticket):
                return False
            if not self._holding:
                return True
            ended = asyncio.Event()
            self._wake.append(lambda: _call(loop, ended.set))
        await ended.wait()
        return True


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    if not loop.is_closed():  # the server has been stopped
        loop.call_soon_threadsafe(function)
