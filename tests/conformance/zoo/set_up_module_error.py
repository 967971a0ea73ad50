"""setUpModule() that ends with: error."""

import unittest


def setUpModule():
    raise RuntimeError("as meant")


class One(unittest.TestCase):
    def test_one(self):
        pass


class Two(unittest.TestCase):
    def test_two(self):
        pass
