"""What a vendor must be able to do, so that a test database can be put back exactly.

One object stands for one physical test database. It captures *states* and rewinds to them.
A state is the whole content: all rows of all tables, sequences and auto-increment values, and
the schema. Any number of states may be held at the same time; each has a name.

One module for each vendor implements this; nothing else in the project knows a vendor. Third
parties register theirs with ``register(vendor, "dotted.path.Class")``.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.module_loading import import_string

from .copies import Copies
from .renewal import SessionRenewal


@dataclass(frozen=True)
class LeakedSession:
    """A session that a test left in a transaction, or with a lock, and that was ended."""

    session: str  # how the server names it: a process id, or the path of a file
    tables: tuple[str, ...] = ()  # the tables it had locked or written, as far as is known


@dataclass(frozen=True)
class Rewound:
    """What a rewind found and did.

    ``tables``: the tables whose rows or counters were repaired, by their bare name (as in
    ``db_table``), preceded by the schema and a dot where that is not the default one.
    ``rebuilt``: the schema had changed, or the repair could not be exact, so the database, or
    the tables named, were built anew; ``reason`` says why in a few words.
    """

    tables: tuple[str, ...] = ()
    rebuilt: bool = False
    reason: str = ""
    leaked: tuple[LeakedSession, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.tables or self.rebuilt or self.leaked)


class DatabaseOperations(abc.ABC):
    """Captures and restores the content of one test database.

    ``connection`` is Django's wrapper, whose settings name the database; its session is not
    used for capturing or repairing (the object opens connections of its own, with
    ``get_connection_params()`` of the wrapper) and stays open across rewinds, except where a
    database has to be rebuilt: then it is closed, and Django opens it again.

    Methods raise the driver's or Django's database errors when the server fails; the database
    is then in an unknown state and must not be used again.
    """

    vendor: ClassVar[str]
    #: How the sessions that tests have used are made like new ones: by default, closed.
    renewal_class: ClassVar[type[SessionRenewal]] = SessionRenewal
    #: Whether a database that is loaded from an image of this one can ``resume()`` its states.
    images_hold_states: ClassVar[bool] = False

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.renewal = self.renewal_class()

    @abc.abstractmethod
    def open(self) -> None:
        """Open what capturing and rewinding need. Called once, before all others."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close every connection of this object, so that the database can be dropped."""

    def discard(self) -> None:
        """Drop what was made beside the database, which is about to be dropped itself.

        Called after ``close()``.
        """

    @abc.abstractmethod
    def capture(self, state: str, *, complete: bool = True) -> None:
        """Take the present content as ``state``; a state of that name is replaced.

        Cheap where little differs from a state that is held already: only tables that differ
        are copied. Sessions that are in a transaction are not waited for. With ``complete``
        False, what is slow and only needed to undo a change of the schema may be left to the
        first rewind; a schema that has changed by then stays as it is.
        """

    @abc.abstractmethod
    def rewind(self, state: str, *, counters: bool = True) -> Rewound:
        """Put the database back to ``state``.

        With ``counters`` False a vendor may leave the auto-increment values of tables as they
        are, if putting them back is slow (MySQL); rows are always exact. Sessions that a test
        left in a transaction or with locks are ended, after at most a few seconds.
        Raises KeyError for a state that is not held.
        """

    def end_sessions(self) -> tuple[LeakedSession, ...]:
        """End the sessions that a rewind would end, and put nothing back; return them."""
        return ()

    @abc.abstractmethod
    def forget(self, state: str) -> None:
        """Let go of a state that will not be rewound to again."""

    def have_one_schema(self, state: str, other: str) -> bool:
        """Whether two states that are held differ in rows and counters only, as far as known.

        Where they do not, a vendor that answers True can go from one to the other all the same.
        """
        return True

    @abc.abstractmethod
    def schemas_differ(self, state: str, other: str) -> bool:
        """Whether the schemas of two states that are held are not the same."""

    @abc.abstractmethod
    def checksums(self, *, counters: bool = True) -> Mapping[str, str]:
        """Return a digest of each table's rows, each counter, and the schema, by name.

        With ``counters`` False, what a ``rewind()`` without counters may leave is left out.
        Read from scratch, not from what the rewind knows: for ``--verify-rewind`` and tests.
        """

    # What a kept database remembers

    @abc.abstractmethod
    def read_document(self) -> dict[str, Any] | None:
        """Return what was written with the database, None if nothing (not this runner's)."""

    @abc.abstractmethod
    def write_document(self, document: Mapping[str, Any]) -> None:
        """Store a JSON document with the database, outside of what tests can see or change."""

    @abc.abstractmethod
    def resume(self, state: str) -> bool:
        """Use ``state`` as an earlier process captured it with ``capture()`` and kept it.

        Return False if it is not there or cannot be trusted any more.
        """

    def restore(self, state: str) -> bool:
        """Put the database back to a state that an earlier process has kept: ``resume()``, then
        ``rewind()``. Return False, and change nothing, if it cannot be resumed.
        """
        resumed = self.resume(state)
        if resumed:
            self.rewind(state)
        return resumed

    # Copies of the whole database

    def copies(self) -> Copies | None:
        """Return what copies databases of this vendor; None if nothing does but Django.

        This object needs not be open.
        """
        return None

    @contextmanager
    def cloning(self) -> Iterator[Callable[[str], None]]:
        """Yield what makes a clone of a given NAME, which threads may call at the same time.

        A clone has all that is kept of this object: another one, opened on it, can ``resume()``.
        Nobody may use this object or the database until the block ends. Raises
        NotImplementedError where ``copies()`` is None.
        """
        copies = self.copies()
        if copies is None:
            raise NotImplementedError(f"{type(self).__name__} does not clone databases")
        with copies.cloning() as clone:
            yield clone


_PATHS = {
    "postgresql": "sanerunner.databases.postgresql.operations.PostgreSQLOperations",
    "mysql": "sanerunner.databases.mysql.operations.MySQLOperations",
    "sqlite": "sanerunner.databases.sqlite.operations.SQLiteOperations",
}


def register(vendor: str, path: str) -> None:
    """Use the class at the dotted ``path`` for databases whose wrapper's ``vendor`` is this."""
    _PATHS[vendor] = path


def is_supported(connection: BaseDatabaseWrapper) -> bool:
    """Whether there are operations for the vendor of ``connection``."""
    return connection.vendor in _PATHS


def operations_for(connection: BaseDatabaseWrapper) -> DatabaseOperations | None:
    """Return the operations for the vendor of ``connection``; None if there are none."""
    path = _PATHS.get(connection.vendor)
    if path is None:
        return None
    operations: DatabaseOperations = import_string(path)(connection)
    return operations


def discard(connection: BaseDatabaseWrapper) -> None:
    """Drop what was made beside the database of ``connection`` to rewind it, by whomever; it is
    about to be dropped itself.
    """
    operations = operations_for(connection)
    if operations is not None:
        operations.open()
        operations.close()
        operations.discard()
