"""The database connections of server threads: which they get, and when they end."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..databases.renewal import forget_session
from ..databases.vendors import SharedSession, vendor_of
from .epochs import CURRENT, Exchange, refuse_if_over

#: How long a statement of a dead request may still take before it is cancelled, in seconds.
PATIENCE = 0.2
#: How long it may take to fail when it was cancelled, in seconds.
CANCELLED = 2.0

# What a dead request must not begin, and may not be disturbed in while it is at it.
_GUARDED = ("_commit", "_set_autocommit")

Find = Callable[[str], SharedSession | None]


class _Served:
    """A session of a thread that a request runs in, or has started: a wrapper, and mirrors of it.

    Whatever is done over it is done with the lock, so that nobody closes it meanwhile, and
    not when the request's epoch is dead. ``find`` returns the session to share, by alias.
    """

    def __init__(self, wrapper: Any, find: Find) -> None:
        self.wrapper = wrapper
        self._wrappers: list[Any] = []
        self._find = find
        self._lock = threading.RLock()
        self._thread = weakref.ref(threading.current_thread())
        self._shared: SharedSession | None = None
        self._interrupt: Callable[[], None] = lambda: None
        self.look_after(wrapper)

    @property
    def is_over(self) -> bool:
        """Whether its thread has ended."""
        thread = self._thread()
        return thread is None or not thread.is_alive()

    def look_after(self, wrapper: Any) -> None:
        """Begin with the wrapper, or with a mirror of it."""
        for name in _GUARDED:
            setattr(wrapper, name, partial(self._guarded, wrapper, name))
        wrapper.connect = self._connect
        wrapper.close = partial(self._close, wrapper)
        wrapper._rollback = partial(self._roll_back, wrapper)
        wrapper.execute_wrappers.insert(0, self._execute)
        self._wrappers.append(wrapper)
        if self._shared is not None:
            self._shared.lend(wrapper)

    def end(self) -> bool:
        """End the session; False if a statement is in the way that cannot be cancelled."""
        if self._shared is not None:
            return True  # whoever owns it ends it
        if not self._lock.acquire(timeout=PATIENCE):
            try:
                self._interrupt()
            except Exception:
                pass  # then it is one of those that could not be ended
            if not self._lock.acquire(timeout=CANCELLED):
                return False
        try:
            if self.wrapper.connection is not None:
                with suppress(Error):  # the server, or a failed statement, has ended it already
                    _original(self.wrapper, "_close")
            forget_session(self.wrapper)
        finally:
            self._lock.release()
        return True

    def give_back(self) -> None:
        """Know no shared session any more."""
        self._shared = None

    def _guarded(self, wrapper: Any, name: str, *args: Any) -> Any:
        with self._lock:
            refuse_if_over()
            return _original(wrapper, name, *args)

    def _connect(self) -> None:
        with self._lock:
            refuse_if_over()
            if self._shared is None:
                self._shared = self._find(self.wrapper.alias)
                if self._shared is not None:
                    for wrapper in self._wrappers:
                        self._shared.lend(wrapper)
            _original(self.wrapper, "connect")
            self._interrupt = vendor_of(self.wrapper).interrupter(self.wrapper)

    def _close(self, wrapper: Any) -> None:
        with self._lock:
            _original(wrapper, "close")

    def _roll_back(self, wrapper: Any) -> None:
        with self._lock:
            if wrapper.connection is not None:  # else it was ended
                _original(wrapper, "_rollback")

    def _execute(self, execute: Callable[..., Any], *args: Any) -> Any:
        with self._lock:
            refuse_if_over()
            return execute(*args)


def _original(wrapper: Any, name: str, *args: Any) -> Any:
    """Call what stands behind a hook."""
    return getattr(type(wrapper), name)(wrapper, *args)


class ThreadConnections:
    """From ``open()`` on, threads of requests get connections that are known here; after
    ``end()`` those that are late get none that works.

    A database that only one session can see (SQLite in memory) is shared: that of the thread
    that calls ``open()``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: list[_Served] = []
        self._shared: dict[str, SharedSession] = {}
        self._let_go: Callable[[], None] = lambda: None
        self._is_open = False

    def open(self, *, shares: bool = True) -> None:
        """Begin to look after the connections of requests; ``shares`` is False where the
        application itself shares databases in memory.
        """
        if shares:
            self._share()
        self._let_go()
        is_active = True
        create = connections.create_connection

        def create_connection(alias: str) -> Any:
            wrapper = create(alias)
            if is_active and self._is_served(CURRENT.get()):
                self._serve(wrapper)
            return wrapper

        def let_go() -> None:
            nonlocal is_active
            is_active = False
            if connections.create_connection is not create_connection:
                return  # something was put before it, which still leads here
            if getattr(create, "__func__", None) is type(connections).create_connection:
                del connections.create_connection  # the instance's, which hid the class's
            else:
                connections.create_connection = create  # type: ignore[method-assign]

        connections.create_connection = create_connection  # type: ignore[method-assign]
        self._let_go = let_go
        self._is_open = True

    def close(self) -> None:
        """End all, and leave Django as it was."""
        self.end()
        self._let_go()
        self._let_go = lambda: None

    def end(self) -> list[BaseDatabaseWrapper]:
        """End the sessions of requests, whose epoch is dead; return those that could not be
        ended. The rewind ends these by what the vendor has for it.
        """
        self._is_open = False
        with self._lock:
            served = list(self._served)
        left = [each.wrapper for each in served if not each.end()]
        for session in set(self._shared.values()):
            session.end()
        self._shared.clear()
        for each in served:
            each.give_back()
        with self._lock:
            self._served = [each for each in self._served if not each.is_over]
        return left

    def _share(self) -> None:
        wrappers = connections.all()
        for wrapper in wrappers:
            if "_primary" not in vars(wrapper):
                session = vendor_of(wrapper).shared_session(wrapper, refuse_if_over)
                if session is not None:
                    self._shared[wrapper.alias] = session
        for wrapper in wrappers:
            primary = vars(wrapper).get("_primary", wrapper)  # of a mirror
            if primary.alias in self._shared:
                self._shared[wrapper.alias] = self._shared[primary.alias]
                self._shared[wrapper.alias].admit(wrapper)

    def _is_served(self, exchange: Exchange | None) -> bool:
        """Whether a request's connections are known here: it may be another server's."""
        return exchange is not None and (self._is_open or exchange.epoch.dead)

    def _serve(self, wrapper: Any) -> None:
        primary = vars(wrapper).get("_primary")
        with self._lock:
            self._end_those_of_ended_threads()
            for each in self._served:
                if each.wrapper is primary:
                    each.look_after(wrapper)
                    return
            self._served.append(_Served(wrapper, self._shared.get))

    def _end_those_of_ended_threads(self) -> None:
        """Persistent connections would be open for as long as the test takes."""
        for each in [each for each in self._served if each.is_over]:
            self._served.remove(each)
            each.end()
