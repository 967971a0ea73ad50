"""Older settings, those of django-sane-testing and unittest-xml-reporting."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from ..exceptions import UsageError
from ..options.browsers import GRID_PORT, parse_browser, parse_force, parse_grid
from ..parsing import (
    parse_callable,
    parse_flag,
    parse_host,
    parse_path,
    parse_port,
    parse_url_root,
    parse_verbosity,
)

# Of django-sane-testing; each is a field of Config.
_SERVERS: dict[str, Callable[[object], Any]] = {
    "LIVE_SERVER_ADDRESS": parse_host,
    "LIVE_SERVER_PORT": parse_port,
    "URL_ROOT_SERVER_ADDRESS": parse_host,
    "URL_ROOT": parse_url_root,
}
# The same, of fields with other names.
_BROWSERS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "SELENIUM_BROWSER_COMMAND": ("browser", parse_browser),
    "SELENIUM_URL_ROOT": ("browser_url_root", parse_url_root),
    "FORCE_SELENIUM_TESTS": ("force_browsers", parse_force),
}


def older_settings() -> dict[str, Any]:
    """Return what they say, by the fields of Config. Raises UsageError."""
    values: dict[str, Any] = {}
    if os.environ.get("DST_PERSIST_TEST_DATABASE", "").lower() not in {"", "0", "false", "no"}:
        values["keepdb"] = True
    if not settings.configured:
        return values
    values["junit_verbose"] = _older("TEST_OUTPUT_VERBOSE", parse_verbosity, False)
    values["junit_descriptions"] = bool(getattr(settings, "TEST_OUTPUT_DESCRIPTIONS", False))
    values["migrate"] = bool(getattr(settings, "DST_RUN_SOUTH_MIGRATIONS", True))
    values["flush_cache"] = bool(getattr(settings, "DST_FLUSH_DJANGO_CACHE", False))
    values["flush_command"] = _older("TEST_DATABASE_FLUSH_COMMAND", parse_callable, None)
    name = "FLUSH_TEST_DATABASE_AFTER_INITIAL_SYNCDB"
    values["flush_after_creation"] = bool(getattr(settings, name, False))
    values.update(_browsers())
    for name, parse in _SERVERS.items():
        if getattr(settings, name, None) is not None:
            values[name.lower()] = _older(name, parse, None)
    if _older("CHERRYPY_TEST_SERVER", parse_flag, False):
        values["live_server"] = "cheroot"
    directory = _older("TEST_OUTPUT_DIR", parse_path, None)
    file_name = _older("TEST_OUTPUT_FILE_NAME", parse_path, None)
    if file_name is not None:
        values["junit"] = (directory or Path()) / file_name
    else:
        values["junit_directory"] = directory
    return values


def _browsers() -> dict[str, Any]:
    """What django-sane-testing's settings say of browsers; only of those that are there."""
    values = {
        field: _older(name, parse, None)
        for name, (field, parse) in _BROWSERS.items()
        if getattr(settings, name, None) is not None
    }
    host, port = getattr(settings, "SELENIUM_HOST", None), getattr(settings, "SELENIUM_PORT", None)
    if host or port:
        host = f"{host or 'localhost'}:{_older('SELENIUM_PORT', parse_port, GRID_PORT)}"
        values["grid"] = _checked("SELENIUM_HOST", parse_grid, host)
    return values


def _older(name: str, parse: Callable[[object], Any], default: object) -> Any:
    return _checked(name, parse, getattr(settings, name, default))


def _checked(name: str, parse: Callable[[object], Any], value: object) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}.") from None
