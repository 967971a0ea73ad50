"""The errors that SaneRunner raises for a user's mistake: one or two lines, no traceback."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.test import testcases

EXIT_INTERRUPTED = 130


class RunnerError(CommandError):
    """What ends a run with its message, without a traceback; ``manage.py test`` exits with 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=2)


class UsageError(RunnerError):
    """An option, setting or attribute that cannot be obeyed."""


class DatabaseInteractionError(testcases.DatabaseOperationForbidden):  # type: ignore[name-defined,misc]
    """A test that declared ``no_database_interaction`` sent a query or opened a connection."""


class DatabaseConfigurationError(UsageError, ImproperlyConfigured):
    """The DATABASES setting cannot be turned into test databases."""


class UnsafeDatabaseError(DatabaseConfigurationError):
    """A run would have written to a database that is not a test database."""


class DatabaseCreationError(RunnerError):
    """A test database could not be made or destroyed: its server does not answer, a migration
    fails.
    """


class RewindError(RunnerError):
    """A test database could not be put back to a state; no test may use it as it is."""


class ServerError(RunnerError):
    """A live server cannot be started: its port is in use, its package is not installed."""


class PopulateError(RunnerError):
    """A factory or a function that was to populate the databases has failed."""


class LeakError(Exception):
    """A test left something changed, and ``--fail-on-leaks`` was given."""


class LateRequestError(Exception):
    """A test has ended, and requests that it has caused have not."""


class ViewError(Exception):
    """A view raised an exception and did not handle it."""


class WorkerError(Exception):
    """Worker processes could not do what all of them must be able to do: the run has ended."""


def unknown(what: str, given: str, known: Iterable[str]) -> str:
    """Return "unknown kind 'untit' (did you mean 'unit'?); known: unit, database"."""
    choices = [str(choice) for choice in known]
    matches = get_close_matches(given, choices, n=1)
    hint = f" (did you mean {matches[0]!r}?)" if matches else ""
    return f"unknown {what} {given!r}{hint}; known: {', '.join(choices)}"
