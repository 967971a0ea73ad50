"""Ctrl-C: when the coordinator stops, kills, and looks again."""

from __future__ import annotations

import unittest
from typing import Any
from unittest import mock

from sanerunner.execution.interruption import GRACE_SECONDS, Interruption


class InterruptionTest(unittest.TestCase):
    def setUp(self) -> None:
        self.stop = mock.Mock()
        self.worker: Any = mock.Mock()
        self.interruption = Interruption(self.stop)

    def look(self, now: float) -> None:
        self.interruption.look([self.worker], now)

    def test_nothing_without_ctrl_c(self) -> None:
        self.look(100.0)
        self.stop.assert_not_called()
        self.assertIsNone(self.interruption.next(None))
        self.assertEqual(self.interruption.next(7.0), 7.0)

    def test_grace_then_end(self) -> None:
        self.interruption.ask()
        self.look(100.0)
        self.stop.assert_called_once_with()
        self.worker.kill.assert_not_called()
        self.assertEqual(self.interruption.next(None), 100.0 + GRACE_SECONDS)
        self.assertEqual(self.interruption.next(101.0), 101.0)
        self.look(100.0 + GRACE_SECONDS)
        self.worker.kill.assert_called_once_with("was interrupted", "KeyboardInterrupt")

    def test_after_the_end_there_is_no_deadline_of_its_own(self) -> None:
        """A worker that was killed in a fixture has none either: waiting has no limit then."""
        self.interruption.ask()
        self.look(100.0)
        self.look(100.0 + GRACE_SECONDS)
        self.look(101.0 + GRACE_SECONDS)
        self.worker.kill.assert_called_once()
        self.assertIsNone(self.interruption.next(None))
        self.assertEqual(self.interruption.next(200.0), 200.0)
