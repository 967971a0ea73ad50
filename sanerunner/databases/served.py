"""Test databases that a server's threads use side by side, for longer than one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connections

from .vendors import vendor_of


@contextmanager
def served(folder: Path) -> Iterator[None]:
    """Change the settings of all databases so while the block lasts; files are in ``folder``.

    To be entered before a Provisioner starts.
    """
    before = {}
    for alias in connections:
        settings = connections[alias].settings_dict
        before[alias] = (settings["OPTIONS"], settings["TEST"])
        settings["TEST"] = dict(settings["TEST"])
        vendor_of(connections[alias]).prepare_for_server(connections[alias], folder)
    try:
        yield
    finally:
        for alias, (options, test) in before.items():
            settings = connections[alias].settings_dict
            settings["OPTIONS"], settings["TEST"] = options, test
