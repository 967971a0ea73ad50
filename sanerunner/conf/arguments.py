"""The options on the command line."""

from __future__ import annotations

import argparse

from ..options import OLD_SELECTIONS, OPTIONS


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
    group.add_argument(
        "--no-retries",
        dest="retries",
        action="store_const",
        const=None,
        default=argparse.SUPPRESS,
        help="Run no test again, whatever its sane_retries.",
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
