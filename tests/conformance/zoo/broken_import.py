"""A module that cannot be imported."""

import unittest

raise RuntimeError("as meant")


class One(unittest.TestCase):
    def test_one(self):
        pass
