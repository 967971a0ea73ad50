"""Clones: a copy of each test database for each worker, made from the migrated baseline.

This is the side of the coordinator, which makes, keeps and destroys them. That of the workers
is in ``clone.py``.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..exceptions import RewindError, UnsafeDatabaseError
from .baseline import MIGRATED, START, Baselines
from .clone import Clone
from .guard import ConnectionGuard
from .layout import TestDatabase
from .operations import DatabaseOperations, discard, operations_for
from .sites import Site
from .vendors import identity, in_memory, vendor_of


@dataclass
class _Template:
    """A test database that clones are made of."""

    database: TestDatabase
    document: Mapping[str, Any] | None = None
    begun: bool = False

    @property
    def connection(self) -> BaseDatabaseWrapper:
        return connections[self.database.alias]

    @property
    def creation(self) -> Any:
        return self.connection.creation


class Clones:
    """The clones of a run, in the process that makes them.

    ``baselines`` are those of the templates, None where databases are not rewound. With
    ``keepdb`` clones stay, and those of an earlier run are used again if their document is equal
    to their template's: then they were made of this very database, in this state of it.
    """

    def __init__(
        self,
        *,
        guard: ConnectionGuard,
        baselines: Baselines | None = None,
        keepdb: bool = False,
        verbosity: int = 1,
    ) -> None:
        self._guard = guard
        self._baselines = baselines
        self._keepdb = keepdb
        self._verbosity = verbosity
        self._made: dict[tuple[str, int], Clone] = {}
        self._sites: dict[str, Site | None] = {}  # by alias
        self._folder: Path | None = None
        self._images = itertools.count()

    def ensure(self, databases: Iterable[TestDatabase], numbers: Iterable[int]) -> None:
        """Make clones of ``databases`` for the workers ``numbers``, unless this run has.

        The databases have to be there, and nobody may use them meanwhile. Raises
        UnsafeDatabaseError if a clone would have the name of another database of the project.
        """
        numbers = list(numbers)
        for database in databases:
            wanted = [each for each in numbers if (database.alias, each) not in self._made]
            if wanted:
                self._make(_Template(database), wanted)

    def clone_of(self, alias: str, number: int) -> Clone:
        """Return the clone of the database ``alias``, its first one, for a worker."""
        return self._made[alias, number]

    def settings_of(self, alias: str, number: int) -> dict[str, Any]:
        """Return the settings of the clone's connections."""
        return {**connections[alias].settings_dict, **self._made[alias, number].settings}

    def discard(self, number: int) -> None:
        """Destroy the clones of one worker: they are in an unknown state."""
        for alias, each in list(self._made):
            if each == number:
                self._destroy(self._made.pop((alias, each)), keepdb=False)

    def destroy(self) -> None:
        """Destroy all clones, or leave them if databases are kept."""
        while self._made:
            _, clone = self._made.popitem()
            self._destroy(clone, keepdb=self._keepdb)
        for site in self._sites.values():
            if site is not None:
                site.close()
        self._sites.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    # Making

    def _make(self, template: _Template, numbers: list[int]) -> None:
        alias = template.database.alias
        if self._baselines is not None and self._baselines.covers([alias]):
            self._baselines.rewind([alias], START)
            template.document = self._baselines.document(alias)
            template.begun = self._baselines.has_begun(alias)
        if in_memory(template.connection):
            self._make_in_memory(template, numbers)
            return
        clones = [self._plan(template, number) for number in numbers]
        self._lock(alias, clones)
        with ThreadPoolExecutor(len(clones)) as threads:
            current = list(threads.map(lambda each: self._is_current(template, each), clones))
            stale = [
                each for each, is_current in zip(clones, current, strict=True) if not is_current
            ]
            self._log(template, clones, stale)
            if stale:
                self._copy(template, stale, threads)
        self._mark(alias, stale)
        self._made.update({(alias, clone.number): clone for clone in clones})

    def _plan(self, template: _Template, number: int) -> Clone:
        settings = template.connection.settings_dict
        wanted = template.creation.get_test_db_clone_settings(str(number))
        changed = {key: str(wanted[key]) for key in wanted if wanted[key] != settings.get(key)}
        aliases = tuple(template.database.aliases)
        clone = Clone(aliases, number, changed, begun=template.begun)
        wrapper = self._wrapper(clone)
        others = {identity(connections[alias]) for alias in connections}
        if self._guard.is_real(wrapper) or identity(wrapper) in others:
            raise UnsafeDatabaseError(
                f"The clone of database {clone.alias!r} for worker {number} has the name of "
                f"another database: {changed.get('NAME')!r}. Give that of {clone.alias!r} another "
                f'one in DATABASES["{clone.alias}"]["TEST"]["NAME"].'
            )
        return clone

    def _make_in_memory(self, template: _Template, numbers: list[int]) -> None:
        """One image serves all workers."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sanerunner-"))
        alias = template.database.alias
        image = self._folder / f"{alias}-{next(self._images)}"  # a worker may be reading others
        with self._cloning(template) as copy:
            copy(str(image))
        for number in numbers:
            name = f"file:memorydb_{alias}_{number}?mode=memory&cache=shared"
            aliases = tuple(template.database.aliases)
            self._made[alias, number] = Clone(aliases, number, {"NAME": name}, str(image))

    def _is_current(self, template: _Template, clone: Clone) -> bool:
        """Whether an earlier run has kept the clone, made of this template; it is rewound then."""
        wrapper: Any = self._wrapper(clone)
        operations = operations_for(wrapper)
        if not self._keepdb or template.document is None or operations is None:
            return False
        if template.begun:  # clones of earlier runs do not have what this one has written
            return False
        try:
            with self._guard.admitting(clone.alias), _opened(operations):
                current = operations.read_document() == template.document
                if current and operations.resume(MIGRATED):
                    operations.rewind(MIGRATED)
                    return True
        except (Error, wrapper.Database.Error, RewindError):
            pass  # there is none, or it is damaged: it is made anew
        return False

    def _copy(self, template: _Template, clones: list[Clone], threads: ThreadPoolExecutor) -> None:
        def make(clone: Clone) -> None:
            with self._guard.admitting(clone.alias):
                copy(clone.settings["NAME"])

        with self._guard.admitting(template.database.alias):
            if not _copies_itself(template.connection):
                for clone in clones:
                    template.creation.clone_test_db(
                        suffix=str(clone.number), verbosity=0, keepdb=False
                    )
                return
            with self._cloning(template) as copy:
                list(threads.map(make, clones))

    @contextmanager
    def _cloning(self, template: _Template) -> Iterator[Callable[[str], None]]:
        alias = template.database.alias
        if self._baselines is not None and self._baselines.covers([alias]):
            with self._baselines.cloning(alias) as copy:
                yield copy
            return
        operations = operations_for(template.connection)
        copies = operations.copies() if operations is not None else None
        assert copies is not None, "else Django makes the clones"
        with copies.cloning() as copy:
            yield copy

    def _log(self, template: _Template, clones: list[Clone], stale: list[Clone]) -> None:
        """Say what Django says."""
        if self._verbosity < 1:
            return
        creation, name = template.creation, template.connection.settings_dict["NAME"]
        display = creation._get_database_display_str(self._verbosity, name)
        for clone in clones:
            action = "Cloning test database" if clone in stale else "Using existing clone"
            creation.log(f"{action} for alias {display}...")

    # Marks, by which databases that killed runs have left are found

    def _lock(self, alias: str, clones: list[Clone]) -> None:
        """Keep other runs from removing these clones as long as this run lasts."""
        if alias not in self._sites:
            self._sites[alias] = _open_site(connections[alias])
        site = self._sites[alias]
        if site is not None:
            for clone in clones:  # no other run has them: it would have the template
                site.lock(clone.settings["NAME"])

    def _mark(self, alias: str, clones: list[Clone]) -> None:
        site = self._sites[alias]
        mark = site.read_mark(connections[alias].settings_dict["NAME"]) if site else None
        if site is not None and mark is not None:
            for clone in clones:
                site.write_mark(clone.settings["NAME"], mark)

    # Destroying

    def _destroy(self, clone: Clone, *, keepdb: bool) -> None:
        if clone.image:
            return  # it ends with the process that has loaded it
        creation: Any = connections[clone.alias].creation
        wrapper = self._wrapper(clone)
        with self._guard.admitting(clone.alias):
            if not keepdb:
                vendor_of(wrapper).end_sessions(wrapper)
            creation.destroy_test_db(
                suffix=str(clone.number), verbosity=self._verbosity, keepdb=keepdb
            )
            site = self._sites[clone.alias]
            if keepdb:
                return
            if site is not None:
                site.drop(clone.settings["NAME"])  # what is kept beside it
            elif self._baselines is not None:
                discard(wrapper)

    def _wrapper(self, clone: Clone) -> BaseDatabaseWrapper:
        wrapper = connections[clone.alias].copy()
        wrapper.settings_dict.update(clone.settings)
        return wrapper


def _copies_itself(connection: BaseDatabaseWrapper) -> bool:
    """Whether our copies may be used: there are some, and the project's backend has none."""
    operations = operations_for(connection)
    if operations is None or operations.copies() is None:
        return False
    methods = ("clone_test_db", "_clone_test_db")
    creation: Any = type(connection.creation)
    return all(getattr(creation, name).__module__.startswith("django.") for name in methods)


@contextmanager
def _opened(operations: DatabaseOperations) -> Iterator[None]:
    operations.open()
    try:
        yield
    finally:
        operations.close()


def _open_site(connection: BaseDatabaseWrapper) -> Site | None:
    """Return where the clones live; None if they cannot be marked there."""
    site = vendor_of(connection).site(connection)
    if site is None:
        return None
    driver: Any = connection
    try:
        site.open()
    except (driver.Database.Error, OSError):
        site.close()
        return None  # as the locks of the templates have told
    return site
