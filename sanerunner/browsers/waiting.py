"""Waiting for a condition, with a message that says what was waited for."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any, TypeVar

__unittest = True  # unittest leaves the frames of this module out of tracebacks

TIMEOUT = 10.0  # seconds
INTERVAL = 0.05

Found = TypeVar("Found")


def wait_until(
    condition: Callable[[], Found],
    what: str = "",
    *,
    timeout: float = TIMEOUT,
    interval: float = INTERVAL,
    pause: Callable[[float], Any] = time.sleep,
    detail: Callable[[], str] = str,
) -> Found:
    """Call ``condition`` until it returns something true; return that.

    An exception that it raises means "not yet": an element may not be there. ``what`` tells in the
    message what was waited for; ``detail`` what else is known then. ``pause`` waits between two
    calls. Times are seconds. Raises AssertionError, with the last answer or exception.
    """
    deadline = time.monotonic() + timeout
    while True:
        error: Exception | None = None
        found: Any = None
        try:
            found = condition()
        except Exception as raised:
            error = raised
        if error is None and found:
            return found  # type: ignore[no-any-return]
        left = deadline - time.monotonic()
        if left <= 0:
            break
        pause(min(interval, left))
    last = f"it last returned {found!r}" if error is None else f"it last raised {_told(error)}"
    more = "; ".join(filter(None, (last, detail())))
    message = f"Waited {timeout:g} s for {what or described(condition)}; {more}."
    raise AssertionError(message) from error


def described(condition: Callable[[], Any]) -> str:
    """Return the source of a lambda, the name of any other function."""
    name = getattr(condition, "__name__", "") or type(condition).__name__
    if name != "<lambda>":
        return name
    try:
        source = " ".join(inspect.getsource(condition).split())
    except (OSError, TypeError):  # typed in, or made at run time
        return "a condition"
    return source if len(source) <= 200 else f"{source[:197]}..."


def _told(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
