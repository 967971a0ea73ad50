"""Baselines: the states that tests start from, and the rewinds between them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..exceptions import RewindError
from .checksums import Checksums
from .contents import Contents
from .failures import not_put_back
from .layout import primary_of
from .operations import DatabaseOperations, LeakedSession, Rewound, operations_for
from .rowcaches import clear_row_caches
from .vendors import identity

#: After migrations and post_migrate: what sane classes start from.
MIGRATED = "migrated"
#: What the first test finds: *migrated*, and what the project's own runner has written before.
START = "start"
#: What Django's flush leaves: what stock classes find after one of them has run.
FLUSHED = "flushed"
#: On top of a baseline: a class's committed data.
CHECKPOINT = "checkpoint"


class Repair(NamedTuple):
    """What the rewind of one database found."""

    alias: str
    rewound: Rewound


class Baselines:
    """Puts the databases of a run back, as far as their vendors can.

    A database that is not attached (its vendor has no operations, or rewinding is off) is not
    covered: its tests are isolated in Django's way. With ``verify`` each rewind is followed by
    a comparison of full checksums; RewindError where they differ. ``say`` is told, once for each
    alias, that Django's flush is used. With ``watched`` the contents can be read.

    A database that could not be put back is in ``broken`` (alias -> why) until it is detached:
    nothing may use it.
    """

    def __init__(
        self,
        *,
        verify: bool = False,
        watched: bool = False,
        say: Callable[[str], object] = lambda message: None,
    ) -> None:
        self._checksums = Checksums() if verify else None
        self._watched = watched
        self._owner = threading.get_ident()
        #: What the databases contain, with ``watched``.
        self.contents = Contents()
        self._say = say
        #: A context in which databases may be made and dropped (templates of a vendor).
        self.admitting: Callable[[str], AbstractContextManager[None]] = lambda alias: nullcontext()
        self._without: set[str] = set()  # aliases of which has been said that they are flushed
        self._unprepared: set[str] = set()
        self._present: dict[str, str] = {}  # alias -> the state it was put to, or captured as
        self._operations: dict[str, DatabaseOperations] = {}
        self._held: dict[str, set[str]] = {}
        self.broken: dict[str, str] = {}

    def attach(self, alias: str, *, loaded: bool = False, changed: bool = False) -> None:
        """Take the present content of a database that has just been made as *migrated*.

        ``loaded``: an image may have brought it; ``changed``: something was written since.
        """
        known = alias in self._operations
        if not known and self._open(alias) is None:
            return
        if loaded and not known and not changed:
            known = self._operations[alias].resume(MIGRATED)
            if known:
                self._use_resumed(alias)
        if changed or not known:
            self._capture_migrated(alias)

    def _open(self, alias: str) -> DatabaseOperations | None:
        connection = connections[alias]
        if vars(connection)["_thread_ident"] != self._owner:  # of a test's thread, which may end
            connection = connection.copy()
            connection.inc_thread_sharing()
        operations = operations_for(connection)
        if operations is not None:
            operations.open()
            self._operations[alias] = operations
            self._held[alias] = set()
        elif alias not in self._without:
            self._without.add(alias)
            self._say(
                f"Database {alias!r} is put back by Django's flush: there is no rewind for "
                f"{connection.vendor}."
            )
        return operations

    def _capture_migrated(self, alias: str) -> None:
        self._unprepared.add(alias)
        self.capture([alias], MIGRATED, complete=False)
        self._watch(alias)

    def prepare(self, aliases: Iterable[str]) -> None:
        """Get databases ready for the first test that commits: put back what tests before it
        have moved (sequences), and make what only such tests need.
        """
        waiting = [alias for alias in aliases if alias in self._unprepared]
        self._unprepared.difference_update(waiting)
        self.rewind(waiting, START)

    def begin(self) -> None:
        """No test has run yet: take what is in the databases that are there as *start*.

        They are there because a project's own code has opened them, which may have written.
        Where that was not called, or a database was made later, *start* is *migrated*. So it is
        where the schema was changed, which a kept database would not be taken back from.
        """
        for alias, operations in self._operations.items():
            self.capture([alias], START, complete=False)
            if not operations.have_one_schema(START, MIGRATED):
                self.capture([alias], MIGRATED, complete=False)
                self.forget([alias], START)

    def has_begun(self, alias: str) -> bool:
        """Whether *start* is a state of its own."""
        return START in self._held.get(alias, ())

    # Databases that are kept

    def can_keep(self, alias: str) -> bool:
        """Whether there are operations for the vendor of this database."""
        return operations_for(connections[alias]) is not None

    def read_document(self, alias: str) -> dict[str, Any] | None:
        """Return what was stored with a database that an earlier run has kept.

        The database is attached then: what follows is ``resume()``, or ``detach()``.
        """
        operations = self._open(alias)
        return None if operations is None else operations.read_document()

    def resume(self, alias: str, *, rewind: bool = True) -> bool:
        """Put a database back to *migrated*, as an earlier run has captured it; False if what
        was kept of that cannot be used. Without ``rewind`` it stays as it is.
        """
        if not rewind:
            return self.resume_state(alias, MIGRATED)
        if not self._operations[alias].restore(MIGRATED):
            return False
        self._use_resumed(alias)
        return True

    def _use_resumed(self, alias: str) -> None:
        self._held[alias].add(MIGRATED)
        self._present[alias] = MIGRATED
        self._unprepared.add(alias)
        self._take_checksums(alias, MIGRATED)
        self._watch(alias)

    def resume_state(self, alias: str, state: str) -> bool:
        """Hold a state that an earlier process has captured; False if it cannot be used."""
        if not self._operations[alias].resume(state):
            return False
        self._held[alias].add(state)
        return True

    def write_document(self, alias: str, document: Mapping[str, Any]) -> bool:
        """Store a document with a database that is to be kept; return whether it is there now."""
        if not self.holds([alias], MIGRATED):
            self._capture_migrated(alias)
        self._operations[alias].write_document(document)
        return self._operations[alias].read_document() is not None

    def adopt(self, alias: str, *, begun: bool = False) -> None:
        """Take a clone, which is put back to the *migrated* state of its template, or to its
        *start* if it has ``begun``.

        Where that state does not outlive a process the present content is taken.
        """
        if self._open(alias) is None:
            return
        if not self.resume(alias):
            self._capture_migrated(alias)
        elif begun and self._operations[alias].resume(START):
            self._held[alias].add(START)
            self.rewind([alias], START)
            self._take_checksums(alias, START)

    def document(self, alias: str) -> Mapping[str, Any] | None:
        """Return what is stored with a database that is attached."""
        return self._operations[alias].read_document()

    @contextmanager
    def cloning(self, alias: str) -> Iterator[Callable[[str], None]]:
        """Yield what makes a clone of a database that is attached (see DatabaseOperations)."""
        with self._operations[alias].cloning() as clone:
            yield clone

    def detach(self, alias: str, *, dropped: bool) -> None:
        """Let go of a database; ``dropped`` says whether it is to be destroyed now."""
        if not dropped and alias not in self.broken:
            self.forget([alias], START)  # of this run only: its runner may write again
        operations = self._operations.pop(alias, None)
        self._held.pop(alias, None)
        self._present.pop(alias, None)
        self._unprepared.discard(alias)
        self.contents.forget(alias)
        self.broken.pop(alias, None)
        if operations is not None:
            operations.close()
            if dropped:
                with self.admitting(alias):
                    operations.discard()

    def forget_all(self) -> object:
        """Let go of all databases without closing anything: in a forked process, where they are
        those of the process it was forked from. Return what must not be freed.
        """
        kept, self._operations = self._operations, {}
        self._held = {}
        self.contents.forget_all()
        return kept

    def covers(self, aliases: Iterable[str]) -> bool:
        return all(alias in self._operations for alias in aliases)

    def holds(self, aliases: Iterable[str], state: str) -> bool:
        return all(state in self._held[alias] for alias in aliases)

    def is_at(self, aliases: Iterable[str], state: str) -> bool:
        """Whether ``state`` is what all of the databases were put to, or captured as, last."""
        return all(self._present.get(alias) == self._named(alias, state) for alias in aliases)

    def moved(self, aliases: Iterable[str]) -> None:
        """Something else has written: the databases are at no state that is known."""
        for alias in aliases:
            self._present.pop(alias, None)

    def capture(self, aliases: Iterable[str], state: str, *, complete: bool = True) -> None:
        """Take the present content of the databases as ``state``."""
        for alias in aliases:
            with self.admitting(alias):
                self._operations[alias].capture(state, complete=complete)
            self._held[alias].add(state)
            self._present[alias] = state
            self._take_checksums(alias, state)

    def _take_checksums(self, alias: str, state: str) -> None:
        if self._checksums is not None:
            self._checksums.take(alias, state, self._operations[alias])

    def forget(self, aliases: Iterable[str], state: str) -> None:
        for alias in aliases:
            if state in self._held.get(alias, ()):
                self._operations[alias].forget(state)
                self._held[alias].discard(state)

    def have_changed_schema(self, aliases: Iterable[str], state: str) -> bool:
        """Whether ``state`` has another schema than *start*, in one of the databases."""
        return any(
            self._operations[alias].schemas_differ(state, self._named(alias, START))
            for alias in aliases
        )

    def rewind(self, aliases: Iterable[str], state: str, *, counters: bool = True) -> list[Repair]:
        """Put the databases back to ``state``; return what was repaired.

        Raises RewindError, when all have been tried, if one could not be put back.
        """
        repairs: list[Repair] = []
        failed: list[Exception] = []
        for alias in aliases:
            self._present.pop(alias, None)
            named = self._named(alias, state)
            try:
                rewound = self._rewind(alias, named, counters)
            except Exception as error:
                failed.append(error)
                continue
            self._present[alias] = named
            if rewound:
                repairs.append(Repair(alias, rewound))
                clear_row_caches(rewound)
        if failed:
            raise failed[0]
        return repairs

    def _named(self, alias: str, state: str) -> str:
        return MIGRATED if state == START and not self.has_begun(alias) else state

    def renew_sessions(self, aliases: Sequence[str]) -> None:
        """Make this thread's sessions like new ones: those of the databases of ``aliases``, which
        are covered; all others are closed, as Django closes all.
        """
        for alias in aliases:
            self._operations[alias].renewal.renew(connections[alias])
        for connection in connections.all(initialized_only=True):
            if primary_of(connection.alias) not in aliases:
                connection.close()

    def close_outdated_sessions(self) -> None:
        """Close renewed sessions that Django would open in another way now."""
        for alias, operations in self._operations.items():
            connection = connections[alias]
            if operations.renewal.outdated(connection) and not connection.in_atomic_block:
                connection.close()

    def end_sessions(self, aliases: Iterable[str]) -> list[tuple[str, tuple[LeakedSession, ...]]]:
        """End the sessions that are in a transaction or hold a lock; return them by alias."""
        return [
            (alias, self._operations[alias].end_sessions())
            for alias in aliases
            if alias in self._operations and alias not in self.broken
        ]

    def refuse(self, connection: BaseDatabaseWrapper) -> None:
        """Raise RewindError if the database of ``connection`` could not be put back."""
        for alias, why in self.broken.items():
            if identity(connections[alias]) == identity(connection):
                raise RewindError(why)

    def _rewind(self, alias: str, state: str, counters: bool) -> Rewound:
        connection = connections[alias]
        self.refuse(connection)
        try:
            with self.admitting(alias):
                rewound = self._operations[alias].rewind(state, counters=counters)
                if self._checksums is not None:
                    operations = self._operations[alias]
                    self._checksums.compare(alias, state, operations, counters=counters)
        except BaseException as error:  # also where this was interrupted
            self.broken[alias], remedy = not_put_back(alias, state, error)
            if not isinstance(error, Exception):
                raise
            raise RewindError(f"{self.broken[alias]}\n{remedy}") from error
        return rewound

    def _watch(self, alias: str) -> None:
        if self._watched:
            self.contents.watch(alias, self._operations[alias])
