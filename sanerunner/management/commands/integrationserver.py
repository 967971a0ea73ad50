"""``manage.py integrationserver``: a site on populated test databases, for end-to-end tests."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, OutputWrapper

from sanerunner.integration.command import Arguments, run


class Command(BaseCommand):
    help = "Starts a server on populated test databases, for end-to-end tests and for people."
    #: They run when no connection can reach a real database, which some of them open.
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "addrport",
            nargs="?",
            help="Port, or address and port: 8000 (the default), 127.0.0.1:8000, [::1]:8000. "
            "0 is any free port, and the default with --exec.",
        )
        parser.add_argument(
            "--populate",
            nargs="+",
            action="extend",
            metavar="DOTTED[:COUNT]",
            help="Factories (shop.factories.OrderFactory:25) and functions that fill the "
            'databases; by default those of SANERUNNER["INTEGRATION"]["POPULATE"].',
        )
        parser.add_argument(
            "--exec",
            dest="command",
            metavar="CMD",
            help="Run this command in the shell when the server is ready, take everything down "
            "when it has ended, and exit with its status.",
        )
        parser.add_argument("--server", choices=("wsgi", "cheroot", "asgi"), help="What serves.")
        parser.add_argument(
            "--database",
            dest="databases",
            nargs="+",
            action="extend",
            metavar="ALIAS",
            help="The databases to make; by default all.",
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=0,
            help="The seed of random numbers, of Faker and of factory_boy; 0 by default.",
        )
        self._add_databases(parser)
        parser.add_argument(
            "--reload", action="store_true", help="Start anew when the code changes."
        )
        parser.add_argument(
            "--noreload", dest="reload", action="store_false", help="Do not (the default)."
        )
        parser.add_argument(
            "--ready-file",
            type=Path,
            metavar="PATH",
            help="Write URL and token to this file when the server is ready.",
        )
        parser.add_argument(
            "--no-control",
            dest="control",
            action="store_false",
            help="Without the control API at /__sane__/.",
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="Start also with what looks like production settings, or with a test database "
            "that cannot be marked.",
        )
        parser.add_argument(
            "--noinput",
            "--no-input",
            dest="interactive",
            action="store_false",
            help="Ask nothing.",
        )

    def _add_databases(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--keepdb",
            action="store_true",
            default=argparse.SUPPRESS,
            help="Keep the databases at the end, and use those that were kept if they are what "
            "would be made now.",
        )
        parser.add_argument(
            "--create-db",
            action="store_true",
            default=argparse.SUPPRESS,
            help="With --keepdb, make the databases anew this time.",
        )
        parser.add_argument(
            "--database-suffix",
            default=argparse.SUPPRESS,
            metavar="TEXT",
            help="Put _TEXT behind the names of the test databases, not _integration.",
        )
        parser.add_argument(
            "--prune-databases",
            action="store_true",
            default=argparse.SUPPRESS,
            help="First remove what killed runs have left more than a day ago.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        given = {name: options[name] for name in FIELDS if options[name] is not None}
        arguments = Arguments(
            **given, options={name: options[name] for name in OPTIONS if name in options}
        )
        stream: Any = self.stderr
        plain = OutputWrapper(stream._out)  # what is told there is not all an error
        status = run(arguments, output=self.stdout, errors=plain)
        if status:
            sys.exit(status)


FIELDS = [each.name for each in fields(Arguments) if each.name != "options"]
# Those of the runner's own options that this command has as well.
OPTIONS = ("keepdb", "create_db", "database_suffix", "prune_databases")
