"""Options that Django's runner declares itself; here they have keys too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..parsing import (
    parse_flag,
    parse_optional_count,
    parse_processes,
    parse_shuffle,
    parse_strings,
    parse_text,
)
from .option import Option


def _django(key: str, parse: Callable[[object], object], default: object, **kwargs: Any) -> Option:
    return Option(key=key, parse=parse, default=default, django=True, **kwargs)


DJANGO: tuple[Option, ...] = (
    _django(
        "PATTERN",
        parse_text,
        None,
        flags=("--pattern", "-p"),
        help="The test matching pattern; test*.py by default.",
    ),
    _django(
        "TOP_LEVEL_DIRECTORY",
        parse_text,
        None,
        flags=("--top-level-directory", "-t"),
        dest="top_level",
        help="Top level of project for unittest discovery.",
    ),
    _django(
        "FAILFAST",
        parse_flag,
        False,
        flags=("--failfast",),
        help="Stop the run after the first failure.",
    ),
    _django(
        "KEEPDB",
        parse_flag,
        False,
        flags=("--keepdb", "--persist-test-database"),
        help="Preserve the test databases between runs.",
    ),
    _django(
        "SHUFFLE",
        parse_shuffle,
        False,
        flags=("--shuffle",),
        help="Shuffle the order of tests, by a seed if one is given.",
    ),
    _django(
        "REVERSE",
        parse_flag,
        False,
        flags=("--reverse", "-r"),
        help="Reverse the order of tests.",
    ),
    _django(
        "DEBUG_MODE",
        parse_flag,
        False,
        flags=("--debug-mode",),
        help="Set settings.DEBUG to True.",
    ),
    _django(
        "DEBUG_SQL",
        parse_flag,
        False,
        flags=("--debug-sql", "-d"),
        help="Print the SQL queries of failed tests.",
    ),
    _django(
        "PARALLEL",
        parse_processes,
        0,
        flags=("--parallel",),
        help='Number of processes, or "auto".',
    ),
    _django(
        "TAG",
        parse_strings,
        (),
        flags=("--tag",),
        dest="tags",
        help="Run only tests with this tag; repeatable.",
    ),
    _django(
        "EXCLUDE_TAG",
        parse_strings,
        (),
        flags=("--exclude-tag",),
        dest="exclude_tags",
        help="Leave out tests with this tag; repeatable.",
    ),
    _django(
        "K",
        parse_strings,
        (),
        flags=("-k",),
        dest="test_name_patterns",
        help="Run only tests whose name matches the pattern or contains the text; repeatable.",
    ),
    _django(
        "PDB",
        parse_flag,
        False,
        flags=("--pdb",),
        help="Start a debugger on each error or failure.",
    ),
    _django(
        "BUFFER",
        parse_flag,
        False,
        flags=("--buffer", "-b"),
        help="Discard the output of passing tests.",
    ),
    _django(
        "NO_FAULTHANDLER",
        parse_flag,
        False,
        flags=("--no-faulthandler",),
        dest="enable_faulthandler",
        help="Do not enable Python's faulthandler.",
    ),
    _django(
        "TIMING",
        parse_flag,
        False,
        flags=("--timing",),
        help="Print timings, including database set up and total run time.",
    ),
    _django(
        "DURATIONS",
        parse_optional_count,
        None,
        flags=("--durations",),
        help="Show the N slowest tests (0 for all).",
    ),
)
