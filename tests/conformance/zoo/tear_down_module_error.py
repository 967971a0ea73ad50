"""tearDownModule() that raises."""

import unittest


def tearDownModule():
    raise RuntimeError("as meant")


class One(unittest.TestCase):
    def test_one(self):
        pass
