"""The functions that the control API may call, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from .factories import failed
from .problems import Problem, unknown_name
from .registering import from_apps, from_settings, is_defined_in
from .serialize import as_json


class Scenarios:
    """Those of the setting (name -> dotted path), and the functions that are defined in the
    ``scenarios`` modules of installed apps, but for those whose name begins with "_". A name of
    the setting wins. Raises UsageError.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._scenarios: dict[str, Callable[..., Any]] = {
            **from_apps("scenarios", _members),
            **from_settings("SCENARIOS", paths, _wrong),
        }

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._scenarios))

    def check(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Raise Problem for what can be told without calling the function."""
        function = self._scenarios.get(name)
        if function is None:
            raise unknown_name(404, "scenario", name, self._scenarios)
        try:
            inspect.signature(function).bind(**arguments)
        except TypeError as error:
            raise Problem(
                422, "invalid-arguments", f"The scenario {name!r}: {error}.", scenario=name
            ) from None

    def run(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Return what the function returns, as JSON. Raises Problem."""
        try:
            return as_json(self._scenarios[name](**arguments))
        except (Exception, SystemExit) as error:  # which would end the server
            raise failed(f"The scenario {name!r}", error, scenario=name) from error


def _members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, each in vars(module).items():
        if inspect.isfunction(each) and not name.startswith("_") and is_defined_in(module, each):
            yield name, each


def _wrong(found: Any) -> str:
    return "" if callable(found) and not isinstance(found, type) else "is no function"
