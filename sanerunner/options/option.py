"""One option of the runner: flags, key in the setting, validation, default."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..parsing import parse_flag


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of the runner.

    ``dest`` is its keyword argument to the runner (Django's name where Django has it);
    ``flags`` are empty for what only the setting can say. ``django`` marks options that
    Django's runner declares itself.
    """

    key: str
    parse: Callable[[object], object]
    default: object
    help: str
    flags: tuple[str, ...] = ()
    dest: str = ""
    django: bool = False
    arguments: dict[str, Any] | None = None  # for add_argument()

    @property
    def field(self) -> str:
        """The attribute of ``Config``."""
        return self.key.lower()

    @property
    def name(self) -> str:
        """The keyword argument of the runner."""
        return self.dest or self.field

    @property
    def spelling(self) -> str:
        """How to name the option in a message."""
        return self.flags[0] if self.flags else self.name

    @property
    def is_switch(self) -> bool:
        return self.parse is parse_flag

    def declare(self, group: argparse._ArgumentGroup) -> None:
        """Add the option's flags, and --no-… for a switch, to ``group``."""
        if self.flags and not self.django:
            arguments = dict(self.arguments or {})
            if self.is_switch:
                arguments.setdefault("action", "store_true")
            group.add_argument(
                *self.flags,
                dest=self.name,
                default=argparse.SUPPRESS,
                help=self.help,
                **arguments,
            )
        if self.flags and self.is_switch and not self.spelling.startswith("--no-"):
            group.add_argument(
                self.spelling.replace("--", "--no-", 1),
                dest=self.name,
                action="store_false",
                default=argparse.SUPPRESS,
                help=argparse.SUPPRESS,
            )
