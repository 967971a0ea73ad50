"""Makes the ``Config`` of a run from what was typed, ``SANERUNNER`` and older settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from ..exceptions import UsageError, unknown
from ..options import OPTIONS, Option
from .config import Config
from .environment import ci_suffix, in_ci, project_name
from .older import older_settings

SETTING = "SANERUNNER"


def load(given: Mapping[str, Any]) -> Config:
    """Return the configuration of a run.

    ``given`` holds keyword arguments of the runner; those that are no options are ignored.
    Raises UsageError for a value that cannot be obeyed, naming the option or setting.
    """
    values: dict[str, Any] = {option.field: option.default for option in OPTIONS}
    values["database_suffix"] = ci_suffix()
    values.update(older_settings())
    values.update(_from_setting(_setting()))
    for option in OPTIONS:
        if option.name in given:
            values[option.field] = _from_argument(option, given[option.name])
    if values["junit"] is not None:
        values["junit_directory"] = None  # the older way to say where
    if values["force_browsers"] == "ci":
        values["force_browsers"] = in_ci()
    if values["bisect"] and values["pair"]:
        raise UsageError("--bisect and --pair are two ways: give one of them.")
    return Config(**values, project=project_name())


def problems() -> list[str]:
    """Return what is wrong with the settings, a line each."""
    try:
        setting = _setting()
    except UsageError as error:
        return [str(error)]
    found = []
    try:
        older_settings()
    except UsageError as error:
        found.append(str(error))
    for key, value in setting.items():
        try:
            _from_setting({key: value})
        except UsageError as error:
            found.append(str(error))
    return found


def plugin_paths() -> tuple[str, ...]:
    """Return the plugins to load; their options must be known before any option is read."""
    value = _setting().get("PLUGINS", ())
    paths: tuple[str, ...] = _from_setting({"PLUGINS": value})["plugins"]
    return paths


def _setting() -> Mapping[str, Any]:
    setting = getattr(settings, SETTING, {}) if settings.configured else {}
    if not isinstance(setting, Mapping):
        raise UsageError(f"{SETTING} must be a dictionary, not {setting!r}.")
    return setting


def _from_setting(setting: Mapping[str, Any]) -> dict[str, Any]:
    by_key = {option.key: option for option in OPTIONS}
    values = {}
    for key, value in setting.items():
        if key not in by_key:
            raise UsageError(f"{SETTING}: {unknown('key', str(key), sorted(by_key))}.")
        values[by_key[key].field] = _parsed(by_key[key], value, f'{SETTING}["{key}"]')
    return values


def _from_argument(option: Option, value: object) -> object:
    if option.name == "enable_faulthandler":  # the one that Django turns round
        value = not value
    elif option.is_switch:
        value = bool(value)
    return _parsed(option, value, option.spelling)


def _parsed(option: Option, value: object, source: str) -> object:
    try:
        return option.parse(value)
    except ValueError as error:
        raise UsageError(f"{source}: {error}.") from None
