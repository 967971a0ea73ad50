"""Where test databases live, a server or a folder: their marks, and the locks of live runs.

A mark tells this project's test databases from all others; a lock, those that a run uses now.
Neither is inside the database, so that both are there before it and while it is made anew.
"""

from __future__ import annotations

import abc
import hashlib
import json
import os
import socket
import threading
import time
import unittest
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from weakref import WeakSet

from django.db.backends.base.base import BaseDatabaseWrapper


def this_run() -> str:
    """Return how messages name this run."""
    return f"pid {os.getpid()} on {socket.gethostname()}"


@dataclass(frozen=True)
class Mark:
    """Says that a database is a test database: of which project, used last when and by whom.

    ``made`` says that the making was completed, and a document stored with the database.
    """

    project: str
    used_at: float = field(default_factory=time.time)  # UTC, in seconds
    run: str = field(default_factory=this_run)
    made: bool = False

    def to_text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None) -> Mark | None:
        """Return the mark that ``to_text()`` wrote; None for any other text."""
        try:
            content = json.loads(text or "")
        except ValueError:
            return None
        return cls.from_json(content)

    @classmethod
    def from_json(cls, content: Any) -> Mark | None:
        if not isinstance(content, Mapping):
            return None
        known: dict[str, type | tuple[type, ...]] = {
            "project": str,
            "used_at": (int, float),
            "run": str,
            "made": bool,
        }
        values = {name: content.get(name) for name in known}
        if not all(isinstance(values[name], kind) for name, kind in known.items()):
            return None
        return cls(**values)  # type: ignore[arg-type]  # checked above


class Site(abc.ABC):
    """The server, or the folder, of the test database of ``connection``.

    It has a session of its own, to no test database. Databases are given by name, as the NAME
    of the settings has it. Methods raise the driver's errors.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    @abc.abstractmethod
    def open(self) -> None:
        """Open the session. To be called before all else."""

    @abc.abstractmethod
    def close(self) -> None:
        """End the session; its locks are released."""

    @abc.abstractmethod
    def abandon(self) -> None:
        """Let go of the session in a process that was forked from the one that opened it."""

    # Locks

    @abc.abstractmethod
    def lock(self, name: Any) -> bool:
        """Take the lock of a database, unless another run has it; return whether it is ours."""

    @abc.abstractmethod
    def unlock(self, name: Any) -> None:
        """Release the lock of a database."""

    @abc.abstractmethod
    def holder(self, name: Any) -> str:
        """Return what is known of the run that has the lock."""

    # Databases and their marks

    @abc.abstractmethod
    def exists(self, name: Any) -> bool:
        """Whether there is a database of this name."""

    @abc.abstractmethod
    def may_mark(self, name: Any) -> bool:
        """Whether this user may replace the database, and keep what belongs to it beside it."""

    @abc.abstractmethod
    def read_mark(self, name: Any) -> Mark | None:
        """Return the mark of a database; None if it has none."""

    @abc.abstractmethod
    def write_mark(self, name: Any, mark: Mark) -> None:
        """Mark a database."""

    @abc.abstractmethod
    def marked(self) -> dict[str, Mark]:
        """Return all databases with a mark, of any project, that can be found from here."""

    @abc.abstractmethod
    def identity(self, name: Any) -> str:
        """Return what tells the database from a copy of it, and from a later one of its name."""

    @abc.abstractmethod
    def drop(self, name: Any) -> None:
        """Drop a database, if it is there, with its mark and all that is kept beside it."""


# Sites that hold a session, which a forked child must neither use nor end.
_opened: WeakSet[Site] = WeakSet()


def opened(site: Site) -> None:
    """Remember that ``site`` has a session now."""
    _opened.add(site)


def _abandon_all() -> None:
    for site in list(_opened):
        site.abandon()
    _opened.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_abandon_all)


def sever(descriptor: int) -> None:
    """Have a child's copy of a socket lead nowhere: what its driver says at the end would end
    the session of the parent.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, descriptor, inheritable=False)
    os.close(nowhere)


def key_of(name: str, size: int) -> bytes:
    """Return a digest of a database's name, for locks that take numbers or short names."""
    return hashlib.blake2b(name.encode(), digest_size=size, person=b"sanerunner").digest()


def wait_for(site: Site, name: Any, on_wait: Callable[[str], None]) -> None:
    """Take the lock of a database, when other runs have released it.

    ``on_wait(holder)`` is called once, if another run has it. Ctrl-C ends the waiting at once.
    """
    if site.lock(name):
        return
    if threading.current_thread() is threading.main_thread():
        # unittest's handler of Ctrl-C would wait for the end of a test.
        unittest.removeHandler(_wait)(site, name, on_wait)
    else:
        _wait(site, name, on_wait)


def _wait(site: Site, name: Any, on_wait: Callable[[str], None]) -> None:
    """Ask for the lock again and again: a driver that waits for it does not let Ctrl-C through."""
    on_wait(site.holder(name))
    while not site.lock(name):
        time.sleep(0.2)
