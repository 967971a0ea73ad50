"""Work that other threads hand to the main thread, while that waits for its end."""

from __future__ import annotations

import signal
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from ..exceptions import ServerError

T = TypeVar("T")


class MainLoop:
    """Does, in the thread that has made it, what other threads ask for, until ``stop()``.

    The states of databases are kept by sessions of that thread. It sleeps in between; a signal
    wakes it, so that Python runs the signal's handler, where it is the main thread.
    """

    def __init__(self) -> None:
        self._owner = threading.get_ident()
        self._work: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._lock = threading.Lock()
        self._stopping = self._closed = False
        self._wakes, self._sleeps = socket.socketpair()
        self._wakes.setblocking(False)

    def call(self, work: Callable[[], T]) -> T:
        """Return what ``work()`` returns in the loop's thread; raise what it raises.

        Raises ServerError if the loop has ended.
        """
        if threading.get_ident() == self._owner:
            return work()
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise ServerError("The integration server is being shut down.")
            self._work.append((work, future))
        self._wake()
        return future.result()

    def stop(self) -> None:
        """Have ``run()`` return; from any thread, and from the handler of a signal."""
        self._stopping = True
        self._wake()

    def run(self) -> None:
        """Do what is asked for, until ``stop()``. What is asked for after that is refused."""
        restore = self._woken_by_signals()
        try:
            while not self._stopping:
                self._do_all()
                if not self._stopping:
                    self._sleeps.recv(4096)
        finally:
            restore()
            self._refuse()

    def close(self) -> None:
        """Refuse what is asked for from now on."""
        self._refuse()
        self._wakes.close()
        self._sleeps.close()

    def _do_all(self) -> None:
        while self._work and not self._stopping:
            work, future = self._work.popleft()
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
                if not isinstance(error, Exception):
                    raise

    def _refuse(self) -> None:
        with self._lock:
            self._closed = True
            refused = list(self._work)
            self._work.clear()
        for _, future in refused:
            future.set_exception(ServerError("The integration server is being shut down."))

    def _wake(self) -> None:
        try:
            self._wakes.send(b".")
        except BlockingIOError:
            pass  # it has been woken often enough
        except OSError:
            if not self._closed:
                raise

    def _woken_by_signals(self) -> Callable[[], object]:
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        before = signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        return lambda: signal.set_wakeup_fd(before)
