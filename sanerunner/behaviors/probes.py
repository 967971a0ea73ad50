"""What a test may leave changed in the process, and how to see it: a probe for each thing.

A probe takes a snapshot before a test and one after it, and tells the difference, a line for
each change.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
import unittest
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from reprlib import Repr
from typing import Any, Protocol

from asgiref.sync import SyncToAsync
from django.views.debug import SafeExceptionReporterFilter

GRACE = 0.5  # seconds, for threads that are about to end
#: Threads that belong to no test: a live server's, one for each connection that a client keeps
#: open; those of a pool of PostgreSQL connections; asyncio's, which waits for Playwright's driver.
_SHARED_THREADS = re.compile(
    r"\(process_request_thread\)$|^pool-\d+-(worker-\d+|scheduler)$|^asyncio-waitpid-\d+$"
)
_HIDDEN = "'********************'"  # as on Django's debug page


class _Nothing:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


NOT_SET = _Nothing("not set")
NOT_THERE = _Nothing("not there")

_shortened = Repr()
_shortened.maxstring = _shortened.maxother = 100
_shortened.maxlist = _shortened.maxtuple = _shortened.maxset = _shortened.maxdict = 5


class Probe(Protocol):
    """``snapshot()`` is called before and after each test, ``compare()`` with what it returned."""

    def snapshot(self, test: unittest.TestCase) -> Any: ...

    def compare(self, before: Any, after: Any) -> Iterable[str]: ...


def changed(what: str, before: object, after: object, *, hidden: bool = False) -> str:
    """Return "what: before → after"."""
    texts = [
        _HIDDEN if hidden and not isinstance(value, _Nothing) else _shortened.repr(value)
        for value in (before, after)
    ]
    return f"{what}: {' → '.join(texts)}"


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], missing: object = NOT_SET
) -> Iterator[tuple[str, Any, Any]]:
    """Each name whose value is not the same, with both values."""
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, missing), after.get(name, missing)
        if old is not new and old != new:
            yield name, old, new


def _moved(what: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[str]:
    """What is new in a list, what is gone, and whether only the order is another."""
    if list(before) == list(after):
        return
    counts = Counter(map(repr, before)), Counter(map(repr, after))
    gone, new = counts[0] - counts[1], counts[1] - counts[0]
    for text in gone.elements():
        yield f"{what}: {text} → {NOT_THERE}"
    for text in new.elements():
        yield f"{what}: {NOT_THERE} → {text}"
    if not gone and not new:
        yield f"{what}: the order has changed"


def is_secret(name: str) -> bool:
    return bool(SafeExceptionReporterFilter.hidden_settings.search(name))


class Threads:
    def snapshot(self, test: unittest.TestCase) -> set[threading.Thread]:
        return set(threading.enumerate())

    def compare(
        self, before: set[threading.Thread], after: set[threading.Thread]
    ) -> Iterator[str]:
        # asgiref runs the synchronous parts of all asynchronous tests in one thread.
        shared: Any = getattr(SyncToAsync.single_thread_executor, "_threads", ())
        new = {
            thread
            for thread in after - before - set(shared)
            if not _SHARED_THREADS.search(thread.name)
        }
        deadline = time.monotonic() + GRACE
        while (alive := [each for each in new if each.is_alive()]) and time.monotonic() < deadline:
            time.sleep(0.005)
        for name in sorted(thread.name for thread in alive):
            yield f"thread {name!r}: not running → running"


class Environment:
    def snapshot(self, test: unittest.TestCase) -> dict[str, str]:
        return dict(os.environ)

    def compare(self, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
        for name, old, new in differences(before, after):
            yield changed(f"environment variable {name}", old, new, hidden=is_secret(name))


class CurrentDirectory:
    def snapshot(self, test: unittest.TestCase) -> str:
        try:
            return os.getcwd()
        except FileNotFoundError:
            return "a folder that is not there"

    def compare(self, before: str, after: str) -> Iterator[str]:
        if before != after:
            yield changed("current directory", before, after)


class ImportPath:
    def snapshot(self, test: unittest.TestCase) -> list[str]:
        return list(sys.path)

    def compare(self, before: list[str], after: list[str]) -> Iterator[str]:
        return _moved("sys.path", before, after)


class Logging:
    """Levels, handlers and switches of all loggers. A logger that a module makes when it is
    imported, or gives a NullHandler, is no change.
    """

    _NEW: Mapping[str, Any] = {
        "level": "NOTSET",
        "propagate": True,
        "disabled": False,
        "handlers": [],
    }

    def snapshot(self, test: unittest.TestCase) -> dict[str, dict[str, Any]]:
        manager = logging.root.manager
        loggers = {"root": logging.root, **manager.loggerDict}
        found = {
            name: self._state(logger)
            for name, logger in list(loggers.items())
            if isinstance(logger, logging.Logger)
        }
        return {**found, "": {"disable": logging.getLevelName(manager.disable)}}

    def compare(
        self, before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]
    ) -> Iterator[str]:
        for name in sorted(after):
            old = before.get(name, self._NEW)
            for key, was, now in differences(old, after[name]):
                what = f"logger {name!r}, {key}" if name else f"logging.{key}()"
                if isinstance(was, list):
                    yield from _moved(what, was, now)
                else:
                    yield f"{what}: {was} → {now}"

    @staticmethod
    def _state(logger: logging.Logger) -> dict[str, Any]:
        return {
            "level": logging.getLevelName(logger.level),
            "propagate": logger.propagate,
            "disabled": logger.disabled,
            "handlers": [
                each for each in logger.handlers if not isinstance(each, logging.NullHandler)
            ],
        }


class WarningFilters:
    def snapshot(self, test: unittest.TestCase) -> list[Any]:
        return list(warnings.filters)

    def compare(self, before: list[Any], after: list[Any]) -> Iterator[str]:
        return _moved("warnings filter", before, after)
