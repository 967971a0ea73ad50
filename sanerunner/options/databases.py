"""Options: test databases, and how they are put back."""

from __future__ import annotations

from ..parsing import choice, parse_flag, parse_path, parse_strings, parse_suffix
from .option import Option

DATABASES: tuple[Option, ...] = (
    Option(
        key="RESTORE",
        flags=("--restore",),
        arguments={"metavar": "rewind|flush"},
        parse=choice("rewind", "flush"),
        default="rewind",
        help='How databases are put back after tests that commit: "rewind" restores exactly '
        'what changed (the default), "flush" is Django\'s flush.',
    ),
    Option(
        key="BASELINE",
        flags=("--baseline",),
        arguments={"metavar": "flushed|migrated"},
        parse=choice("flushed", "migrated"),
        default="flushed",
        help="What Django's TransactionTestCase classes find after one of them has run: "
        '"flushed", as under Django, or "migrated". For RESTORE "rewind".',
    ),
    Option(
        key="VERIFY_REWIND",
        flags=("--verify-rewind",),
        parse=parse_flag,
        default=False,
        help="After each rewind, compare full checksums with the baseline (slow).",
    ),
    Option(
        key="CREATE_DB",
        flags=("--create-db",),
        parse=parse_flag,
        default=False,
        help="With --keepdb, make the databases anew this time.",
    ),
    Option(
        key="DATABASE_SUFFIX",
        flags=("--database-suffix",),
        parse=parse_suffix,
        default="",
        arguments={"metavar": "TEXT"},
        help="Put _TEXT behind the names of the test databases, so that runs side by side have "
        "their own.",
    ),
    Option(
        key="PRUNE_DATABASES",
        flags=("--prune-databases",),
        parse=parse_flag,
        default=False,
        help="Before the run, remove this project's test databases that killed runs have left "
        "more than a day ago.",
    ),
    Option(
        key="IMAGE_CACHE",
        flags=("--image-cache",),
        parse=parse_path,
        default=None,
        arguments={"metavar": "FOLDER"},
        help="Keep images of migrated databases in this folder, and load them instead of "
        "migrating.",
    ),
    Option(
        key="FINGERPRINT_FILES",
        parse=parse_strings,
        default=(),
        help="Globs of files on which the content of the databases depends, beside migrations: "
        "fixtures and helpers that data migrations use.",
    ),
)
