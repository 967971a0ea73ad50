"""Makes one test database: uses what an earlier run has kept, if that may be used, or a new one.

The steps: lock; look at what exists; use what is current; else rewind it and migrate forward
what is behind; else drop what is ours and create. What follows, once all databases that are
made together are there, is the baseline, and the document that lets a later run decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.exceptions import InconsistentMigrationHistory

from .baseline import Baselines
from .fingerprint import Fingerprint, Freshness, take_fingerprint
from .images import ImageCache, creates_as_django, group_digest
from .kept import judge, new_document
from .locks import DatabaseLocks
from .operations import discard
from .sites import Mark, Site, this_run
from .vendors import display_name, in_memory, vendor_of


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What a run was asked to do about databases that exist.

    ``continued``: what they contain now is used, not what was captured when they were made.
    """

    project: str = ""
    keepdb: bool = False
    continued: bool = False
    create_db: bool = False
    fingerprint_files: Sequence[str] = ()


@dataclass(frozen=True)
class Made:
    """A database that was made: "created", "kept" or "rebuilt"; whether migrations have run."""

    how: str
    migrated: bool = True
    document: dict[str, Any] | None = None  # to be stored with it
    image: str = ""  # the digest for which an image is to be stored
    loaded: bool = False  # whether an image was loaded


@dataclass(frozen=True)
class _Target:
    """The database to be made. While Django makes it, the settings have another name."""

    alias: str
    site: Site
    name: Any


