"""The contract's changes under a role with few rights: undone, or a clear error."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any

from django.db import Error

from sanerunner.databases.operations import DatabaseOperations
from sanerunner.exceptions import RewindError


class Restricted:
    """A mixin of a contract whose ``make()`` returns a database for such a role.

    Of the contract's tests only those remain that make no change of their own; ``test_changes``
    makes each change that the role may make. ``doubtful`` names those that are allowed to end in
    an error, as the role may not do what undoes them.
    """

    doubtful: frozenset[str] = frozenset()

    operations: DatabaseOperations
    base: Any
    setUp: Any
    doCleanups: Any
    subTest: Any
    assert_dump: Callable[..., None]
    assertEqual: Any
    assertGreater: Any

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in dir(cls):
            if name.startswith("test_") and name != "test_changes":
                setattr(cls, name, None)

    def refused(self, error: Exception) -> bool:
        """Whether the database has refused a statement as the role lacks a privilege."""
        raise NotImplementedError

    def test_changes(self) -> None:
        made = 0
        unsettled = set()
        for name in sorted(name for name in dir(self) if name.startswith("change_")):
            with self.subTest(change=name):
                made += self._change(name)
                try:
                    self.operations.rewind("base")
                except Exception as error:
                    if not (isinstance(error, RewindError) or self.refused(error)):
                        raise
                    unsettled.add(name)
                    self.doCleanups()
                    self.setUp()
                else:
                    self.assert_dump(self.base, f"{name} is not undone:")
        self.assertEqual(sorted(unsettled), sorted(self.doubtful))
        self.assertGreater(made, 15)

    def _change(self, name: str) -> bool:
        try:
            getattr(self, name)()
        except unittest.SkipTest:
            return False
        except Error as error:
            if not self.refused(error):
                raise
            return False
        return True
