"""The option INTEGRATION: what the integration server populates databases with, and offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..exceptions import unknown
from ..parsing import parse_strings
from .option import Option


@dataclass(frozen=True, kw_only=True)
class IntegrationSettings:
    """``INTEGRATION``: ``populate`` holds what ``--populate`` takes; ``factories`` and
    ``scenarios`` are names -> dotted paths. ``control_hosts`` are names, or name:port, by which
    clients on other machines reach the control API; without any, they do not.
    """

    populate: tuple[str, ...] = ()
    factories: Mapping[str, str] = field(default_factory=dict)
    scenarios: Mapping[str, str] = field(default_factory=dict)
    control_hosts: tuple[str, ...] = ()


def parse_paths(value: object) -> dict[str, str]:
    """A dictionary of names and dotted paths."""
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a dictionary of names and dotted paths, not {value!r}")
    for name, path in value.items():
        if not isinstance(name, str) or not isinstance(path, str):
            raise ValueError(f"must hold names and dotted paths, not {name!r}: {path!r}")
    return dict(value)


KEYS: dict[str, Callable[[object], Any]] = {
    "POPULATE": parse_strings,
    "FACTORIES": parse_paths,
    "SCENARIOS": parse_paths,
    "CONTROL_HOSTS": parse_strings,
}


def parse_integration(value: object) -> IntegrationSettings:
    """A dictionary with some of the ``KEYS``."""
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a dictionary, not {value!r}")
    values = {}
    for key, given in value.items():
        if key not in KEYS:
            raise ValueError(unknown("key", str(key), KEYS))
        try:
            values[key.lower()] = KEYS[key](given)
        except ValueError as error:
            raise ValueError(f'"{key}" {error}') from None
    return IntegrationSettings(**values)


INTEGRATION: tuple[Option, ...] = (
    Option(
        key="INTEGRATION",
        parse=parse_integration,
        default=IntegrationSettings(),
        help="What manage.py integrationserver populates databases with and offers: a dictionary "
        "with POPULATE (what --populate takes), FACTORIES and SCENARIOS (names and dotted paths), "
        "and CONTROL_HOSTS (names by which other machines may reach the control API).",
    ),
)
