"""Values of options and settings, validated: each function raises ValueError with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from django.utils.ipv6 import is_valid_ipv6_address
from django.utils.module_loading import import_string

from .events import Kind
from .exceptions import unknown

KIND_ALIASES = {"destructivedatabase": Kind.DESTRUCTIVE, "browser": Kind.SELENIUM}


@dataclass(frozen=True)
class StageDefinition:
    """The kinds that run together. ``name`` is the kinds joined by commas."""

    kinds: tuple[Kind, ...]

    @property
    def name(self) -> str:
        return ",".join(self.kinds)


class Shard(NamedTuple):
    """The ``number``-th, counted from 1, of ``total`` parts of a suite."""

    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"


DEFAULT_STAGES = (
    StageDefinition((Kind.UNIT,)),
    StageDefinition((Kind.DATABASE,)),
    StageDefinition((Kind.DESTRUCTIVE, Kind.HTTP)),
    StageDefinition((Kind.SELENIUM,)),
)


def parse_kind(value: object) -> Kind:
    """Return the kind that ``value`` names; ValueError lists the kinds."""
    if not isinstance(value, str):
        raise ValueError(f"a kind is a string, not {value!r}; known: {', '.join(Kind)}")
    name = value.strip().lower()
    if name in KIND_ALIASES:
        return KIND_ALIASES[name]
    try:
        return Kind(name)
    except ValueError:
        raise ValueError(unknown("kind", value, list(Kind))) from None


def parse_kinds(value: object) -> tuple[Kind, ...]:
    """Kinds from "unit,database", or a list of such strings; each kept once."""
    return tuple(dict.fromkeys(_each_kind(value)))


def _each_kind(value: object) -> list[Kind]:
    return [parse_kind(part) for text in parse_strings(value) for part in text.split(",")]


def parse_stages(value: object) -> tuple[StageDefinition, ...]:
    """Stages from "unit,database/destructive,http/selenium", or a list of such parts.

    ValueError where a kind is named twice or left out.
    """
    parts: Iterable[object]
    if isinstance(value, str):
        parts = value.split("/")
    elif isinstance(value, (list, tuple)):
        parts = value
    else:
        raise ValueError(f"stages are a string or a list, not {value!r}")
    stages = tuple(StageDefinition(tuple(_each_kind(part))) for part in parts)
    named = [kind for stage in stages for kind in stage.kinds]
    for kind in Kind:
        if named.count(kind) > 1:
            raise ValueError(f"kind '{kind}' is named twice")
        if kind not in named:
            raise ValueError(f"kind '{kind}' is in no stage; stages: {describe_stages(stages)}")
    return stages


def describe_stages(stages: Iterable[StageDefinition]) -> str:
    return "/".join(stage.name for stage in stages)


def parse_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be True or False, not {value!r}")
    return value


def parse_strings(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if values is None:
        return ()
    if not isinstance(values, (list, tuple, set, frozenset)):
        raise ValueError(f"must be a string or a list of strings, not {value!r}")
    for item in values:
        if not isinstance(item, str):
            raise ValueError(f"must be a list of strings, but holds {item!r}")
    return tuple(values)


def parse_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"must be a string, not {value!r}")


def parse_path(value: object) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError(f"must be a path, not {value!r}")
    return Path(value)


def parse_suffix(value: object) -> str:
    """What may stand in the name of a database on any server: letters, digits, underscores."""
    if not isinstance(value, str) or not re.fullmatch(r"\w{0,30}", value, re.ASCII):
        raise ValueError(f"must be at most 30 letters, digits and underscores, not {value!r}")
    return value


def parse_shard(value: object) -> Shard | None:
    """A part from "2/4"."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", value) if isinstance(value, str) else None
    if match and 1 <= int(match[1]) <= int(match[2]):
        return Shard(int(match[1]), int(match[2]))
    raise ValueError(f"must be K/N, the K-th of N parts, not {value!r}")


def parse_callable(value: object) -> Callable[..., Any] | None:
    """A function, or the dotted path of one."""
    found = value
    if isinstance(value, str):
        try:
            found = import_string(value)
        except ImportError as error:
            raise ValueError(f"cannot import {value!r}: {error}".rstrip(".")) from None
    if found is None or callable(found):
        return found
    raise ValueError(f"must be a function or the dotted path of one, not {value!r}")


def parse_count(value: object) -> int:
    """A whole number, 0 or more, also as text."""
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            count = int(value)
        except ValueError:
            count = -1
        if count >= 0:
            return count
    raise ValueError(f"must be a whole number, 0 or more, not {value!r}")


def parse_verbosity(value: object) -> bool:
    """Whether a verbosity (True, False or a number, of which 1 is the usual) is a high one."""
    return value if isinstance(value, bool) else parse_count(value) > 1


def parse_optional_count(value: object) -> int | None:
    return None if value is None else parse_count(value)


def parse_seconds(value: object) -> float | None:
    """A number of seconds above 0, also as text; None for no limit."""
    if value is None:
        return None
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if 0 < seconds < float("inf"):
            return seconds
    raise ValueError(f"must be a number of seconds above 0, not {value!r}")


def parse_grace(value: object) -> float:
    """A number of seconds, 0 or more, also as text."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if 0 <= seconds < float("inf"):
            return seconds
    raise ValueError(f"must be a number of seconds, 0 or more, not {value!r}")


def parse_host(value: object) -> str:
    """The name or address of a host, without a port."""
    if isinstance(value, str):
        if re.fullmatch(r"[\w.-]+", value):
            return value
        if is_valid_ipv6_address(value.strip("[]")):
            return value.strip("[]")
    raise ValueError(f"must be the name or address of a host, without a port, not {value!r}")


def parse_port(value: object) -> int:
    """The number of a port, also as text; 0 is any free one."""
    try:
        port = parse_count(value)
    except ValueError:
        port = 65536
    if port > 65535:
        raise ValueError(f"must be a port, 1 to 65535, or 0 for any free one, not {value!r}")
    return port


def parse_url_root(value: object) -> str:
    """A URL of http or https, without its last slash."""
    if isinstance(value, str) and re.fullmatch(r"https?://[^/\s?#]+[^\s?#]*", value):
        return value.rstrip("/")
    raise ValueError(f"must be a URL, as http://www.example.com:8000, not {value!r}")


def parse_processes(value: object) -> int:
    """A number of processes; "auto" is one for each processor core."""
    if value == "auto":
        from .compat import get_max_test_processes

        processes: int = get_max_test_processes()
        return processes
    try:
        return parse_count(value)
    except ValueError:
        raise ValueError(f"must be a number of processes or 'auto', not {value!r}") from None


def parse_shuffle(value: object) -> int | bool | None:
    """False: do not shuffle. None or True: by a new seed. A whole number: by that seed."""
    if value is None or value is True:
        return None
    if value is False:
        return False
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(f"must be a whole number, not {value!r}") from None


def choice(*known: str) -> Callable[[object], str]:
    """Return a validator that accepts the strings ``known``."""

    def parse(value: object) -> str:
        if value not in known:
            raise ValueError(unknown("value", str(value), known))
        return str(value)

    return parse
