"""Options: what is shown and written."""

from __future__ import annotations

from ..parsing import choice, parse_count, parse_flag, parse_path
from .option import Option

REPORTS: tuple[Option, ...] = (
    Option(
        key="JUNIT",
        flags=("--junit",),
        parse=parse_path,
        default=None,
        arguments={"metavar": "PATH"},
        help="Write a JUnit XML report to this file.",
    ),
    Option(
        key="JUNIT_STRICT",
        flags=("--junit-strict",),
        parse=parse_flag,
        default=False,
        help="Write only what the strictest JUnit schema allows (no file and line).",
    ),
    Option(
        key="PROGRESS",
        flags=("--progress",),
        parse=choice("auto", "plain", "live"),
        default="auto",
        arguments={"metavar": "auto|plain|live"},
        help="How progress is shown; auto is live on a terminal, else plain.",
    ),
    Option(
        key="OUTPUT_LIMIT",
        flags=("--output-limit",),
        parse=parse_count,
        default=1_000_000,
        arguments={"metavar": "CHARACTERS"},
        help="Keep at most this much of each test's stdout and stderr for the reports "
        "(1,000,000 by default).",
    ),
)
