"""Drop-in fidelity: the verdicts of Django's own tests under Django's runner and under ours.

``python tests/conformance --subset ci``; see README.md beside this file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from comparison import Conformance
from drive import RUNNERS, SERVERS
from labels import MINIMA, UnknownLabel
from sdist import PreparationError

CACHE = Path(__file__).resolve().parents[2] / ".conformance"


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python tests/conformance",
        description="Compare the verdicts of Django's own tests under Django's runner and ours.",
    )
    add = result.add_argument
    add("labels", nargs="*", help="Labels of Django's tests, instead of a subset.")
    add("--subset", choices=sorted(MINIMA), default="ci", help="ci by default.")
    add("--database", choices=["sqlite", *SERVERS], default="sqlite")
    add("--parallel", metavar="N", default="1", help="Worker processes of our side.")
    add("--minimum", type=int, metavar="N", help="Fail if fewer tests were compared.")
    add("--install", action="store_true", help="Install what Django's tests need, first.")
    add("--cache", type=Path, default=CACHE, help="Where sources and records are kept.")
    add("--timeout", type=float, default=3600, metavar="SECONDS", help="For each side.")
    add("--one-at-a-time", action="store_true", help="Do not run both sides together.")
    add(
        "--confirm",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Look for differences that Django's own runner has with itself (the default).",
    )
    add("--ours", choices=sorted(RUNNERS), default="sane", help='"stock": Django with itself.')
    add("--option", action="append", default=[], help="runtests.py option for both sides.")
    add("--our-option", action="append", default=[], help="runtests.py option for our side.")
    return result


def main() -> int:
    conformance = Conformance(parser().parse_args())
    try:
        conformance.prepare()
    except (PreparationError, UnknownLabel) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        agreed = conformance.run()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
