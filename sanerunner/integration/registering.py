"""Finds what a project offers by name: in the settings, and in modules of installed apps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from django.apps import apps
from django.utils.module_loading import import_string, module_has_submodule

from ..exceptions import UsageError


def from_settings(
    key: str, paths: Mapping[str, str], check: Callable[[Any], str]
) -> dict[str, Any]:
    """Import what ``paths`` (name -> dotted path) name. ``check`` returns what is wrong with
    one, or "". Raises UsageError.
    """
    found = {}
    for name, path in paths.items():
        where = f'SANERUNNER["INTEGRATION"]["{key}"]: {name!r}'
        try:
            found[name] = import_string(path)
        except ImportError as error:
            raise UsageError(
                f"{where}: cannot import {path!r}: {error}".rstrip(".") + "."
            ) from error
        wrong = check(found[name])
        if wrong:
            raise UsageError(f"{where}: {path!r} {wrong}.")
    return found


def from_apps(
    module_name: str, members: Callable[[ModuleType], Iterable[tuple[str, Any]]]
) -> dict[str, Any]:
    """Return what ``members`` yields, name and object, of each installed app's module of this
    name: as "app_label.name", and as "name" if only one app has it.
    """
    short: dict[str, list[Any]] = {}
    found: dict[str, Any] = {}
    for config in apps.get_app_configs():
        if config.module is None or not module_has_submodule(config.module, module_name):
            continue
        for name, each in members(import_module(f"{config.name}.{module_name}")):
            found[f"{config.label}.{name}"] = each
            short.setdefault(name, []).append(each)
    found.update((name, each[0]) for name, each in short.items() if len(each) == 1)
    return found


def is_defined_in(module: ModuleType, each: Any) -> bool:
    """Whether a class or function was defined in ``module`` or below it, not imported there."""
    where = getattr(each, "__module__", "") or ""
    return where == module.__name__ or where.startswith(f"{module.__name__}.")
