"""Who puts databases back around the tests of committing classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Isolation(Protocol):
    """Puts databases back around the tests of committing classes, faster than Django does."""

    def covers(self, test_class: Any) -> bool:
        """Whether it can do so for the databases of a class; else Django's way is gone."""

    def set_up(self, test_class: Any) -> None:
        """A test is to begin."""

    def tear_down(self, test: Any) -> None:
        """A test of a class with isolated tests has ended."""

    def tear_down_class(self, test_class: Any) -> None:
        """The last test of a class has ended."""


_isolation: Isolation | None = None


def use_isolation(isolation: Isolation) -> Callable[[], None]:
    """Let committing classes use ``isolation``; return a function that ends this."""
    global _isolation
    before, _isolation = _isolation, isolation

    def leave() -> None:
        global _isolation
        _isolation = before

    return leave


def isolation_of(test_class: Any) -> Isolation | None:
    """Return what puts the databases of ``test_class`` back; None if that is left to Django."""
    return _isolation if _isolation is not None and _isolation.covers(test_class) else None
