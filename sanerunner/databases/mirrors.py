"""Mirrors: replicas that share the very connection of their primary.

Django points a mirror at its primary's test database over a connection of its own, which does
not see what a TestCase has written but not committed (Django ticket 23718). Here both aliases
have their own wrapper, with its own name and its own list of queries, over one session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
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

# The methods that Django replaces on the wrappers which a test does not declare.
CLOSED_METHODS = ("connect", "temporary_connection", "cursor", "chunked_cursor")


class _Session:
    """What is put before a vendor's wrapper class to make it a mirror."""

    _base: type[BaseDatabaseWrapper]
    _primary: BaseDatabaseWrapper
    _joined = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A copy of a mirror is a connection of its own, to the same database."""
        return cls._base(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """Find what the primary's wrapper has learned while it opened the session."""
        if name == "_primary":
            raise AttributeError(name)
        return getattr(self._primary, name)

    def connect(self) -> None:
        """Open the session as the primary does, also where its alias is closed to a test."""
        own = vars(self._primary)
        closed = {name: own.pop(name) for name in CLOSED_METHODS if name in own}
        try:
            self._base.connect(self._primary)
        finally:
            own.update(closed)


def _shared(name: str) -> property:
    def read(mirror: Any) -> Any:
        return getattr(mirror._primary, name)

    def write(mirror: Any, value: Any) -> None:
        if mirror._joined:  # else it is the first value, and the session is in use
            setattr(mirror._primary, name, value)

    return property(read, write)


@cache
def _mirror_class(base: Any) -> Any:
    members: dict[str, Any] = {name: _shared(name) for name in SESSION_ATTRIBUTES}
    return type(f"Mirror{base.__name__}", (_Session, base), {**members, "_base": base})


def mirror_of(primary: BaseDatabaseWrapper, alias: str) -> BaseDatabaseWrapper:
    """Return a wrapper named ``alias`` over the session of ``primary``."""
    base: Any = type(primary)
    mirror: Any = object.__new__(_mirror_class(base))
    mirror._primary = primary
    test_settings = connections.settings[alias]["TEST"]
    base.__init__(mirror, {**primary.settings_dict, "TEST": test_settings}, alias)
    mirror._joined = True
    wrapper: BaseDatabaseWrapper = mirror
    return wrapper


class Mirrors:
    """Redirects the aliases of mirrors to their primaries, in every thread."""

    def __init__(self) -> None:
        self._primaries: dict[str, str] = {}
        self._replaced: dict[str, BaseDatabaseWrapper] = {}
        self._create_connection: Callable[[str], Any] | None = None

    def redirect(self, mirrors: Mapping[str, str]) -> None:
        """Make each mirror alias share the connection of its primary from now on."""
        if not mirrors:
            return
        self._primaries.update(mirrors)
        self._create_connection = connections.create_connection
        connections.create_connection = self._create  # type: ignore[method-assign]
        for alias in mirrors:
            original = connections[alias]
            original.close()
            self._replaced[alias] = original
            connections[alias] = self._create(alias)

    def restore(self) -> None:
        """Give the aliases their own connections again."""
        for alias, original in self._replaced.items():
            connections[alias] = original
        self._replaced.clear()
        self._primaries.clear()
        if self._create_connection is not None:
            _put_back(self._create_connection)
            self._create_connection = None

    def _create(self, alias: str) -> Any:
        assert self._create_connection is not None
        primary = self._primaries.get(alias)
        if primary is None:
            return self._create_connection(alias)
        return mirror_of(connections[primary], alias)


def _put_back(create_connection: Callable[[str], Any]) -> None:
    if getattr(create_connection, "__func__", None) is type(connections).create_connection:
        del connections.create_connection  # the instance's, which hid the class's
    else:
        connections.create_connection = create_connection  # type: ignore[assignment]
