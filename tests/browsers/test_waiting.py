"""Waiting for a condition."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any
from unittest import mock

from sanerunner.browsers import waiting
from sanerunner.browsers.waiting import wait_until


class WaitUntilTest(unittest.TestCase):
    """The clock is one that only ``pause`` moves."""

    def setUp(self) -> None:
        self.now = 100.0
        patch = mock.patch.object(waiting.time, "monotonic", lambda: self.now)
        patch.start()
        self.addCleanup(patch.stop)

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, condition: Callable[[], Any], *args: Any, **options: Any) -> Any:
        return wait_until(condition, *args, pause=self.pause, **options)

    def failure(self, condition: Callable[[], Any], *args: Any, **options: Any) -> str:
        with self.assertRaises(AssertionError) as caught:
            self.wait(condition, *args, timeout=2, **options)
        return str(caught.exception)

    def test_returns_what_is_true_at_last(self) -> None:
        answers = iter([None, 0, "", "here"])
        self.assertEqual(self.wait(lambda: next(answers)), "here")
        self.assertAlmostEqual(self.now, 100.15)

    def test_an_exception_means_not_yet(self) -> None:
        answers = iter([KeyError("x"), 5])

        def condition() -> int:
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[return-value]

        self.assertEqual(self.wait(condition), 5)

    def test_gives_up_in_time(self) -> None:
        self.failure(lambda: False)
        self.assertAlmostEqual(self.now, 102)

    def test_asks_once_more_at_the_end(self) -> None:
        self.assertTrue(self.wait(lambda: self.now >= 102, timeout=2, interval=1.5))

    def test_says_what_it_waited_for_and_what_came(self) -> None:
        message = self.failure(lambda: 0, "the cart to be full", detail=lambda: "it has 3 pages")
        expected = "Waited 2 s for the cart to be full; it last returned 0; it has 3 pages."
        self.assertEqual(message, expected)

    def test_says_what_was_raised(self) -> None:
        def broken() -> None:
            raise LookupError("no such element\n  (Session info: …)")

        expected = "Waited 2 s for broken; it last raised LookupError: no such element."
        self.assertEqual(self.failure(broken), expected)

    def test_a_lambda_is_shown_by_its_source(self) -> None:
        self.assertIn("lambda: self.now < 0", self.failure(lambda: self.now < 0))

    def test_ctrl_c_is_no_answer(self) -> None:
        def interrupted() -> None:
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.wait(interrupted)
