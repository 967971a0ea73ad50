"""A plugin that lists the tests which send many queries."""

import sys
from contextlib import ExitStack

from django.db import connections
from sanerunner import Plugin

DEFAULT_LIMIT = 50
READS_AND_WRITES = ("SELECT", "INSERT", "UPDATE", "DELETE")


class QueryCount(Plugin):
    """Lists the tests that sent more than ``--max-queries`` queries, most first."""

    name = "query-count"

    def __init__(self):
        self._limit = DEFAULT_LIMIT
        self._counts = {}
        self._watching = ExitStack()

    def add_arguments(self, parser):
        parser.add_argument(
            "--max-queries",
            type=int,
            default=DEFAULT_LIMIT,
            metavar="N",
            help="List the tests that send more than N queries.",
        )

    def configure(self, options):
        self._limit = options.get("max_queries", DEFAULT_LIMIT)

    def test_setup(self, test):
        test_id = test.id()
        self._counts[test_id] = 0

        def count(execute, sql, params, many, context):
            # Savepoints and checks of constraints belong to the test's isolation.
            if sql.startswith(READS_AND_WRITES):
                self._counts[test_id] += 1
            return execute(sql, params, many, context)

        for connection in connections.all():
            self._watching.enter_context(connection.execute_wrapper(count))

    def test_teardown(self, test):
        self._watching.close()

    def report(self):
        many = {name: count for name, count in self._counts.items() if count > self._limit}
        if many:
            print(f"\nTests with more than {self._limit} queries", file=sys.stderr)
            for name, count in sorted(many.items(), key=lambda item: -item[1]):
                print(f"{count:6}  {name}", file=sys.stderr)
