#!/usr/bin/env python
"""Runs sanerunner's own tests under SaneRunner: ``python runtests.py [labels] [options]``.

Takes every option of ``manage.py test``; ``--database=sqlite|postgresql|mariadb`` chooses the
settings, ``--settings`` any other.
"""

from __future__ import annotations

import argparse
import os
import sys

from django.core.management.commands.test import Command

DATABASES = ("sqlite", "postgresql", "mariadb")


class RunTests(Command):
    help = "Run sanerunner's own tests."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--database", choices=DATABASES, default="sqlite", help="Where the tests run."
        )

    def handle(self, *labels: str, **options: object) -> None:
        super().handle(*(labels or ("tests",)), **options)


def choose_settings(arguments: list[str]) -> None:
    """Name the settings before Django reads them."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--settings")
    chosen, _ = parser.parse_known_args(arguments)
    settings = chosen.settings or f"tests.settings.{chosen.database}"
    os.environ["DJANGO_SETTINGS_MODULE"] = settings


def main() -> None:
    import django

    choose_settings(sys.argv[1:])
    django.setup()
    RunTests().run_from_argv([sys.argv[0], "", *sys.argv[1:]])


if __name__ == "__main__":
    main()
