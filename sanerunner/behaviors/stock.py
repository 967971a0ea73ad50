"""Django's own classes whose tests commit, with methods of ours for the time of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import TestCase, TransactionTestCase, testcases

from ..collection.kinds import class_switches

#: What Django calls before each test (on the class) and after it (on the test).
SET_UP, TEAR_DOWN, RELOAD = "_fixture_setup", "_fixture_teardown", "_should_reload_connections"


def original(name: str) -> Any:
    """Return the present function behind a method of TransactionTestCase."""
    method = vars(TransactionTestCase)[name]
    return getattr(method, "__func__", method)


def replace(methods: dict[str, Callable[[Any], Any]]) -> Callable[[], None]:
    """Put ``methods`` into TransactionTestCase; return a function that ends this.

    Subclasses that override them still win.
    """
    before = {name: vars(TransactionTestCase)[name] for name in methods}
    for name, method in methods.items():
        kind = type(before[name])
        wrap: Any = kind if kind in (classmethod, staticmethod) else lambda function: function
        setattr(TransactionTestCase, name, wrap(method))

    def leave() -> None:
        for name, method in before.items():
            setattr(TransactionTestCase, name, method)

    return leave


def databases_of(case: Any) -> list[str]:
    """Return the aliases that a class or test declares, without those of mirrors."""
    return list(case._databases_names(include_mirrors=False))


def finds_what_was_left(
    test_class: Any, *, always_migrated: bool = False, by_command: bool = False
) -> bool:
    """Whether the tests of a class find a database as the flush after another test has left it,
    or, if none was before, as migrations have.

    ``always_migrated``: stock classes never do. ``by_command``: a project's own command flushes,
    also after the tests of sane classes.
    """
    if not issubclass(test_class, TransactionTestCase):
        return "database_flush" in class_switches(test_class)
    if issubclass(test_class, TestCase):
        return False
    if by_command:
        return True
    partly = test_class.available_apps is not None
    return not always_migrated and (partly or not test_class.serialized_rollback)


def without_serialized_rows(cls: Any, set_up: Callable[[Any], None]) -> None:
    """Let Django reset sequences and load fixtures; the migrated rows are no matter of it."""
    if not cls.serialized_rollback:
        set_up(cls)
        return
    had = "serialized_rollback" in vars(cls)
    cls.serialized_rollback = False
    try:
        set_up(cls)
    finally:
        if had:
            cls.serialized_rollback = True
        else:
            del cls.serialized_rollback


def set_up_test_data(test_class: Any) -> None:
    """Run ``setUpTestData()``; what it sets on the class is copied for each test."""
    before = dict(vars(test_class))
    test_class.setUpTestData()
    for name, value in dict(vars(test_class)).items():
        if value is not before.get(name):
            wrapped: Any = testcases.TestData(name, value)  # type: ignore[attr-defined]
            setattr(test_class, name, wrapped)
