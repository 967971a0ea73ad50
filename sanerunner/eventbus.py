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
        self._subscribers: list[tuple[Subscriber, tuple[type[Event], ...]]] = []
        self._routes: dict[type[Event], tuple[Subscriber, ...]] = {}
        self.errors: list[str] = []

    def subscribe(self, subscriber: Subscriber, *wanted: type[Event]) -> None:
        """Hand the events of the ``wanted`` types to ``subscriber``; all, if none is named."""
        self._subscribers.append((subscriber, wanted))
        self._routes.clear()

    def wants(self, kind: type[Event]) -> bool:
        """Whether any subscriber wants events of this type."""
        return bool(self._route(kind))

    def emit(self, event: Event) -> None:
        route = self._routes.get(type(event))
        for subscriber in self._route(type(event)) if route is None else route:
            try:
                subscriber(event)
            except Exception:
                self._drop(subscriber)
                owner = getattr(subscriber, "__self__", subscriber)
                self.errors.append(
                    f"{type(owner).__module__}.{type(owner).__qualname__} failed on "
                    f"{type(event).__name__} and was left out of the rest of the run:\n"
                    f"{traceback.format_exc()}"
                )

    def _route(self, kind: type[Event]) -> tuple[Subscriber, ...]:
        route = tuple(
            subscriber for subscriber, wanted in self._subscribers if not wanted or kind in wanted
        )
        self._routes[kind] = route
        return route

    def _drop(self, dropped: Subscriber) -> None:
        self._subscribers = [pair for pair in self._subscribers if pair[0] != dropped]
        self._routes.clear()
