"""setUpModule() that ends with: skip."""

import unittest


def setUpModule():
    raise unittest.SkipTest("as meant")


class One(unittest.TestCase):
    def test_one(self):
        pass


class Two(unittest.TestCase):
    def test_two(self):
        pass
