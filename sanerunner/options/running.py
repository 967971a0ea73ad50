"""Options: which tests run, in which order, and what they find."""

from __future__ import annotations

from pathlib import Path

from ..events import Kind
from ..parsing import (
    DEFAULT_STAGES,
    choice,
    describe_stages,
    parse_count,
    parse_flag,
    parse_kinds,
    parse_optional_count,
    parse_path,
    parse_seconds,
    parse_shard,
    parse_stages,
    parse_strings,
    parse_text,
)
from .option import Option

RUNNING: tuple[Option, ...] = (
    Option(
        key="SELECT",
        flags=("--select",),
        parse=parse_kinds,
        default=(),
        arguments={"action": "append", "metavar": "KINDS"},
        help="Run only tests of these kinds, separated by commas: " + ", ".join(Kind) + ".",
    ),
    Option(
        key="DESELECT",
        flags=("--deselect",),
        parse=parse_kinds,
        default=(),
        arguments={"action": "append", "metavar": "KINDS"},
        help="Leave out tests of these kinds, separated by commas.",
    ),
    Option(
        key="STAGES",
        flags=("--stages",),
        parse=parse_stages,
        default=DEFAULT_STAGES,
        arguments={"metavar": "STAGES"},
        help="Which kinds run together, and in which order: "
        f"{describe_stages(DEFAULT_STAGES)} by default.",
    ),
    Option(
        key="KEEP_GOING",
        flags=("--keep-going",),
        parse=parse_flag,
        default=False,
        help="Run every stage, also after one that failed.",
    ),
    Option(
        key="LIST",
        flags=("--list",),
        parse=lambda value: None if value is None else choice("text", "json")(value),
        default=None,
        arguments={"nargs": "?", "const": "text", "metavar": "FORMAT"},
        help="Print the plan of the run and run nothing; --list=json for machines.",
    ),
    Option(
        key="SHARD",
        flags=("--shard",),
        parse=parse_shard,
        default=None,
        arguments={"metavar": "K/N"},
        help="Run the K-th of N parts of the suite, which take about the same time.",
    ),
    Option(
        key="DURATIONS_FROM",
        flags=("--durations-from",),
        parse=parse_path,
        default=None,
        arguments={"metavar": "PATH"},
        help="Take the durations of tests from this recording of another run, not from STATE.",
    ),
    Option(
        key="RERUN_FAILED",
        flags=("--rerun-failed",),
        parse=parse_flag,
        default=False,
        help="Run only what failed or did not run last time, and tests that are new since.",
    ),
    Option(
        key="FAILED_FIRST",
        flags=("--failed-first",),
        parse=parse_flag,
        default=False,
        help="In each stage, run classes with tests that failed last time first.",
    ),
    Option(
        key="STATE",
        flags=("--state",),
        parse=parse_path,
        default=Path(".sanerunner"),
        arguments={"metavar": "FOLDER"},
        help="Where runs remember durations and verdicts for later ones; None in the setting "
        "turns it off.",
    ),
    Option(
        key="DETECT_LEAKS",
        flags=("--detect-leaks",),
        parse=parse_flag,
        default=False,
        help="After each test, compare what it may have left changed (environment, settings, "
        "threads, rows…), and report it.",
    ),
    Option(
        key="FAIL_ON_LEAKS",
        flags=("--fail-on-leaks",),
        parse=parse_flag,
        default=False,
        help="The same, and a test that left something changed is errored.",
    ),
    Option(
        key="BISECT",
        flags=("--bisect",),
        parse=parse_text,
        default=None,
        arguments={"metavar": "TEST"},
        help="Find which of the tests that run before it makes TEST fail, by halving them.",
    ),
    Option(
        key="PAIR",
        flags=("--pair",),
        parse=parse_text,
        default=None,
        arguments={"metavar": "TEST"},
        help="Run TEST after each other test in turn, until it fails.",
    ),
    Option(
        key="ONLY_FROM",
        flags=("--only-from",),
        parse=parse_path,
        default=None,
        arguments={"metavar": "FILE"},
        help="Run exactly the tests whose ids stand in this file, one a line, in its order.",
    ),
    Option(
        key="FREEZE_GC",
        flags=("--freeze-gc",),
        parse=parse_flag,
        default=True,
        help="Keep the garbage collector from scanning what was imported before the first "
        "test (the default).",
    ),
    Option(
        key="CHECKS",
        flags=("--checks",),
        parse=parse_flag,
        default=True,
        help="Run Django's system checks (the default).",
    ),
    Option(
        key="CHECKS_BESIDE",
        flags=("--checks-beside",),
        parse=parse_flag,
        default=False,
        help="With --parallel, run the system checks in a process of their own, beside the first "
        "stage. Workers do not have what checks import then.",
    ),
    Option(
        key="SPECULATE",
        flags=("--speculate",),
        parse=parse_flag,
        default=True,
        help="With --parallel, let idle processes begin the next stage while the last tests of "
        "one are running (the default).",
    ),
    Option(
        key="TIMEOUT",
        flags=("--timeout",),
        parse=parse_seconds,
        default=None,
        arguments={"metavar": "SECONDS"},
        help="End a test that runs longer than this, with the stacks of all threads; no limit "
        "by default. A class or method has its own with sane_timeout.",
    ),
    Option(
        key="RETRIES",
        flags=("--retries",),
        parse=parse_optional_count,
        default=0,
        arguments={"metavar": "N"},
        help="Run a failed test again, up to N times; one that passes then is flaky. A class or "
        "method has its own with sane_retries.",
    ),
    Option(
        key="FAIL_ON_FLAKY",
        flags=("--fail-on-flaky",),
        parse=parse_flag,
        default=False,
        help="Let the run fail when a test has passed only when it was retried.",
    ),
    Option(
        key="MAX_FAILURES",
        flags=("--max-failures",),
        parse=parse_count,
        default=0,
        arguments={"metavar": "N"},
        help="Stop the run, and all retries, when N tests have failed for good; 0, the default, "
        "is no limit.",
    ),
    Option(
        key="START_METHOD",
        flags=("--start-method",),
        parse=lambda value: (
            None if value is None else choice("fork", "forkserver", "spawn")(value)
        ),
        default=None,
        arguments={"metavar": "fork|forkserver|spawn"},
        help="How the processes of --parallel are started; as multiprocessing does by default.",
    ),
    Option(
        key="DEBUG",
        parse=choice("django", "keep"),
        default="django",
        help='"keep" leaves settings.DEBUG as the settings have it; "django" sets it to False, '
        "or True with --debug-mode.",
    ),
    Option(
        key="PLUGINS",
        parse=parse_strings,
        default=(),
        help="Dotted paths of Plugin classes, in the order of their hooks.",
    ),
)
