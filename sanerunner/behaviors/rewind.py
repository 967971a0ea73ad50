"""Rewinds databases after tests that commit, in place of Django's flush."""

from __future__ import annotations

import unittest
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from django.core.signals import setting_changed

from ..cases import use_isolation
from ..databases.baseline import CHECKPOINT, FLUSHED, START, Baselines
from ..databases.operations import LeakedSession
from ..plugins import Plugin
from . import stock


class LeakedSessionWarning(UserWarning):
    """A test left a session in a transaction or with a lock; it was ended."""


class RewindBehavior(Plugin):
    """Takes over the fixture set-up and tear-down of Django's TransactionTestCase, and of the
    sane destructive classes, while a run lasts.

    Stock classes find what Django would show them: the first that runs finds the migrated
    database, later ones a flushed one; those with ``serialized_rollback``, and all with
    ``always_migrated``, the migrated one. Those with ``available_apps`` find what was there,
    and their first test is flushed by Django, which empties the tables of these apps only; the
    others are rewound to what that left. If that has another schema than migrations have made,
    all are flushed by Django: such tests count on what others create and drop. Classes that use a
    database which cannot be rewound go Django's way.
    """

    def __init__(self, baselines: Baselines, *, always_migrated: bool = False) -> None:
        self._baselines = baselines
        self._always_migrated = always_migrated
        self._partly_flushed: Any = None  # the class with available_apps that has a checkpoint
        self._changes_schema: Any = None  # the class with available_apps whose tests are flushed
        self._between_tests = True
        self._leave: list[Callable[[], object]] = []

    def worker_setup(self, worker: int) -> None:
        self._set_up = stock.original(stock.SET_UP)
        self._tear_down = stock.original(stock.TEAR_DOWN)
        self._reload = stock.original(stock.RELOAD)
        methods = {
            stock.SET_UP: self._set_up_stock,
            stock.TEAR_DOWN: self._tear_down_stock,
            stock.RELOAD: self._renew_sessions,
        }
        setting_changed.connect(self._close_outdated)
        self._leave = [
            lambda: setting_changed.disconnect(self._close_outdated),
            stock.replace({name: _unbound(method) for name, method in methods.items()}),
            use_isolation(self),
        ]

    def worker_teardown(self, worker: int) -> None:
        while self._leave:
            self._leave.pop()()

    def class_setup(self, test_class: type) -> None:
        self._between_tests = True

    def test_setup(self, test: unittest.TestCase) -> None:
        self._between_tests = False

    def class_teardown(self, test_class: type) -> None:
        self._changes_schema = None
        if self._partly_flushed is test_class:
            self._partly_flushed = None
            self._baselines.forget(stock.databases_of(test_class), CHECKPOINT)

    # Django's classes

    def _set_up_stock(self, cls: Any) -> None:
        aliases = stock.databases_of(cls)
        if self._baselines.covers(aliases):
            self._baselines.prepare(aliases)
        if not self._baselines.covers(aliases) or self._flushes_partly(cls):
            self._set_up(cls)
            return
        state = self._stock_state(cls, aliases)
        # Django flushes after tests only: what a class or module has set up stays, and so does
        # what is left by code that is not rewound.
        if state == FLUSHED:
            aliases = [alias for alias in aliases if self._baselines.is_at([alias], START)]
        if state is not None and not self._baselines.is_at(aliases, state):
            self._rewind(cls, aliases, state)
        stock.without_serialized_rows(cls, self._set_up)

    def _tear_down_stock(self, case: Any) -> None:
        cls, aliases = type(case), stock.databases_of(case)
        if not self._baselines.covers(aliases) or isinstance(case, type) or _is_running(case):
            self._tear_down(case)
            self._baselines.moved(aliases)
            return
        state = self._stock_state(cls, aliases)
        if state is not None:
            self._rewind(case, aliases, state)
            return
        self._tear_down(case)
        if not self._flushes_partly(cls):
            self._baselines.capture(aliases, FLUSHED)
        elif self._changes_schema is cls:
            self._baselines.moved(aliases)
        else:
            self._capture_partly_flushed(cls, aliases)

    def _capture_partly_flushed(self, cls: Any, aliases: list[str]) -> None:
        self._baselines.capture(aliases, CHECKPOINT)
        if self._baselines.have_changed_schema(aliases, CHECKPOINT):
            self._baselines.forget(aliases, CHECKPOINT)
            self._baselines.moved(aliases)
            self._changes_schema = cls
        else:
            self._partly_flushed = cls

    def _flushes_partly(self, cls: Any) -> bool:
        return cls.available_apps is not None and not self._always_migrated

    def _stock_state(self, cls: Any, aliases: Iterable[str]) -> str | None:
        """Return the state around the tests of a stock class; None if it is yet to be made."""
        if self._flushes_partly(cls):
            return CHECKPOINT if self._partly_flushed is cls else None
        if self._always_migrated or cls.serialized_rollback:
            return START
        return FLUSHED if self._baselines.holds(aliases, FLUSHED) else None

    # Sane classes

    def covers(self, test_class: Any) -> bool:
        """Whether the databases of a sane destructive class are rewound."""
        aliases = stock.databases_of(test_class)
        return test_class.available_apps is None and self._baselines.covers(aliases)

    def set_up(self, test_class: Any) -> None:
        """Before the first test of a class: committed class data, on top of *start*; before
        each: what the first one found.
        """
        aliases = stock.databases_of(test_class)
        if test_class._has_checkpoint:
            if not self._baselines.is_at(aliases, CHECKPOINT):
                self._rewind(test_class, aliases, CHECKPOINT)
            return
        self._baselines.prepare(aliases)
        self._rewind(test_class, aliases, START)
        stock.without_serialized_rows(test_class, self._set_up)
        stock.set_up_test_data(test_class)
        self._baselines.capture(aliases, CHECKPOINT)
        test_class._has_checkpoint = True

    def tear_down(self, test: Any) -> None:
        """After a test of an isolated class."""
        self._rewind(test, stock.databases_of(test), CHECKPOINT)

    def tear_down_class(self, test_class: Any) -> None:
        """After the last test of a class."""
        aliases = stock.databases_of(test_class)
        test_class._has_checkpoint = False
        self._rewind(test_class, aliases, START)
        self._baselines.forget(aliases, CHECKPOINT)

    # Both

    def _renew_sessions(self, case: Any) -> bool:
        """Django asks whether to close all connections after a test: make them like new ones."""
        aliases = stock.databases_of(case)
        if not self._reload(case) or not self._baselines.covers(aliases):
            return bool(self._reload(case))
        self._baselines.renew_sessions(aliases)
        return False

    def _close_outdated(self, **kwargs: Any) -> None:
        """A setting was changed for a class: what is opened for its tests heeds it."""
        if self._between_tests:
            self._baselines.close_outdated_sessions()

    def _rewind(self, case: Any, aliases: Iterable[str], state: str) -> None:
        owner: Any = case if isinstance(case, type) else type(case)
        exact = getattr(owner, "database_flush", None) is not None or owner.reset_sequences
        repairs = self._baselines.rewind(aliases, state, counters=exact)
        name = case.id() if not isinstance(case, type) else f"{owner.__module__}.{owner.__name__}"
        for repair in repairs:
            warn_of_leaks(name, repair.alias, repair.rewound.leaked)


def _is_running(case: Any) -> bool:
    """Whether the test itself calls, not Django after it."""
    return case._outcome is not None


def _unbound(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that can be a method of a class, and hands its owner to ``method``."""
    return lambda owner: method(owner)


def warn_of_leaks(name: str, alias: str, sessions: Iterable[LeakedSession]) -> None:
    """Say which test, or class, has left the sessions."""
    for leaked in sessions:
        tables = f" (tables: {', '.join(leaked.tables)})" if leaked.tables else ""
        warnings.warn(
            f"{name} left session {leaked.session} of database {alias!r} in a "
            f"transaction or with a lock{tables}; it was ended.",
            LeakedSessionWarning,
            stacklevel=2,
        )
