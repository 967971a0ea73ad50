"""A module that skips itself while it is imported."""

import unittest

raise unittest.SkipTest("as meant")
