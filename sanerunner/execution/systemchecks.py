"""Django's system checks, in two parts: what needs no database first."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.checks import Tags
from django.core.management import call_command
from django.core.management.base import SystemCheckError

# The checks that ask a database; the others have run without.
DATABASE_TAGS = (Tags.database, Tags.models)


@dataclass(frozen=True)
class CheckResult:
    """What checks have said, to stdout and stderr; the message of their SystemCheckError or ""."""

    output: str
    errors: str
    failure: str = ""


class SystemChecks:
    """Runs the checks and shows each message once."""

    def __init__(self, verbosity: int) -> None:
        self._verbosity = verbosity
        self._shown: set[str] = set()
        self._checked: set[str] = set()
        self._ran = False

    def run(self, databases: Iterable[str]) -> None:
        """Run all checks the first time, then those that concern ``databases``.

        Raises SystemCheckError as ``manage.py check`` does.
        """
        new = [alias for alias in databases if alias not in self._checked]
        if self._ran and not new:
            return
        self._checked.update(new)
        if self._ran:
            tags = [str(tag) for tag in DATABASE_TAGS]
            self.take(_call(verbosity=0, databases=new, tags=tags))
        else:
            self._ran = True
            self.take(self.examine(new))

    def leave(self) -> None:
        """Leave those that need no database to ``examine()`` and ``take()``."""
        self._ran = True

    def examine(self, databases: Iterable[str] = ()) -> CheckResult:
        """Run all checks, and show nothing."""
        return _call(verbosity=self._verbosity, databases=list(databases), tags=None)

    def take(self, result: CheckResult) -> None:
        """Show what has not been shown yet. Raises SystemCheckError if there were errors."""
        if result.failure:
            raise SystemCheckError(result.failure)
        sys.stdout.write(result.output)
        lines = [line for line in result.errors.splitlines() if line.strip()]
        if any(line not in self._shown for line in lines):
            sys.stderr.write("\n".join(line for line in lines if line not in self._shown) + "\n")
            self._shown.update(lines)


def _call(*, verbosity: int, databases: list[str], tags: list[str] | None) -> CheckResult:
    output, errors = io.StringIO(), io.StringIO()
    failure = ""
    try:
        call_command(
            "check",
            verbosity=verbosity,
            databases=databases,
            tags=tags,
            stdout=output,
            stderr=errors,
            force_color=sys.stderr.isatty(),
            no_color=False,
        )
    except SystemCheckError as error:
        failure = str(error)
    return CheckResult("" if tags else output.getvalue(), errors.getvalue(), failure)
