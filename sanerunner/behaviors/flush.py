"""A project's own command, in place of the rewind: TEST_DATABASE_FLUSH_COMMAND."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from ..cases import use_isolation
from ..plugins import Plugin
from . import stock
from .database import flush


def flush_with(command: Callable[..., Any] | None, test: Any, aliases: Iterable[str]) -> None:
    """Flush databases by ``command``, or as Django does if it is None.

    The command is called with ``test``, once for each alias as ``database`` where its signature
    takes that, else once.
    """
    aliases = list(aliases)
    if command is None:
        flush(aliases)
    elif _takes_database(command):
        for alias in aliases:
            command(test, database=alias)
    else:
        command(test)


def _takes_database(command: Callable[..., Any]) -> bool:
    parameters = inspect.signature(command).parameters
    kinds = {parameter.kind for parameter in parameters.values()}
    return "database" in parameters or inspect.Parameter.VAR_KEYWORD in kinds


class FlushBehavior(Plugin):
    """Flushes by ``command`` after the tests of Django's committing classes, and of the sane
    ones; they find what the last flush has left.
    """

    def __init__(self, command: Callable[..., Any]) -> None:
        self._command = command
        self._leave: list[Callable[[], None]] = []

    def worker_setup(self, worker: int) -> None:
        self._set_up = stock.original(stock.SET_UP)
        flush = stock.replace({stock.TEAR_DOWN: lambda case: self._flush(case)})
        self._leave = [flush, use_isolation(self)]

    def worker_teardown(self, worker: int) -> None:
        while self._leave:
            self._leave.pop()()

    def _flush(self, case: Any) -> None:
        """``case`` is a test, or a class that is flushed after its last one."""
        flush_with(self._command, case, stock.databases_of(case))

    # Sane classes

    def covers(self, test_class: Any) -> bool:
        return True

    def set_up(self, test_class: Any) -> None:
        stock.without_serialized_rows(test_class, self._set_up)
        test_class.setUpTestData()

    def tear_down(self, test: Any) -> None:
        self._flush(test)

    def tear_down_class(self, test_class: Any) -> None:
        if test_class.database_flush_at_end:
            self._flush(test_class)
