"""Lets other code run between two calls of Playwright's synchronous API.

Playwright drives the browser with an event loop that runs only while a call lasts, in a greenlet
of the caller's thread. Between calls it leaves the loop marked as the thread's running one. Then
Django refuses every query (SynchronousOnlyOperation), and ``asyncio.run()`` and ``async_to_sync``
fail: in this test, and in all later ones of the process. Here the mark is put on when a call
begins and taken off when it ends; the other way round where Playwright calls the test's code (a
handler of a route or of an event). Marks belong to threads, so no other thread is concerned.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from asyncio import AbstractEventLoop, events
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

_DONE = "_sane_unmarked"

#: The attribute of greenlets whose calls are not noted.
UNNOTED = "sane_unnoted"
#: What was called, as pairs of the names of class and method; those who want to know clear it.
calls: set[tuple[str, str]] = set()

LoopOf = Callable[[Any], AbstractEventLoop | None]


def unmark() -> None:
    """Make Playwright's synchronous API do so, in this process. A second call does nothing."""
    from playwright._impl import _sync_base
    from playwright.sync_api import _context_manager, _generated

    if getattr(_sync_base, _DONE, False):
        return
    setattr(_sync_base, _DONE, True)
    for each in vars(_generated).values():
        if isinstance(each, type) and issubclass(each, _sync_base.SyncBase):
            _mark_during_calls(each, _loop_of)
    _mark_during_calls(_sync_base.SyncBase, _loop_of)
    blocks = {"__enter__", "__exit__", "close"}
    _mark_during_calls(_sync_base.SyncContextManager, _loop_of, only=blocks)
    _mark_during_calls(
        _sync_base.EventInfo, lambda self: _loop_of(self._sync_base), only={"value", "is_done"}
    )
    _mark_during_calls(
        _sync_base.EventContextManager,
        lambda self: _loop_of(self._event._sync_base),
        only={"__enter__", "__exit__"},
    )
    _mark_during_calls(
        _context_manager.PlaywrightContextManager,
        _loop_of,
        only={"__enter__", "__exit__", "start"},
    )
    _unmark_during_handlers(type(_sync_base.mapping))


@contextmanager
def running_loop(loop: AbstractEventLoop | None) -> Iterator[None]:
    """Mark ``loop`` as the thread's running one; None: none is."""
    before = events._get_running_loop()
    events._set_running_loop(loop)
    try:
        yield
    finally:
        events._set_running_loop(before)


def _loop_of(owner: Any) -> AbstractEventLoop | None:
    """Return the loop of an object of Playwright's; None before it runs, and when the driver has
    ended.
    """
    connection = getattr(owner, "_connection", None)
    fiber = getattr(owner, "_dispatcher_fiber", getattr(connection, "_dispatcher_fiber", None))
    if fiber is None or fiber.dead:
        return None
    loop: AbstractEventLoop = owner._loop
    return loop


def _mark_during_calls(owner: type, loop_of: LoopOf, only: set[str] | None = None) -> None:
    """Replace the public methods and properties of a class, but not those that it inherits."""
    for name, member in list(vars(owner).items()):
        wanted = name in only if only else not name.startswith("_")
        if not wanted:
            continue
        if isinstance(member, FunctionType):
            setattr(owner, name, _marked(member, loop_of))
        elif isinstance(member, property) and member.fget is not None:
            setattr(owner, name, property(_marked(member.fget, loop_of), doc=member.__doc__))


def _marked(function: Callable[..., Any], loop_of: LoopOf) -> Callable[..., Any]:
    from greenlet import getcurrent  # a dependency of Playwright's

    @functools.wraps(function)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not hasattr(getcurrent(), UNNOTED):
            calls.add((type(self).__name__, function.__name__))
        loop = loop_of(self)
        with running_loop(events._get_running_loop() if loop is None else loop):
            return function(self, *args, **kwargs)

    return call


def _unmark_during_handlers(mapping: Any) -> None:
    """Let what the test hands to Playwright as a handler run as the test's own code does."""
    wrap_handler = mapping.wrap_handler

    @functools.wraps(wrap_handler)
    def wrap_unmarked(self: Any, handler: Callable[..., Any]) -> Any:
        return wrap_handler(self, _unmarked(handler))

    mapping.wrap_handler = wrap_unmarked


def _unmarked(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return one and the same wrapper for one handler: Playwright removes handlers by identity."""
    owner = getattr(handler, "__self__", None)
    holder: Any = handler if owner is None else owner
    name = "_sane_handler_" + ("" if owner is None else handler.__name__)
    known = getattr(holder, "__dict__", {}).get(name)
    if known is not None:
        return known  # type: ignore[no-any-return]

    def call(*args: Any) -> Any:
        with running_loop(None):
            return handler(*args)

    # Playwright passes as many arguments as the handler takes.
    vars(call)["__signature__"] = inspect.signature(handler)
    try:
        setattr(holder, name, call)
    except AttributeError:  # a builtin, an instance with slots: it cannot be removed again
        pass
    return call


def is_marked() -> bool:
    """Whether the thread has a running event loop, in asyncio's view."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
