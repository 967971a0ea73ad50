"""The databases of worker processes: a clone of each test database for each worker.

The coordinator makes the test databases and their clones, and runs no test in them. A worker is
told where its clones are, and for databases in memory the file with their content.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..conf.environment import in_djangos_suite
from .baseline import Baselines
from .clone import Clone, use
from .clones import Clones
from .guard import ConnectionGuard
from .layout import Layout
from .provisioning import Provisioner

# alias -> what a worker needs to know of its database, as plain data: under the alias that the
# database is known by its clone, under each the serialized content, if there is any
Told = dict[str, dict[str, Any]]


class WorkerDatabases:
    """The coordinator's side: makes the clones of all workers, ``numbers``, at once.

    ``make()`` may be called in another thread; ``settle()`` has to wait until it has ended.
    """

    def __init__(
        self,
        provisioner: Provisioner,
        clones: Clones,
        *,
        numbers: Iterable[int],
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        self._provisioner = provisioner
        self._settle = settle
        self._layouts: dict[frozenset[tuple[str, bool]], Layout] = {}  # of what is there
        self._clones = clones
        self._numbers = list(numbers)
        self._given: set[int] = set()  # the workers that have had clones

    def make(self, aliases: Mapping[str, bool]) -> Layout:
        """Make the databases of ``aliases``, those that they depend on, and their clones, unless
        they are there.
        """
        layout = self._provisioner.require(aliases)
        self._clones.ensure(layout.databases, self._numbers)
        self._layouts[frozenset(aliases.items())] = layout
        return layout

    def provide(self, worker: int, aliases: Mapping[str, bool], held: Collection[str]) -> Told:
        """Return what ``worker`` needs to know of the databases of ``aliases``, and of those that
        they depend on, save those of the aliases that it holds. They are made if need be.

        A worker that holds none takes the place of one that has ended: what that one has left
        of its clones is made anew.
        """
        if not aliases:
            return {}
        takes_place = not held and worker in self._given
        layout = self._layouts.get(frozenset(aliases.items()))
        if takes_place or layout is None:
            self._settle()
        if takes_place:
            self._clones.discard(worker)
            self._given.discard(worker)
            self._layouts.clear()
        if takes_place or layout is None:
            layout = self.make(aliases)
        told: Told = {}
        for database in layout.databases:
            if database.alias in held:
                continue
            self._given.add(worker)
            for alias in database.aliases:
                told[alias] = {
                    "serialized": getattr(connections[alias], "_test_serialized_contents", None)
                }
            told[database.alias]["clone"] = asdict(self._clones.clone_of(database.alias, worker))
        mirrors = {mirror for mirror, primary in layout.mirrors.items() if primary in told}
        return {**told, **{mirror: {} for mirror in mirrors}}

    def drop_all(self) -> None:
        """Drop all clones, or keep them if databases are kept; their workers have ended."""
        self._settle()
        self._clones.destroy()


class OwnDatabases:
    """A worker's side: leads every connection to its clones."""

    def __init__(
        self, guard: ConnectionGuard, baselines: Baselines | None, *, debug_sql: bool = False
    ) -> None:
        self._guard = guard
        self._baselines = baselines
        self._debug_sql = debug_sql
        self._request: Callable[[str], None] = lambda alias: None
        self._adopted: set[str] = set()
        self._own: set[str] = set()  # of the adopted, those that a database is known by

    def serve(self, request: Callable[[str], None], used: Callable[[str], None]) -> None:
        self._request = request
        self._guard.ask(self._provide, used)

    def adopt(self, databases: Mapping[str, Any], declared: Sequence[str] | None) -> None:
        """Use these clones from now on; ``declared`` are the aliases of the stage, None where
        the stage has not changed.
        """
        watched = self._guard.watched if declared is None else set(connections) - set(declared)
        self._guard.watched = set()
        for alias, told in databases.items():
            if "clone" in told:
                use(Clone(**told["clone"]), baselines=self._baselines, guard=self._guard)
                self._own.add(alias)
                if in_djangos_suite():  # this process may have begun before they were marked
                    connections[alias].creation.mark_expected_failures_and_skips()
            if told.get("serialized") is not None:
                content = told["serialized"]
                connections[alias]._test_serialized_contents = content  # type: ignore[attr-defined]
        self._adopted.update(databases)
        self._guard.watched = watched - set(databases)
        if self._debug_sql:
            for connection in connections.all():
                connection.force_debug_cursor = True

    def close(self) -> None:
        if self._baselines is not None:
            for alias in sorted(self._own):
                self._baselines.detach(alias, dropped=False)
        for connection in connections.all(initialized_only=True):
            BaseDatabaseWrapper.close(connection)

    def _provide(self, alias: str) -> None:
        if alias not in self._adopted:
            self._request(alias)


_inherited: list[Any] = []


def leave_inherited(baselines: Baselines | None) -> None:
    """In a forked process: use none of the sessions of the process it was forked from.

    They are not closed, which would end them there as well, but kept to the end.
    """
    for connection in connections.all(initialized_only=True):
        _inherited.append(connection.connection)
        connection.connection = None
        pools = getattr(type(connection), "_connection_pools", None)
        if pools:  # their threads are not there any more
            _inherited.extend(pools.values())
            pools.clear()
    if baselines is not None:
        _inherited.append(baselines.forget_all())