class DatabaseMaker:
    """``create(alias, keepdb, on_created=…, load=…)`` makes a database in Django's way;
    ``adopt(alias)`` says that one is used without it.
    """

    def __init__(
        self,
        keeping: Keeping,
        *,
        verbosity: int,
        interactive: bool,
        migrate: bool,
        baselines: Baselines | None,
        create: Callable[..., None],
        adopt: Callable[[str], None],
        image_cache: Path | None = None,
    ) -> None:
        self._keeping = keeping
        self._verbosity = verbosity
        self._autoclobber = not interactive
        self._migrate = migrate
        self._baselines = baselines
        self._create = create
        self._adopt = adopt
        self._locks = DatabaseLocks(self._log)
        self._targets: dict[str, _Target] = {}
        self._told = False
        self._images = ImageCache(image_cache, log=self._log) if image_cache else None
        self._declared: list[str] = []

    def make(self, alias: str, declared: Iterable[str], *, anew: bool) -> Made:
        """Make the database of ``alias``; ``anew``: also if there is one that was kept.

        ``declared`` are the aliases of all databases that the run uses.
        """
        self._declared = sorted({*declared, alias})
        site = self._locks.take(alias, declared)
        if site is None or not self._compares(alias):
            return self._make_as_django(alias, anew=anew)
        target = _Target(alias, site, connections[alias].settings_dict["NAME"])
        self._targets[alias] = target
        if not site.exists(target.name):
            return self._make_new(target, "created")
        mark = site.read_mark(target.name)
        if mark is None or mark.project != self._keeping.project:
            return self._replace_foreign(target)
        baselines = self._baselines
        document = baselines.read_document(alias) if baselines is not None else None
        if mark.made and document is None and baselines is not None:
            baselines.detach(alias, dropped=False)
            return self._replace_foreign(target)  # made after ours was dropped
        if self._keeping.keepdb and not anew:
            return self._use(target, document)
        return self._rebuild(target)

    def finish(self, alias: str, made: Made) -> None:
        """Store with a database that is to be kept what a later run must know."""
        self._locks.tell_of_missing(alias)
        if made.document is not None and self._baselines is not None:
            stored = not made.migrated or self._baselines.write_document(alias, made.document)
            self._mark(self._targets[alias], made=stored)

    def store_image(self, alias: str, made: Made) -> None:
        """Keep the image of a database that has just been migrated, before it is changed."""
        if self._images is not None and made.image:
            self._images.store(connections[alias], made.image)

    def removed(self, alias: str) -> None:
        """Take away what is left of a database that was destroyed."""
        target = self._targets.pop(alias, None)
        if target is not None:
            target.site.drop(target.name)

    def unmarked(self, aliases: Iterable[str]) -> list[str]:
        """Return those aliases whose database does not carry the mark of this run."""
        return [alias for alias in aliases if not self._has_own_mark(alias)]

    def _has_own_mark(self, alias: str) -> bool:
        target = self._targets.get(alias)
        mark = target.site.read_mark(target.name) if target is not None else None
        return mark is not None and (mark.project, mark.run) == (self._keeping.project, this_run())

    def remove_kept(self, alias: str, declared: Iterable[str]) -> bool:
        """Drop the database of ``alias`` if one with the mark of this project is there; return
        whether it was.
        """
        site = self._locks.take(alias, declared)
        name = connections[alias].settings_dict["NAME"]
        mark = site.read_mark(name) if site is not None and site.exists(name) else None
        if site is None or mark is None or mark.project != self._keeping.project:
            return False
        self._targets[alias] = _Target(alias, site, name)
        vendor_of(connections[alias]).end_sessions(connections[alias])
        discard(connections[alias])
        self.removed(alias)
        return True

    def release(self) -> None:
        """Let other runs use the databases."""
        self._targets.clear()
        self._locks.release()

    # Steps

    def _use(self, target: _Target, document: dict[str, Any] | None) -> Made:
        """Use a database that has our mark as it is, or migrated forward; rebuild any other."""
        if self._keeping.create_db:
            return self._rebuild(target, "as --create-db asks")
        assert self._baselines is not None
        connections[target.alias].ensure_connection()  # else the fingerprint opens another one
        wanted = self._fingerprint(target.alias)
        found = judge(
            document,
            project=self._keeping.project,
            server=target.site.identity(target.name),
            wanted=wanted,
        )
        if found.freshness is Freshness.DIFFERENT:
            return self._rebuild(target, found.reason, wanted)
        asis = self._keeping.continued and found.freshness is Freshness.CURRENT
        if not self._baselines.resume(target.alias, rewind=not asis):
            return self._rebuild(target, "what it contained cannot be restored", wanted)
        if found.freshness is Freshness.CURRENT:
            return self._use_current(target, document)
        return self._migrate_forward(target, found.reason, wanted)

    def _use_current(self, target: _Target, document: dict[str, Any] | None) -> Made:
        self._log_action(target, "Using existing")
        self._tell(target.alias, "current")
        self._adopt(target.alias)
        connections[target.alias].ensure_connection()
        return Made("kept", migrated=False, document=document)

    def _migrate_forward(self, target: _Target, reason: str, wanted: Fingerprint) -> Made:
        """Run new migrations. What one that fails has done is undone by the next run."""
        assert self._baselines is not None
        self._tell(target.alias, reason)
        self._baselines.detach(target.alias, dropped=False)
        obstacle = ""
        try:
            self._create(target.alias, True)
        except InconsistentMigrationHistory as error:
            obstacle = str(error)
        if obstacle:
            return self._rebuild(target, obstacle, wanted)
        return Made("kept", document=self._document(target, wanted))

    def _rebuild(
        self, target: _Target, reason: str = "", wanted: Fingerprint | None = None
    ) -> Made:
        """Drop a database that has our mark, and make a new one."""
        if reason:
            self._tell(target.alias, f"rebuilt, {reason}")
        if self._baselines is not None:
            self._baselines.detach(target.alias, dropped=False)
        connection = connections[target.alias]
        self._log_action(target, "Destroying old")
        vendor_of(connection).end_sessions(connection)
        target.site.drop(target.name)
        return self._make_new(target, "rebuilt", wanted)

    def _replace_foreign(self, target: _Target) -> Made:
        """Have Django ask before it replaces a database that is not known to be ours."""
        if self._keeping.keepdb and not target.site.may_mark(target.name):
            return self._make_as_django(
                target.alias, "this user may not replace or mark it", anew=False
            )
        return self._make_new(target, "rebuilt")

    def _make_new(self, target: _Target, how: str, wanted: Fingerprint | None = None) -> Made:
        if self._keeping.keepdb and wanted is None:  # before: files may change meanwhile
            wanted = self._fingerprint(target.alias)
        image, loaded = self._load_or_create(
            target.alias, False, wanted, lambda: self._mark(target)
        )
        document = None if wanted is None else self._document(target, wanted)
        return Made(how, document=document, image=image, loaded=loaded)

    def _make_as_django(self, alias: str, reason: str = "", *, anew: bool) -> Made:
        keep = self._keeping.keepdb and not anew
        if keep and not in_memory(connections[alias]) and not self._told:
            self._told = True
            reason = reason or 'comparing it needs SANERUNNER["RESTORE"] = "rewind"'
            self._tell(alias, f"kept in Django's way, whatever it was made from: {reason}")
        image, loaded = self._load_or_create(alias, keep)
        how = "rebuilt" if anew else "kept" if keep else "created"
        return Made(how, image=image, loaded=loaded)

    def _load_or_create(
        self,
        alias: str,
        keep: bool,
        wanted: Fingerprint | None = None,
        on_created: Callable[[], None] = lambda: None,
    ) -> tuple[str, bool]:
        """Make a database from its image, else by migrating; return for what to store one then,
        and whether one was loaded.
        """
        images, connection = self._images, connections[alias]
        if (
            images is None
            or (keep and not in_memory(connection))  # there may be one
            or not creates_as_django(connection)
        ):
            self._create(alias, keep, on_created=on_created)
            return "", False
        digests = {each: self._fingerprint(each).digest for each in self._declared}
        if wanted is not None:
            digests[alias] = wanted.digest
        wanted_images = [(connections[each], group_digest(digests, each)) for each in digests]
        digest = group_digest(digests, alias)
        loaded = False

        def load() -> bool:
            nonlocal loaded
            loaded = (len(digests) == 1 or images.has_all(wanted_images)) and images.load(
                connection, digest, verbosity=self._verbosity, autoclobber=self._autoclobber
            )
            return loaded

        self._create(alias, keep, on_created=on_created, load=load)
        return ("" if loaded and not images.lacks(digest) else digest), loaded

    # Parts of steps

    def _compares(self, alias: str) -> bool:
        """Whether Django's own way, which goes by the name alone, is not the way to go."""
        if not self._keeping.keepdb:
            return True
        return self._baselines is not None and self._baselines.can_keep(alias)

    def _fingerprint(self, alias: str) -> Fingerprint:
        return take_fingerprint(
            connections[alias], migrate=self._migrate, files=self._keeping.fingerprint_files
        )

    def _document(self, target: _Target, fingerprint: Fingerprint) -> dict[str, Any]:
        return new_document(
            project=self._keeping.project,
            fingerprint=fingerprint,
            server=target.site.identity(target.name),
        )

    def _mark(self, target: _Target, *, made: bool = False) -> None:
        target.site.write_mark(target.name, Mark(self._keeping.project, made=made))

    def _log_action(self, target: _Target, action: str) -> None:
        """Log what Django would log."""
        creation: Any = connections[target.alias].creation
        display = creation._get_database_display_str(self._verbosity, target.name)
        if self._verbosity >= 1:
            self._log(f"{action} test database for alias {display}...")

    def _tell(self, alias: str, what: str) -> None:
        if self._verbosity >= 1:
            self._log(f"{display_name(connections[alias])}: {what}")

    def _log(self, line: str) -> None:
        connections[DEFAULT_DB_ALIAS].creation.log(line)
