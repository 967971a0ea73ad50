"""Clients whose packages not everyone has installed."""

from __future__ import annotations

import unittest
from importlib import import_module
from types import ModuleType


def load(name: str, *, needs: str, extra: str) -> ModuleType:
    """Return the module ``name`` of this package, which needs a package that ``sanerunner[extra]``
    installs.

    Raises SkipTest, naming the extra, where that package is missing.
    """
    try:
        return import_module(f".{name}", __package__)
    except ModuleNotFoundError as error:
        if error.name != needs:
            raise  # it is there, and needs something else that is not
        reason = f"{needs} is not installed: pip install 'sanerunner[{extra}]'"
        raise unittest.SkipTest(reason) from error
