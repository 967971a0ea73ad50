"""Which databases a run needs, and in which order they are made."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from ..exceptions import DatabaseConfigurationError


@dataclass(frozen=True)
class TestDatabase:
    """A database to be made, under all the aliases that configure it; the first one makes it."""

    __test__ = False

    aliases: tuple[str, ...]

    @property
    def alias(self) -> str:
        return self.aliases[0]


@dataclass(frozen=True)
class Layout:
    """The databases of a run in the order of their making; mirror alias -> primary alias."""

    databases: tuple[TestDatabase, ...]
    mirrors: dict[str, str]


Signatures = Mapping[str, tuple[Any, ...]]


def signatures() -> Signatures:
    """Return what identifies the test database of each alias.

    To be asked before any test database has been made: then the names are other ones.
    """
    return {alias: connections[alias].creation.test_db_signature() for alias in connections}


def plan_layout(aliases: Iterable[str], signatures: Signatures) -> Layout:
    """Return the databases for ``aliases`` and for all that these depend on.

    Aliases of one and the same database are one entry. A DEPENDENCIES entry that is no alias
    of a database is no obstacle. Raises DatabaseConfigurationError (an ImproperlyConfigured)
    for a circle in DEPENDENCIES or MIRROR, naming it.
    """
    needed = _closure(aliases, signatures)
    mirrors = {alias: primary_of(alias) for alias in needed if _mirrored(alias)}
    groups: dict[tuple[Any, ...], list[str]] = {}
    for alias in connections:
        if alias in needed and alias not in mirrors:
            groups.setdefault(signatures[alias], []).append(alias)
    for group in groups.values():
        group.sort(key=lambda alias: alias != DEFAULT_DB_ALIAS)  # data migrations default to it
    dependencies = {
        alias: [
            primary_of(other) for other in dependencies_of(alias, signatures) if other in needed
        ]
        for group in groups.values()
        for alias in group
    }
    ordered = _ordered([tuple(group) for group in groups.values()], dependencies)
    return Layout(tuple(TestDatabase(group) for group in ordered), mirrors)


def dependencies_of(alias: str, signatures: Signatures) -> Sequence[str]:
    """Return the aliases whose databases are made before that of ``alias``."""
    test_settings = connections[alias].settings_dict["TEST"]
    if "DEPENDENCIES" in test_settings:
        dependencies: Sequence[str] = test_settings["DEPENDENCIES"]
        return dependencies
    if signatures[alias] == signatures[DEFAULT_DB_ALIAS]:
        return ()
    return (DEFAULT_DB_ALIAS,)


def primary_of(alias: str) -> str:
    """Return the alias whose database ``alias`` shares in tests: itself, unless it mirrors."""
    path = [alias]
    while primary := _mirrored(path[-1]):
        if primary not in connections:
            raise DatabaseConfigurationError(
                f'DATABASES["{path[-1]}"]["TEST"]["MIRROR"] is {primary!r}, which is no alias; '
                f"known: {', '.join(connections)}."
            )
        if primary in path:
            raise DatabaseConfigurationError(
                f'Circular TEST["MIRROR"]: {" → ".join([*path, primary])}.'
            )
        path.append(primary)
    return path[-1]


def known_mirrors() -> dict[str, str]:
    """Return mirror alias -> primary alias, without mirrors that lead nowhere: those are an
    error where they are used.
    """
    mirrors = {}
    for alias in connections:
        try:
            primary = primary_of(alias)
        except DatabaseConfigurationError:
            continue
        if primary != alias:
            mirrors[alias] = primary
    return mirrors


def _mirrored(alias: str) -> str | None:
    mirror: str | None = connections[alias].settings_dict["TEST"]["MIRROR"]
    return mirror or None


def _closure(aliases: Iterable[str], signatures: Signatures) -> set[str]:
    found: set[str] = set()
    pending = [alias for alias in aliases if alias in connections]
    while pending:
        alias = pending.pop()
        if alias in found or alias not in connections:
            continue
        found.add(alias)
        if _mirrored(alias):
            pending.append(primary_of(alias))
        else:
            pending.extend(dependencies_of(alias, signatures))
    return found


def _ordered(
    groups: Sequence[tuple[str, ...]], dependencies: dict[str, list[str]]
) -> list[tuple[str, ...]]:
    """Return the groups of aliases level by level: first those that depend on no other, then
    those that depend only on these, and so on. Raises DatabaseConfigurationError for a circle.
    """
    group_of = {alias: group for group in groups for alias in group}
    for alias, others in dependencies.items():
        for other in others:
            if group_of[other] == group_of[alias]:
                raise DatabaseConfigurationError(
                    f'TEST["DEPENDENCIES"]: {alias!r} depends on {other!r}, '
                    "but they are the same database."
                )
    sorter = graphlib.TopologicalSorter(
        {
            group: {group_of[other] for alias in group for other in dependencies[alias]}
            for group in groups
        }
    )
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        circle = " → ".join(group[0] for group in reversed(error.args[1]))
        raise DatabaseConfigurationError(
            f'Circular dependency in TEST["DEPENDENCIES"]: {circle}.'
        ) from None
    ordered: list[tuple[str, ...]] = []
    while sorter.is_active():
        level = sorted(sorter.get_ready(), key=groups.index)
        ordered.extend(level)
        sorter.done(*level)
    return ordered
