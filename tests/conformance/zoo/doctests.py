"""Doctests that are loaded by the load_tests protocol.

>>> 1 + 1
2
"""

import doctest
import sys


def failing():
    """
    >>> 1 + 1
    3
    """


def load_tests(loader, tests, pattern):
    tests.addTests(doctest.DocTestSuite(sys.modules[__name__]))
    return tests
