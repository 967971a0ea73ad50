"""Committed rows for plain unittest classes: put back after each test, as for sane classes."""

from __future__ import annotations

import unittest
from typing import Any

from django.core.management import call_command

from ..databases.baseline import CHECKPOINT, MIGRATED, Baselines
from .database import Empty, aliases_of


class PlainIsolation:
    """Around tests that commit, of classes that bring no isolation of their own.

    They start from the migrated database, with what ``setUpClass()`` has committed and with
    ``fixtures``, and are rewound to that. ``empty(owner, aliases)`` flushes databases that
    cannot be rewound.
    """

    def __init__(self, baselines: Baselines | None, empty: Empty) -> None:
        self._baselines = baselines
        self._empty = empty
        self._held: list[str] | None = None  # aliases with the checkpoint of the present class

    def set_up_class(self, test_class: type) -> None:
        """Before ``setUpClass()`` of a class all of whose tests commit."""
        aliases = aliases_of(test_class)
        if (baselines := self._covering(aliases)) is not None:
            baselines.prepare(aliases)
            baselines.rewind(aliases, MIGRATED)

    def set_up(self, test: unittest.TestCase) -> None:
        aliases = aliases_of(test)
        baselines = self._covering(aliases)
        if baselines is None:
            self._load_fixtures(test, aliases)
        elif self._held is not None:
            if not baselines.is_at(aliases, CHECKPOINT):
                baselines.rewind(aliases, CHECKPOINT)
        else:
            baselines.prepare(aliases)
            if not baselines.is_at(aliases, MIGRATED):
                baselines.rewind(aliases, MIGRATED)
            self._load_fixtures(test, aliases)
            baselines.capture(aliases, CHECKPOINT)
            self._held = aliases

    def tear_down(self, test: unittest.TestCase) -> None:
        aliases = aliases_of(test)
        baselines = self._covering(aliases)
        if baselines is None:
            self._empty(test, aliases)
        else:
            baselines.rewind(aliases, CHECKPOINT)

    def tear_down_class(self) -> None:
        """After ``tearDownClass()`` of any class."""
        held, self._held = self._held, None
        if held is not None and (baselines := self._covering(held)) is not None:
            baselines.rewind(held, MIGRATED)
            baselines.forget(held, CHECKPOINT)

    def _covering(self, aliases: list[str]) -> Baselines | None:
        baselines = self._baselines
        return baselines if baselines is not None and baselines.covers(aliases) else None

    @staticmethod
    def _load_fixtures(owner: Any, aliases: list[str]) -> None:
        for fixture in getattr(owner, "fixtures", None) or ():
            for alias in aliases:
                call_command("loaddata", fixture, verbosity=0, database=alias)
