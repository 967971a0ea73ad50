"""Settings and options -> one frozen ``Config``. No other module reads settings.

The command line wins over the ``SANERUNNER`` setting; older settings (django-sane-testing's and
unittest-xml-reporting's) fill in what neither gives.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from .events import Kind
from .exceptions import UsageError, unknown
from .options import OLD_SELECTIONS, OPTIONS, Option
from .parsing import StageDefinition, parse_path, parse_verbosity

SETTING = "SANERUNNER"


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a run was asked to do, validated: one field for each key of ``SANERUNNER``."""

    # Django's options
    pattern: str | None
    top_level_directory: str | None
    failfast: bool
    keepdb: bool
    reverse: bool
    shuffle: int | bool | None
    debug_mode: bool
    debug_sql: bool
    parallel: int
    tag: tuple[str, ...]
    exclude_tag: tuple[str, ...]
    k: tuple[str, ...]
    pdb: bool
    buffer: bool
    no_faulthandler: bool
    timing: bool
    durations: int | None
    # sanerunner's options
    select: tuple[Kind, ...]
    deselect: tuple[Kind, ...]
    stages: tuple[StageDefinition, ...]
    keep_going: bool
    list: str | None
    junit: Path | None
    junit_strict: bool
    progress: str
    output_limit: int
    freeze_gc: bool
    debug: str
    restore: str
    baseline: str
    verify_rewind: bool
    plugins: tuple[str, ...]
    # What only older settings say
    junit_directory: Path | None = None
    junit_verbose: bool = False
    junit_descriptions: bool = False
    migrate: bool = True
    flush_cache: bool = False

    def selects(self, kind: Kind) -> bool:
        """Whether tests of ``kind`` are part of the run."""
        return (not self.select or kind in self.select) and kind not in self.deselect

    def discover_runner_arguments(self) -> dict[str, Any]:
        """Return the arguments of ``DiscoverRunner.__init__`` that say the same."""
        return {
            "pattern": self.pattern,
            "top_level": self.top_level_directory,
            "failfast": self.failfast,
            "keepdb": self.keepdb,
            "reverse": self.reverse,
            "shuffle": self.shuffle,
            "debug_mode": self.debug_mode,
            "debug_sql": self.debug_sql,
            "parallel": self.parallel,
            "tags": self.tag,
            "exclude_tags": self.exclude_tag,
            "test_name_patterns": self.k or None,
            "pdb": self.pdb,
            "buffer": self.buffer,
            "enable_faulthandler": not self.no_faulthandler,
            "timing": self.timing,
            "durations": self.durations,
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add sanerunner's options to the parser on which Django's runner has declared its own.

    No option keeps a default on the parser: what was not typed is absent, so that the setting
    counts.
    """
    names = {option.name for option in OPTIONS}
    declared = {flag for action in parser._actions for flag in action.option_strings}
    for action in parser._actions:
        if action.dest in names:
            action.default = argparse.SUPPRESS
            action.type = None  # load() validates, in one line
    group = parser.add_argument_group(
        "sanerunner",
        "Every option has a key in the SANERUNNER setting, its name in upper case: "
        "--keep-going is KEEP_GOING. What the setting turns on, --no-… turns off.",
    )
    for option in OPTIONS:
        option.declare(group)
    group.add_argument(
        "--persist-test-database",
        dest="keepdb",
        action="store_true",
        default=argparse.SUPPRESS,
        help="The old name of --keepdb.",
    )
    if "--durations" not in declared:  # Django declares it from Python 3.12 on
        group.add_argument(
            "--durations",
            default=argparse.SUPPRESS,
            metavar="N",
            help="Show the N slowest test cases (N=0 for all).",
        )
    for kind, flags in OLD_SELECTIONS.items():
        group.add_argument(
            *flags,
            dest="select",
            action="append_const",
            const=kind.value,
            default=argparse.SUPPRESS,
            help=f"The old name of --select={kind}.",
        )


def load(given: Mapping[str, Any]) -> Config:
    """Return the configuration of a run.

    ``given`` holds keyword arguments of the runner; those that are no options are ignored.
    Raises UsageError for a value that cannot be obeyed, naming the option or setting.
    """
    values: dict[str, Any] = {option.field: option.default for option in OPTIONS}
    values.update(_older_settings())
    values.update(_from_setting(_setting()))
    for option in OPTIONS:
        if option.name in given:
            values[option.field] = _from_argument(option, given[option.name])
    if values["junit"] is not None:
        values["junit_directory"] = None  # the older way to say where
    return Config(**values)


def problems() -> list[str]:
    """Return what is wrong with the settings, a line each."""
    try:
        setting = _setting()
    except UsageError as error:
        return [str(error)]
    found = []
    try:
        _older_settings()
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


def _older_settings() -> dict[str, Any]:
    values: dict[str, Any] = {}
    if os.environ.get("DST_PERSIST_TEST_DATABASE", "").lower() not in {"", "0", "false", "no"}:
        values["keepdb"] = True
    if not settings.configured:
        return values
    values["junit_verbose"] = _older("TEST_OUTPUT_VERBOSE", parse_verbosity, False)
    values["junit_descriptions"] = bool(getattr(settings, "TEST_OUTPUT_DESCRIPTIONS", False))
    values["migrate"] = bool(getattr(settings, "DST_RUN_SOUTH_MIGRATIONS", True))
    values["flush_cache"] = bool(getattr(settings, "DST_FLUSH_DJANGO_CACHE", False))
    directory = _older("TEST_OUTPUT_DIR", parse_path, None)
    file_name = _older("TEST_OUTPUT_FILE_NAME", parse_path, None)
    if file_name is not None:
        values["junit"] = (directory or Path()) / file_name
    else:
        values["junit_directory"] = directory
    return values


def _older(name: str, parse: Callable[[object], Any], default: object) -> Any:
    value = getattr(settings, name, default)
    try:
        return parse(value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}.") from None
