"""Transactions, flushes and the lack of a database, for tests that ask for them by attribute.

Django's own test classes and the sane case classes bring their isolation with them; this
behavior gives it to plain ``unittest.TestCase`` classes, and refuses databases to those tests
of any class that declare ``no_database_interaction``.
"""

from __future__ import annotations

import unittest
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.test import SimpleTestCase

from ..collection.kinds import attribute
from ..plugins import Plugin

Refuse = Callable[[str], AbstractContextManager[None]]


class DatabaseBehavior(Plugin):
    """``no_database_interaction``, ``database_single_transaction`` and ``database_flush``, and
    the forms of the latter two for a whole class, ``…_at_end``.

    ``refuse(test_name)`` is a context manager in which any use of a database is an error.
    """

    name = "django"

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self._class_stack = ExitStack()
        self._test_stack = ExitStack()

    def class_setup(self, test_class: type) -> None:
        if issubclass(test_class, SimpleTestCase):
            return
        with ExitStack() as stack:
            _isolate(stack, test_class, lambda name: getattr(test_class, name + "_at_end", False))
            self._class_stack = stack.pop_all()

    def class_teardown(self, test_class: type) -> None:
        self._class_stack.close()

    def test_setup(self, test: unittest.TestCase) -> None:
        with ExitStack() as stack:
            if attribute(test, "no_database_interaction") is True:
                stack.enter_context(self._refuse(test.id()))
            if not isinstance(test, SimpleTestCase):
                _isolate(stack, test, lambda name: attribute(test, name))
            self._test_stack = stack.pop_all()

    def test_teardown(self, test: unittest.TestCase) -> None:
        self._test_stack.close()


def _isolate(stack: ExitStack, owner: Any, read: Callable[[str], Any]) -> None:
    """Begin what the attributes of ``owner`` ask for; it ends when ``stack`` is closed."""
    if read("database_single_transaction") is True:
        _enter_transactions(stack, aliases_of(owner))
        _load_fixtures(owner)
    elif read("database_flush") is True:
        stack.callback(flush, aliases_of(owner))
        _load_fixtures(owner)


def aliases_of(owner: Any) -> list[str]:
    """Return the aliases that a plain test or class declares, without those of mirrors."""
    declared = getattr(owner, "databases", None)
    if declared == "__all__" or (not declared and getattr(owner, "multi_db", False)):
        declared = connections
    return [
        alias
        for alias in connections
        if alias in (declared or {DEFAULT_DB_ALIAS})
        and not connections[alias].settings_dict["TEST"]["MIRROR"]
    ]


def flush(aliases: Iterable[str]) -> None:
    """Empty the tables of test databases, as TransactionTestCase does after each test."""
    for alias in aliases:
        call_command(
            "flush", verbosity=0, interactive=False, database=alias, reset_sequences=False
        )


def _enter_transactions(stack: ExitStack, aliases: Iterable[str]) -> None:
    for alias in aliases:
        atomic = transaction.atomic(using=alias)
        atomic._from_testcase = True  # type: ignore[attr-defined]  # durable blocks may nest
        stack.enter_context(atomic)
        stack.callback(transaction.set_rollback, True, using=alias)


def _load_fixtures(owner: Any) -> None:
    fixtures = getattr(owner, "fixtures", None)
    if fixtures:
        for alias in aliases_of(owner):
            call_command("loaddata", *fixtures, verbosity=0, database=alias)
