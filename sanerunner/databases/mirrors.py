"""Mirrors: replicas that share the very connection of their primary.

Django points a mirror at its primary's test database over a connection of its own, which does
not see what a TestCase has written but not committed (Django ticket 23718). Here both aliases
have their own wrapper, with its own name and its own list of queries, over one session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

# The attributes of a wrapper that describe the session behind it.
SESSION_ATTRIBUTES = (
    "connection",
    "autocommit",
    "in_atomic_block",
    "savepoint_state",
    "savepoint_ids",
    "commit_on_exit",
    "needs_rollback",
    "rollback_exc",
    "atomic_blocks",
    "run_on_commit",
    "run_commit_hooks_on_set_autocommit_on",
    "close_at",
    "closed_in_transaction",
    "errors_occurred",
    "health_check_enabled",
    "health_check_done",
    "_thread_sharing_lock",
    "_thread_sharing_count",
    "_thread_ident",
)


def _shared(name: str) -> property:
    def read(mirror: Any) -> Any:
        return getattr(mirror._primary, name)

    def write(mirror: Any, value: Any) -> None:
        setattr(mirror._primary, name, value)

    return property(read, write)


def mirror_of(primary: BaseDatabaseWrapper, alias: str) -> BaseDatabaseWrapper:
    """Return a wrapper named ``alias`` over the session of ``primary``."""

    def __init__(mirror: Any) -> None:
        mirror._primary = primary
        session = {name: getattr(primary, name) for name in SESSION_ATTRIBUTES}
        test_settings = connections.settings[alias]["TEST"]
        base.__init__(mirror, {**primary.settings_dict, "TEST": test_settings}, alias)
        for name, value in session.items():  # which the base's __init__ has set anew
            setattr(primary, name, value)

    def connect(mirror: Any) -> None:
        """Open the session as the primary does, also where its alias is closed to a test."""
        base.connect(primary)

    base = type(primary)
    members: dict[str, Any] = {name: _shared(name) for name in SESSION_ATTRIBUTES}
    members.update(__init__=__init__, connect=connect)
    mirror: BaseDatabaseWrapper = type(f"Mirror{base.__name__}", (base,), members)()
    return mirror


class Mirrors:
    """Redirects the aliases of mirrors to their primaries, in every thread."""

    def __init__(self) -> None:
        self._primaries: dict[str, str] = {}
        self._replaced: dict[str, BaseDatabaseWrapper] = {}
        self._create_connection: Callable[[str], Any] | None = None

    def redirect(self, mirrors: Mapping[str, str]) -> None:
        """Make each mirror alias share the connection of its primary from now on."""
        self._primaries.update(mirrors)
        if self._create_connection is None and mirrors:
            self._create_connection = connections.create_connection
            connections.create_connection = self._create  # type: ignore[method-assign]
        for alias in mirrors:
            if alias not in self._replaced:
                original = connections[alias]
                original.close()
                self._replaced[alias] = original
                connections[alias] = self._create(alias)

    def refresh(self) -> None:
        """Show the primaries' names, which have changed, in the settings of the mirrors."""
        for alias, primary in self._primaries.items():
            name = connections[primary].settings_dict["NAME"]
            connections[alias].settings_dict["NAME"] = name

    def restore(self) -> None:
        """Give the aliases their own connections again."""
        for alias, original in self._replaced.items():
            connections[alias] = original
        self._replaced.clear()
        self._primaries.clear()
        if self._create_connection is not None:
            del connections.create_connection  # the instance's, not the class's
            self._create_connection = None

    def _create(self, alias: str) -> Any:
        assert self._create_connection is not None
        primary = self._primaries.get(alias)
        if primary is None:
            return self._create_connection(alias)
        return mirror_of(connections[primary], alias)
