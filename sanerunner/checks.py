"""System checks of the ``SANERUNNER`` setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks


def check_setting(
    app_configs: Sequence[AppConfig] | None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Return an error for each mistake in ``SANERUNNER`` (sanerunner.E001) or in its plugins
    (sanerunner.E002).
    """
    # Not above: the app stands in INSTALLED_APPS of sites, which need no test machinery.
    from . import conf
    from .exceptions import UsageError
    from .pluginloading import load_plugins

    found: list[checks.CheckMessage] = [
        checks.Error(problem, id="sanerunner.E001") for problem in conf.problems()
    ]
    if not found:
        try:
            load_plugins(conf.plugin_paths())
        except UsageError as error:
            found.append(checks.Error(str(error), id="sanerunner.E002"))
    return found


def register_checks() -> None:
    checks.register(check_setting)
