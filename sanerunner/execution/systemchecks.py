"""Django's system checks, in two parts: what needs no database first."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable

from django.core.checks import Tags
from django.core.management import call_command

# The checks that ask a database; the others have run without.
DATABASE_TAGS = (Tags.database, Tags.models)


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
        output, errors = io.StringIO(), io.StringIO()
        tags = [str(tag) for tag in DATABASE_TAGS] if self._ran else None
        call_command(
            "check",
            verbosity=0 if self._ran else self._verbosity,
            databases=new,
            tags=tags,
            stdout=output,
            stderr=errors,
            force_color=sys.stderr.isatty(),
            no_color=False,
        )
        self._ran = True
        self._checked.update(new)
        if not tags:
            sys.stdout.write(output.getvalue())
        self._show(errors.getvalue())

    def _show(self, text: str) -> None:
        lines = [line for line in text.splitlines() if line.strip()]
        if any(line not in self._shown for line in lines):
            sys.stderr.write("\n".join(line for line in lines if line not in self._shown) + "\n")
            self._shown.update(lines)
