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

from ..collection.kinds import attribute, class_switches, switched_on
from ..plugins import Plugin

_TEST_SWITCHES = frozenset(
    {"no_database_interaction", "database_single_transaction", "database_flush"}
)
_CLASS_SWITCHES = frozenset({"database_single_transaction_at_end", "database_flush_at_end"})

Refuse = Callable[[str], AbstractContextManager[None]]
Empty = Callable[[Any, list[str]], None]


class DatabaseBehavior(Plugin):
    """``no_database_interaction``, ``database_single_transaction`` and ``database_flush``, and
    the forms of the latter two for a whole class, ``…_at_end``.

    ``refuse(test_name)`` is a context manager in which any use of a database is an error;
    ``empty(owner, aliases)`` flushes databases after a test, or a class, that asks for it.
    """

    name = "django"
    test_attributes = tuple(sorted(_TEST_SWITCHES))

    def __init__(self, refuse: Refuse, empty: Empty | None = None) -> None:
        self._refuse = refuse
        self._empty = empty or (lambda owner, aliases: flush(aliases))
        self._class_stack = ExitStack()
        self._test_stack = ExitStack()

    def class_setup(self, test_class: type) -> None:
        switches = class_switches(test_class)
        if issubclass(test_class, SimpleTestCase) or switches.isdisjoint(_CLASS_SWITCHES):
            return
        with ExitStack() as stack:
            self._isolate(stack, test_class, "database_single_transaction_at_end" in switches)
            self._class_stack = stack.pop_all()

    def class_teardown(self, test_class: type) -> None:
        self._class_stack.close()

    def test_setup(self, test: unittest.TestCase) -> None:
        switches = switched_on(test)
        if switches.isdisjoint(_TEST_SWITCHES):
            return
        if "no_database_interaction" in switches:
            _refuse_in_run(test, self._refuse)
        elif not isinstance(test, SimpleTestCase):
            with ExitStack() as stack:
                self._isolate(stack, test, "database_single_transaction" in switches)
                self._test_stack = stack.pop_all()

    def test_teardown(self, test: unittest.TestCase) -> None:
        self._test_stack.close()

    def _isolate(self, stack: ExitStack, owner: Any, in_transaction: bool) -> None:
        """Begin a transaction to roll back, or announce a flush, when ``stack`` is closed."""
        aliases = aliases_of(owner)
        if in_transaction:
            _enter_transactions(stack, aliases)
        else:
            stack.callback(self._empty, owner, aliases)
        for fixture in getattr(owner, "fixtures", None) or ():
            for alias in aliases:
                call_command("loaddata", fixture, verbosity=0, database=alias)


def _refuse_in_run(test: unittest.TestCase, refuse: Refuse) -> None:
    """Refuse databases from ``setUp`` to the last clean-up: what Django does around ``run()``
    (the transaction of a TestCase) is not the test's doing.
    """
    run: Any = test.run

    def run_refusing(result: unittest.TestResult | None = None) -> Any:
        with refuse(test.id()):
            return run(result)

    test.run = run_refusing  # type: ignore[method-assign]


def aliases_of(owner: Any) -> list[str]:
    """Return the aliases that a plain test or class uses, without those of mirrors."""
    declared: Any = getattr(owner, "databases", None)
    if not declared:
        is_test = isinstance(owner, unittest.TestCase)
        multi_db = attribute(owner, "multi_db") if is_test else getattr(owner, "multi_db", None)
        declared = "__all__" if multi_db is True else {DEFAULT_DB_ALIAS}
    if declared == "__all__":
        declared = connections
    return [
        alias
        for alias in connections
        if alias in declared and not connections[alias].settings_dict["TEST"]["MIRROR"]
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
