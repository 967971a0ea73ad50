"""Carries out what a request asks for: whole, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import connections, transaction

from .factories import failed
from .leftovers import sent_mail_kept
from .memories import Memory
from .problems import Problem
from .runtime import Integration

T = TypeVar("T")


@dataclass
class Doing:
    """What has been done so far for a request: headers for the answer, and how to undo what is
    in no database.
    """

    headers: list[tuple[str, str]] = field(default_factory=list)
    undo: list[Callable[[], object]] = field(default_factory=list)


@dataclass(frozen=True)
class Action:
    """One thing to do, checked as far as that is possible before anything is done.

    ``moves``: it puts databases back, or takes a state of them: no request may run meanwhile,
    and no transaction may be open.
    """

    run: Callable[[Doing], Any]
    moves: bool = False


def apply(integration: Integration, actions: Sequence[Action], doing: Doing) -> list[Any]:
    """Return the results of all actions, in order. If one fails, all is as it was before.

    Raises Problem, with the number of the action in ``command``, and whatever else they raise.
    """
    moves = any(action.moves for action in actions)
    if not moves:
        return integration.call(lambda: whole(integration, lambda: _all(actions, doing)))
    if len(actions) == 1:
        return integration.run(lambda: _all(actions, doing))
    return integration.run(lambda: _one_by_one(integration, actions, doing))


def _one_by_one(integration: Integration, actions: Sequence[Action], doing: Doing) -> list[Any]:
    """Databases cannot be put back in a transaction: a state of before is taken instead."""
    results = []
    with integration.attempt():
        for number, action in enumerate(actions):
            if action.moves:
                results.append(_numbered(number, action, doing))
            else:
                results.append(_in_transaction(integration, number, action, doing))
    return results


def _in_transaction(integration: Integration, number: int, action: Action, doing: Doing) -> Any:
    return whole(integration, lambda: _numbered(number, action, doing))


def _all(actions: Sequence[Action], doing: Doing) -> list[Any]:
    return [_numbered(number, action, doing) for number, action in enumerate(actions)]


def _numbered(number: int, action: Action, doing: Doing) -> Any:
    try:
        return action.run(doing)
    except Problem as problem:
        problem.members.setdefault("command", number)
        raise


def whole(integration: Integration, work: Callable[[], T]) -> T:
    """Return what ``work()`` returns, done in one transaction of each database. If it raises, or
    a commit does, nothing is committed, and memories and mail are as they were.

    What was to be done ``on_commit`` is done when all is committed. Raises Problem if that fails.
    """
    hooks: list[tuple[Any, bool]] = []
    with _remembered(integration.memories), sent_mail_kept(), ExitStack() as stack:
        for alias in integration.aliases:
            stack.enter_context(transaction.atomic(using=alias))
        result = work()
        _check_constraints(integration.aliases)
        for alias in integration.aliases:
            connection = connections[alias]
            registered: list[Any] = connection.run_on_commit
            hooks += [(each[1], each[2]) for each in registered]
            connection.run_on_commit = []
    _run_hooks(hooks)
    return result


def _remembered(memories: Iterable[Memory]) -> ExitStack:
    """Return a context that puts the memories back if its block raises."""
    taken = [(memory, memory.take()) for memory in memories]
    stack = ExitStack()

    def restore(error_type: object, error: object, traceback: object) -> None:
        if error is not None:
            for memory, each in taken:
                memory.restore(each)

    stack.push(restore)
    return stack


def _check_constraints(aliases: Sequence[str]) -> None:
    """Where a commit may fail after another one, find out before the first."""
    for alias in aliases if len(aliases) > 1 else ():
        if connections[alias].features.can_defer_constraint_checks:
            connections[alias].check_constraints()


def _run_hooks(hooks: Iterable[tuple[Any, bool]]) -> None:
    """Call all functions, whichever raises; raise Problem for the first one that does and was
    not registered as robust.
    """
    problems = []
    for function, robust in hooks:
        try:
            function()
        except Exception as error:
            if not robust:
                problem = failed("All was applied, but what was to be done on_commit", error)
                problem.members["applied"] = True
                problems.append(problem)
    if problems:
        raise problems[0]
