"""Finds the plugins that a project names, and checks that their hooks are hooks."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from django.utils.module_loading import import_string

from .exceptions import UsageError, unknown
from .plugins import HOOKS, Plugin


def load_plugins(paths: Iterable[str]) -> list[Plugin]:
    """Import and instantiate the plugins named by dotted path.

    Raises UsageError, naming the plugin, for a path that cannot be imported, a class that is no
    Plugin, and a hook with a wrong name or signature.
    """
    return [_load(path) for path in paths]


def _load(path: str) -> Plugin:
    try:
        plugin_class = import_string(path)
    except Exception as error:
        what = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise UsageError(f'SANERUNNER["PLUGINS"]: {path!r} cannot be imported: {what}') from error
    if not (isinstance(plugin_class, type) and issubclass(plugin_class, Plugin)):
        raise UsageError(
            f'SANERUNNER["PLUGINS"]: {path!r} is not a subclass of sanerunner.Plugin.'
        )
    validate(plugin_class, path)
    try:
        return plugin_class()
    except Exception as error:
        raise UsageError(
            f'SANERUNNER["PLUGINS"]: {path}() raised {type(error).__name__}: {error}'
        ) from error


def validate(plugin_class: type[Plugin], path: str) -> None:
    """Raise UsageError where a method is no hook or takes arguments that its hook has not."""
    for base in plugin_class.__mro__:
        if base in (Plugin, object):
            continue
        for name, member in vars(base).items():
            if name in HOOKS:
                _validate_hook(path, name, member)
            elif inspect.isfunction(member) and not name.startswith("_"):
                raise UsageError(f"{path}: {unknown('hook', name, HOOKS)}.")


def _validate_hook(path: str, name: str, member: Any) -> None:
    allowed = [parameter for parameter in HOOKS[name].parameters if parameter != "self"]
    plain = inspect.isfunction(member) and not inspect.iscoroutinefunction(member)
    given = list(inspect.signature(member).parameters.values()) if plain else []
    if not given:
        wanted = ", ".join(["self", *allowed])
        raise UsageError(f"{path}.{name}() must be a plain method: def {name}({wanted}).")
    for parameter in given[1:]:
        optional = parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        by_place = parameter.kind is parameter.POSITIONAL_ONLY
        if by_place or (parameter.name not in allowed and not optional):
            raise UsageError(
                f"{path}.{name}() takes {parameter.name!r}, but the hook is "
                f"{name}({', '.join(allowed)})."
            )
