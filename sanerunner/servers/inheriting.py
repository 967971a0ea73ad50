"""Threads that a request starts belong to its epoch, as the request itself does."""

from __future__ import annotations

import concurrent.futures.thread
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .epochs import CURRENT, Exchange


class Inheritance:
    """Hands the request on to threads and to the work of thread pools, while it is active.

    The threads of a pool may live on; each piece of work belongs to who has submitted it.
    """

    def __init__(self) -> None:
        self._start: Any = None
        self._submit: Any = None
        self._started: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    def begin(self) -> None:
        if self._start is not None:
            return
        start = self._start = threading.Thread.start
        submit = self._submit = ThreadPoolExecutor.submit

        def start_thread(thread: threading.Thread) -> None:
            exchange = CURRENT.get()
            if exchange is not None:
                self._started.add(thread)
                thread.run = _belonging(exchange, thread.run)  # type: ignore[method-assign]
            start(thread)

        def submit_work(
            pool: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **kwargs: Any
        ) -> Any:
            return submit(pool, _belonging(CURRENT.get(), work), *args, **kwargs)

        thread_class: Any = threading.Thread
        pool_class: Any = ThreadPoolExecutor
        thread_class.start, pool_class.submit = start_thread, submit_work

    def end(self) -> None:
        if self._start is not None:
            threading.Thread.start = self._start  # type: ignore[method-assign]
            ThreadPoolExecutor.submit = self._submit  # type: ignore[method-assign]
            self._start = self._submit = None
        # Python waits at its exit for the threads of pools: for ever, for a view without an end.
        joined = getattr(concurrent.futures.thread, "_threads_queues", {})
        for started in list(self._started):
            joined.pop(started, None)


def _belonging(exchange: Exchange | None, work: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        before = CURRENT.set(exchange)
        try:
            return work(*args, **kwargs)
        finally:
            CURRENT.reset(before)

    return run
