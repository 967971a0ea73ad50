"""Which kind a test is of, and other attributes that say what it needs."""

from __future__ import annotations

import unittest
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.test import LiveServerTestCase, SimpleTestCase, TestCase, TransactionTestCase

from ..events import Kind
from ..exceptions import UsageError
from ..parsing import parse_kind

# In the order in which they decide.
BEHAVIOR_KINDS = (
    ("selenium_start", Kind.SELENIUM),
    ("start_live_server", Kind.HTTP),
    ("database_flush", Kind.DESTRUCTIVE),
    ("database_flush_at_end", Kind.DESTRUCTIVE),
    ("database_single_transaction", Kind.DATABASE),
    ("database_single_transaction_at_end", Kind.DATABASE),
    ("no_database_interaction", Kind.UNIT),
)
# What classes that drive a browser over Django's live server call it.
BROWSER_ATTRIBUTES = ("browser", "browsers", "selenium", "driver", "webdriver", "playwright")

# The attributes that are on or off.
SWITCHES = (*dict(BEHAVIOR_KINDS), "make_translations", "multi_db", "flush_django_cache")

_DATABASE_SWITCHES = frozenset(name for name, kind in BEHAVIOR_KINDS if kind is not Kind.UNIT)

_UNSET: Any = object()


def is_failed_import(test: unittest.TestCase) -> bool:
    """Whether ``test`` stands for a module or name that could not be loaded."""
    return type(test).__module__ == "unittest.loader" and type(test).__name__ == "_FailedTest"


def test_method(test: unittest.TestCase) -> Any:
    """Return the method that ``test`` runs; None where it has none (doctests)."""
    return getattr(test, getattr(test, "_testMethodName", ""), None)


def attribute(test: unittest.TestCase, name: str, default: Any = None) -> Any:
    """Return a behavior attribute of ``test``: its method's, else its class's."""
    method = test_method(test)
    if getattr(method, "__dict__", None):  # most methods have no attributes at all
        value = getattr(method, name, _UNSET)
        if value is not _UNSET:
            return value
    return getattr(type(test), name, default)


def switched_on(test: unittest.TestCase) -> frozenset[str]:
    """Return the names of the behavior attributes that are True for ``test``.

    A method that asks for a kind of its own gets what it asks for, not what its class does.
    """
    method = test_method(test)
    test_class: Any = type(test)  # mypy takes the class for unhashable: its tests' __hash__
    if not getattr(method, "__dict__", None):
        return class_switches(test_class)
    own = frozenset(name for name in SWITCHES if getattr(method, name, None) is True)
    deciding = frozenset(dict(BEHAVIOR_KINDS))
    left = deciding if own & deciding else frozenset()
    inherited = {name for name in class_switches(test_class) - left if not hasattr(method, name)}
    return own | inherited


@cache
def class_switches(test_class: type) -> frozenset[str]:
    """Return the names of the behavior attributes that are True for a class."""
    return frozenset(name for name in SWITCHES if getattr(test_class, name, None) is True)


def classify(test: unittest.TestCase) -> Kind:
    """Return the kind of ``test``.

    ``test_type`` decides, else the behavior attributes, else Django's base classes. What the
    method says wins over what its class says. Raises UsageError for an unknown ``test_type``,
    naming the class.
    """
    method = test_method(test)
    declared = _declared_kind(method, type(test)) if getattr(method, "__dict__", None) else None
    test_class: Any = type(test)  # mypy takes the class for unhashable: its tests' __hash__
    return declared or _class_kind(test_class)


@cache
def _class_kind(test_class: type) -> Kind:
    return _declared_kind(test_class, test_class) or _base_kind(test_class)


def _declared_kind(owner: Any, test_class: type) -> Kind | None:
    test_type = getattr(owner, "test_type", None)
    if isinstance(test_type, str):
        try:
            return parse_kind(test_type)
        except ValueError as error:
            name = f"{test_class.__module__}.{test_class.__qualname__}"
            raise UsageError(f"{name}.test_type: {error}.") from None
    for name, kind in BEHAVIOR_KINDS:
        if getattr(owner, name, False) is True:
            return kind
    return None


def _base_kind(test_class: type) -> Kind:
    if issubclass(test_class, LiveServerTestCase):
        browser = any(hasattr(test_class, name) for name in BROWSER_ATTRIBUTES)
        return Kind.SELENIUM if browser else Kind.HTTP
    if issubclass(test_class, TestCase):
        return Kind.DATABASE
    if issubclass(test_class, TransactionTestCase):
        return Kind.DESTRUCTIVE
    if issubclass(test_class, SimpleTestCase) and test_class.databases:
        return Kind.DATABASE
    return Kind.UNIT


def databases_of(test: unittest.TestCase) -> frozenset[str]:
    """Return the aliases of the databases that ``test`` declares that it uses.

    Unknown aliases are left out: Django's own validation names them when the class is set up.
    """
    if is_failed_import(test):
        return frozenset()
    declared = getattr(test, "databases", None)
    if not declared:
        switches = switched_on(test)
        if switches.isdisjoint(_DATABASE_SWITCHES):
            return frozenset()
        declared = "__all__" if "multi_db" in switches else {DEFAULT_DB_ALIAS}
    if declared == "__all__":
        return frozenset(connections)
    if not isinstance(declared, (set, frozenset, list, tuple)):
        return frozenset()
    return frozenset(alias for alias in declared if alias in connections)
