"""The contract of executors, for each of them and each way to start processes."""

from __future__ import annotations

import unittest

from .contract import ExecutorContract, WorkerContract


class SerialTest(ExecutorContract):
    pass


class ForkTest(WorkerContract):
    arguments = ("--parallel=2", "--start-method=fork")


class ForkServerTest(WorkerContract):
    arguments = ("--parallel=2", "--start-method=forkserver")


class SpawnTest(WorkerContract):
    arguments = ("--parallel=2", "--start-method=spawn")


def load_tests(
    loader: unittest.TestLoader, tests: unittest.TestSuite, pattern: str | None
) -> unittest.TestSuite:
    """Leave out the contracts themselves."""
    suite = unittest.TestSuite()
    for test_class in (SerialTest, ForkTest, ForkServerTest, SpawnTest):
        suite.addTests(loader.loadTestsFromTestCase(test_class))
    return suite
