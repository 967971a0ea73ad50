"""Whether a database that was kept is the one that would be built now."""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import translation

from . import ingredients as sources
from .digests import digest_of

#: To be raised whenever ingredients get other names, or the same content another digest.
FORMAT = "1"
_FORMAT_NAME = "fingerprint format"

# Ingredients whose value is no digest, so that the reason can show it.
_SHOWN = {_FORMAT_NAME, "Django", "engine", "server", "alias", "migrations"}
# What is named first if more than one has changed; the first words of the names.
_ORDER = (
    *("fingerprint", "Django", "engine", "server", "alias", "migrations"),
    *("database", "test", "setting", "router", "migration", "pre_migrate", "post_migrate"),
    *("model", "file"),
)
_OF_APP = re.compile(r"(?:migration|migration file|model) (?P<label>\w+)[./]")
_MIGRATION = re.compile(r"migration (?P<label>\w+)\.(?P<number>\d*).*")
_NO_NUMBER = -1


@dataclass(frozen=True)
class Fingerprint:
    """All that a database was built from: name of the ingredient -> digest or plain value.

    It is the same in every process and in every checkout of one state of a project, and holds
    no secrets.
    """

    ingredients: Mapping[str, str]

    @property
    def digest(self) -> str:
        """The digest of all ingredients, in hexadecimal."""
        return digest_of(dict(self.ingredients))

    def to_json(self) -> dict[str, str]:
        """Return what ``from_json()`` takes."""
        return dict(self.ingredients)

    @classmethod
    def from_json(cls, content: Mapping[str, str]) -> Fingerprint:
        """Return the fingerprint that was stored. Raises ValueError if it is none."""
        if not isinstance(content, Mapping) or _FORMAT_NAME not in content:
            raise ValueError(f"no fingerprint of a database: there is no {_FORMAT_NAME!r} in it")
        for name, value in content.items():
            if not isinstance(name, str) or not isinstance(value, str):
                raise ValueError(f"no fingerprint of a database: {name!r} is {value!r}, no text")
        return cls(dict(content))


def take_fingerprint(
    connection: BaseDatabaseWrapper, *, migrate: bool = True, files: Sequence[str] = ()
) -> Fingerprint:
    """Return the fingerprint of a database that would be built for ``connection`` now.

    ``migrate`` is False if no migrations are to be run, as with ``TEST["MIGRATE"]``. ``files``
    are globs of more files that migrations use, relative to the current folder. The server is
    asked in the session of ``connection`` if that is open, else in one without a database.
    Raises OSError if a file cannot be read, and what the driver raises if there is no server.

    Not seen are: code outside of the migrations that these import and data that they read,
    unless ``files`` name it; the code of fields and backends; the order of models in an app.
    """
    with translation.override(None):  # as in migrate
        found = {_FORMAT_NAME: FORMAT}
        found.update(sources.server(connection))
        found.update(sources.database_settings(connection))
        found.update(sources.project_settings())
        found.update(sources.receivers())
        migrate = migrate and connection.settings_dict["TEST"]["MIGRATE"] is not False
        found["migrations"] = "on" if migrate else "off"
        for app in apps.get_app_configs():
            migrations = sources.migrations_of(app.label) if migrate else None
            found.update(migrations or ())
            found.update(sources.models_of(app.label, migrated=migrations is not None))
        found.update(sources.files(files))
    return Fingerprint(found)


class Freshness(enum.Enum):
    """What a kept database is, compared with one that would be built now."""

    CURRENT = "current"  #: the same
    BEHIND = "behind"  #: the same once new migrations have been run
    DIFFERENT = "different"  #: another


@dataclass(frozen=True)
class Comparison:
    """How fresh a kept database is; ``reason`` is one line, and "" if it is current."""

    freshness: Freshness
    reason: str = ""


def compare(kept: Fingerprint, wanted: Fingerprint) -> Comparison:
    """Say what must be done with a database that was built from ``kept``.

    It is behind if nothing has changed but that apps have new migrations, numbered above all
    that they had, with new models and files of these. The graph of migrations is not loaded: a
    new one may still have to run before one that is applied (``run_before``), which makes
    Django's ``migrate`` raise InconsistentMigrationHistory; then the database must be rebuilt.
    A database that was migrated forward may have other ids of content types and permissions
    than one that was built anew, as in production.
    """
    before, after = kept.ingredients, wanted.ingredients
    added = after.keys() - before.keys()
    altered = {name for name in before if after.get(name) != before[name]}
    if not added and not altered:
        return Comparison(Freshness.CURRENT)
    new = sorted(name for name in added if _MIGRATION.fullmatch(name))
    if not altered and _labels(added) == _labels(new) and _on_top(new, before):
        names = [name.removeprefix("migration ") for name in new]
        count = f"{len(new)} new migration{'s' if len(new) > 1 else ''}"
        return Comparison(Freshness.BEHIND, f"{count}: {_some(names)}")
    differences = sorted(added | altered, key=lambda name: (*_rank(name), name not in after, name))
    return Comparison(
        Freshness.DIFFERENT,
        _some([_difference(name, before, after) for name in differences], limit=1),
    )


def _labels(names: Iterable[str]) -> set[str | None]:
    """Return the apps that the ingredients belong to; None for what belongs to no app."""
    matches = [_OF_APP.match(name) for name in names]
    return {match and match["label"] for match in matches}


def _on_top(new: Iterable[str], kept: Collection[str]) -> bool:
    """Whether each new migration has a higher number than all that its app had."""
    highest: dict[str, int] = {}
    for name in kept:
        if match := _MIGRATION.fullmatch(name):
            label = match["label"]
            highest[label] = max(_number(match), highest.get(label, _NO_NUMBER))
    matches = [match for name in new if (match := _MIGRATION.fullmatch(name))]
    return all(
        match["label"] not in highest or _number(match) > highest[match["label"]]
        for match in matches
    )


def _number(match: re.Match[str]) -> int:
    return int(match["number"] or _NO_NUMBER)


def _rank(name: str) -> tuple[int, bool]:
    """What comes first is the likelier cause: a changed setting changes models as well."""
    word = name.partition(" ")[0]
    order = _ORDER.index(word) if word in _ORDER else len(_ORDER)
    return order, name.startswith("migration file ")


def _difference(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    if name not in before:
        return f"{name} was added"
    if name not in after:
        return f"{name} was removed"
    if name not in _SHOWN:
        return f"{name} changed"
    product, _, version = after[name].rpartition(" ")  # "PostgreSQL 15.4 → 16.1", not twice
    same = product and before[name].startswith(f"{product} ")
    return f"{name} {before[name]} → {version if same else after[name]}"


def _some(texts: Sequence[str], limit: int = 3) -> str:
    more = len(texts) - limit
    return ", ".join(texts[:limit]) + (f", and {more} more" if more > 0 else "")
