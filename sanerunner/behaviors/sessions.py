"""Ends the sessions that classes whose tests are rolled back have left open."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.test import TestCase

from ..databases.baseline import Baselines
from ..plugins import Plugin
from .rewind import warn_of_leaks


class SessionBehavior(Plugin):
    """No rewind follows a TestCase: what its threads have left in a transaction would be found
    by a later class, and blamed on that.
    """

    def __init__(self, baselines: Baselines) -> None:
        self._baselines = baselines

    def class_teardown(self, test_class: type) -> None:
        if not issubclass(test_class, TestCase):
            return
        declared: Any = test_class
        aliases = [
            alias
            for alias in declared._databases_names(include_mirrors=False)
            if not connections[alias].in_atomic_block  # a transaction around the whole module
        ]
        name = f"{test_class.__module__}.{test_class.__qualname__}"
        for alias, leaked in self._baselines.end_sessions(aliases):
            warn_of_leaks(f"A test of {name}", alias, leaked)
