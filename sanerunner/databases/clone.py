"""One worker's copy of a test database: plain data that says where it is, and going over to it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from .baseline import Baselines
from .guard import ConnectionGuard
from .layout import known_mirrors
from .operations import operations_for


@dataclass(frozen=True)
class Clone:
    """A worker's copy of one test database, as plain data that can be sent anywhere.

    ``settings`` is what its connections have other than the template's. A database in memory is
    loaded from the file ``image``; each process that uses the clone has its own then.
    """

    aliases: tuple[str, ...]  # the first is the one that the database is known by
    number: int
    settings: Mapping[str, str]
    image: str = ""
    begun: bool = False  # whether the template's *start* is a state of its own

    @property
    def alias(self) -> str:
        return self.aliases[0]


def use(
    clone: Clone, *, baselines: Baselines | None = None, guard: ConnectionGuard | None = None
) -> None:
    """Go over to a clone: all connections of this process to its database lead there from now on.

    Its states are those that were captured in the template, if they outlive a process, and the
    clone is rewound to *start*.
    """
    if baselines is not None:
        baselines.detach(clone.alias, dropped=False)
    mirrors = [alias for alias, primary in known_mirrors().items() if primary in clone.aliases]
    for alias in (*clone.aliases, *mirrors):
        BaseDatabaseWrapper.close(connections[alias])
        connections[alias].settings_dict.update(clone.settings)
        connections.settings[alias].update(clone.settings)
        if guard is not None:
            guard.announce(alias)
    connection = connections[clone.alias]
    with guard.admitting(clone.alias) if guard is not None else nullcontext():
        if clone.image:
            operations = operations_for(connection)
            copies = operations.copies() if operations is not None else None
            assert copies is not None, "it has written the image"
            copies.load_image(Path(clone.image))
        if baselines is not None:
            baselines.adopt(clone.alias, begun=clone.begun)
