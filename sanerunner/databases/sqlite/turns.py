"""Turns: one thread after another uses what they share, in the order in which they asked."""

from __future__ import annotations

import threading
from collections import deque


class Turn:
    """A lock that its holder may take again, and that can be taken away from it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, threading.Event]] = deque()
        #: The thread whose turn it is.
        self.holder: int | None = None

    @property
    def is_mine(self) -> bool:
        return self.holder == threading.get_ident()

    def take(self, timeout: float) -> bool:
        """Wait for the turn; False if it has not come in ``timeout`` seconds."""
        me = threading.get_ident()
        with self._lock:
            if self.holder == me:
                return True
            if self.holder is None:
                self.holder = me
                return True
            granted = threading.Event()
            self._waiting.append((me, granted))
        if granted.wait(timeout):
            return True
        with self._lock:
            if granted.is_set():
                return True
            self._waiting.remove((me, granted))
            return False

    def pass_on(self) -> None:
        """Let the next thread have the turn, if this one has it."""
        with self._lock:
            if self.is_mine:
                self._next()

    def take_away(self) -> None:
        """End the turn of whoever has it."""
        with self._lock:
            self._next()

    def _next(self) -> None:
        self.holder = None
        if self._waiting:
            self.holder, granted = self._waiting.popleft()
            granted.set()
