"""Plugins of the suite itself."""

from __future__ import annotations

import warnings

from sanerunner import Plugin


class WarningsAreErrors(Plugin):
    """Turns every warning of a test into an error, however Python was started."""

    def configure(self) -> None:
        warnings.simplefilter("error")
