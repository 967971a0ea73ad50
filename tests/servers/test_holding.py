"""Requests that wait while nothing is open, where they would be refused."""

from __future__ import annotations

import asyncio
import threading
import unittest

from sanerunner.servers.holding import Hold


class HoldTest(unittest.TestCase):
    def setUp(self) -> None:
        self.hold = Hold()

    def test_nothing_is_held(self) -> None:
        ticket = self.hold.ticket()
        self.assertFalse(self.hold.wait(ticket))
        self.assertFalse(asyncio.run(self.hold.wait_async(ticket)))

    def test_one_that_came_before_the_hold_asks_again_after_it(self) -> None:
        ticket = self.hold.ticket()
        self.hold.begin()
        self.hold.end()
        self.assertTrue(self.hold.wait(ticket))
        self.assertTrue(asyncio.run(self.hold.wait_async(ticket)))

    def test_after_a_hold_nothing_waits(self) -> None:
        self.hold.begin()
        self.hold.end()
        self.assertFalse(self.hold.wait(self.hold.ticket()))

    def test_a_thread_waits_for_the_end(self) -> None:
        self.hold.begin()
        ticket, ended, answers = self.hold.ticket(), [], []

        def wait() -> None:
            answers.append((self.hold.wait(ticket), list(ended)))

        thread = threading.Thread(target=wait)
        thread.start()
        ended.append("ended")
        self.hold.end()
        thread.join()
        self.assertEqual(answers, [(True, ["ended"])])

    def test_so_does_a_task(self) -> None:
        async def run() -> list[str]:
            said: list[str] = []

            async def wait() -> None:
                self.assertTrue(await self.hold.wait_async(self.hold.ticket()))
                said.append("waited")

            self.hold.begin()
            tasks = [asyncio.create_task(wait()) for _ in range(3)]
            await asyncio.sleep(0)  # all have begun
            said.append("ends")
            await asyncio.to_thread(self.hold.end)
            await asyncio.gather(*tasks)
            return said

        self.assertEqual(asyncio.run(run()), ["ends", "waited", "waited", "waited"])

    def test_a_loop_that_has_been_closed_is_left_alone(self) -> None:
        async def wait() -> None:
            task = asyncio.create_task(self.hold.wait_async(self.hold.ticket()))
            await asyncio.sleep(0)
            task.cancel()

        self.hold.begin()
        asyncio.run(wait())
        self.hold.end()
