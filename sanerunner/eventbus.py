"""Hands each event to every subscriber, in the order they subscribed."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from .events import Event

Subscriber = Callable[[Event], None]


class EventBus:
    """One stream of events for any number of subscribers.

    A subscriber that raises is dropped for the rest of the run, so that it cannot starve the
    others, and its traceback is kept in ``errors`` for the end of the run, which then fails.
    """

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []
        self.errors: list[str] = []

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)

    def emit(self, event: Event) -> None:
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception:
                self._subscribers.remove(subscriber)
                owner = getattr(subscriber, "__self__", subscriber)
                self.errors.append(
                    f"{type(owner).__module__}.{type(owner).__qualname__} failed on "
                    f"{type(event).__name__} and was left out of the rest of the run:\n"
                    f"{traceback.format_exc()}"
                )
