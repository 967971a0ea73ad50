"""Rewinds databases after tests that commit, in place of Django's flush."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from django.test import TransactionTestCase, testcases

from ..cases import use_isolation
from ..databases.baseline import CHECKPOINT, FLUSHED, MIGRATED, Baselines, Repair
from ..plugins import Plugin


class LeakedSessionWarning(UserWarning):
    """A test left a session in a transaction or with a lock; it was ended."""


class RewindBehavior(Plugin):
    """Takes over the fixture set-up and tear-down of Django's TransactionTestCase, and of the
    sane destructive classes, while a run lasts.

    Stock classes find what Django would show them: the first that runs finds the migrated
    database, later ones a flushed one; those with ``serialized_rollback``, and all with
    ``always_migrated``, the migrated one. Classes with ``available_apps``, and those that use a
    database which cannot be rewound, go Django's way.
    """

    def __init__(self, baselines: Baselines, *, always_migrated: bool = False) -> None:
        self._baselines = baselines
        self._always_migrated = always_migrated
        self._originals: dict[str, Any] = {}
        self._leave: Callable[[], None] = lambda: None

    def worker_setup(self, worker: int) -> None:
        set_up = vars(TransactionTestCase)["_fixture_setup"].__func__
        tear_down = vars(TransactionTestCase)["_fixture_teardown"]
        self._originals = {
            "_fixture_setup": vars(TransactionTestCase)["_fixture_setup"],
            "_fixture_teardown": tear_down,
        }

        def _fixture_setup(cls: Any) -> None:
            self._set_up_stock(cls, set_up)

        def _fixture_teardown(case: Any) -> None:
            self._tear_down_stock(case, tear_down)

        stock: Any = TransactionTestCase
        stock._fixture_setup = classmethod(_fixture_setup)
        stock._fixture_teardown = _fixture_teardown
        self._leave = use_isolation(self)

    def worker_teardown(self, worker: int) -> None:
        self._leave()
        for name, original in self._originals.items():
            setattr(TransactionTestCase, name, original)

    # Django's classes

    def _set_up_stock(self, cls: Any, original: Callable[[Any], None]) -> None:
        aliases = self._aliases(cls)
        if not self._rewinds(cls, aliases):
            original(cls)
            return
        state = self._stock_state(cls, aliases)
        if state is not None:  # else none has flushed yet
            self._rewind(cls, aliases, state)
        self._load_fixtures(cls, original)

    def _tear_down_stock(self, case: Any, original: Callable[[Any], None]) -> None:
        aliases = self._aliases(case)
        if not self._rewinds(case, aliases):
            original(case)
            return
        state = self._stock_state(case, aliases)
        if state is not None:
            self._rewind(case, aliases, state)
        else:
            original(case)
            self._baselines.capture(aliases, FLUSHED)

    def _stock_state(self, case: Any, aliases: Iterable[str]) -> str | None:
        """Return the state around the tests of a stock class; None if it is yet to be made."""
        if self._always_migrated or case.serialized_rollback:
            return MIGRATED
        return FLUSHED if self._baselines.holds(aliases, FLUSHED) else None

    # Sane classes

    def covers(self, test_class: Any) -> bool:
        """Whether the databases of a sane destructive class are rewound."""
        return self._rewinds(test_class, self._aliases(test_class))

    def set_up(self, test_class: Any) -> None:
        """Before the first test of a class: committed class data, on top of *migrated*; before
        each: what the first one found.
        """
        aliases = self._aliases(test_class)
        if test_class._has_checkpoint:
            self._rewind(test_class, aliases, CHECKPOINT)
            return
        self._rewind(test_class, aliases, MIGRATED)
        self._load_fixtures(test_class, self._originals["_fixture_setup"].__func__)
        _set_up_test_data(test_class)
        self._baselines.capture(aliases, CHECKPOINT)
        test_class._has_checkpoint = True

    def tear_down(self, test_class: Any) -> None:
        """After a test of an isolated class."""
        self._rewind(test_class, self._aliases(test_class), CHECKPOINT)

    def tear_down_class(self, test_class: Any) -> None:
        """After the last test of a class."""
        aliases = self._aliases(test_class)
        test_class._has_checkpoint = False
        self._rewind(test_class, aliases, MIGRATED)
        self._baselines.forget(aliases, CHECKPOINT)

    # Both

    def _aliases(self, case: Any) -> list[str]:
        return list(case._databases_names(include_mirrors=False))

    def _rewinds(self, case: Any, aliases: Iterable[str]) -> bool:
        return case.available_apps is None and self._baselines.covers(aliases)

    def _load_fixtures(self, cls: Any, original: Callable[[Any], None]) -> None:
        """Let Django reset sequences and load fixtures; migrated rows are there already."""
        had = "serialized_rollback" in vars(cls)
        serialized, cls.serialized_rollback = cls.serialized_rollback, False
        try:
            original(cls)
        finally:
            if had:
                cls.serialized_rollback = serialized
            else:
                del cls.serialized_rollback

    def _rewind(self, case: Any, aliases: Iterable[str], state: str) -> None:
        owner: Any = case if isinstance(case, type) else type(case)
        exact = getattr(owner, "database_flush", None) is not None or owner.reset_sequences
        repairs = self._baselines.rewind(aliases, state, counters=exact)
        name = case.id() if not isinstance(case, type) else f"{owner.__module__}.{owner.__name__}"
        for repair in repairs:
            _warn_of_leaks(name, repair)


def _set_up_test_data(test_class: Any) -> None:
    """Run ``setUpTestData()``; what it sets on the class is copied for each test."""
    before = dict(vars(test_class))
    test_class.setUpTestData()
    for name, value in dict(vars(test_class)).items():
        if value is not before.get(name):
            wrapped: Any = testcases.TestData(name, value)  # type: ignore[attr-defined]
            setattr(test_class, name, wrapped)


def _warn_of_leaks(name: str, repair: Repair) -> None:
    for leaked in repair.rewound.leaked:
        tables = f" (tables: {', '.join(leaked.tables)})" if leaked.tables else ""
        warnings.warn(
            f"{name} left session {leaked.session} of database {repair.alias!r} in a "
            f"transaction or with a lock{tables}; it was ended.",
            LeakedSessionWarning,
            stacklevel=2,
        )
