"""Lends the connections of one thread to another, as Django's live server tests do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections


@contextmanager
def lent_connections() -> Iterator[Callable[[], None]]:
    """Yield what makes the thread that calls it use the connections of this one.

    What it opens, and what a run has changed in these very objects (names, mirrors), is the same
    for both then. This thread must leave them alone until the other one has ended.
    """
    own = {alias: connections[alias] for alias in connections}

    def borrow() -> None:
        for alias, connection in own.items():
            connections[alias] = connection

    for connection in own.values():
        connection.inc_thread_sharing()
    try:
        yield borrow
    finally:
        for connection in own.values():
            connection.dec_thread_sharing()
