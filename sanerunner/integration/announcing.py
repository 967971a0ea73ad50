"""Tells people and scripts that the server is ready."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from ..exceptions import UsageError

#: Variables of well-known tools that say where the site is.
URL_VARIABLES = (
    "SANE_BASE_URL",
    "CYPRESS_BASE_URL",
    "PLAYWRIGHT_BASE_URL",
    "PLAYWRIGHT_TEST_BASE_URL",
    "WDIO_BASE_URL",
)
#: Cypress hands those that begin with its name to the code of specs.
TOKEN_VARIABLES = ("SANE_CONTROL_TOKEN", "CYPRESS_SANE_CONTROL_TOKEN")


def new_token() -> str:
    """Return a secret for the control API."""
    return secrets.token_urlsafe(32)


def variables(url: str, token: str) -> dict[str, str]:
    """Return what a command finds in its environment; without a token, no control API."""
    found = dict.fromkeys(URL_VARIABLES, url)
    if token:
        found.update(dict.fromkeys(TOKEN_VARIABLES, token))
    return found


class ReadyFile:
    """A file that is there while the server is ready: variables, a line each, for a shell or
    ``node --env-file``. Only this user can read it, as it holds the token.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def remove(self) -> None:
        """Remove the file, also one that a killed server has left. Raises UsageError."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, values: Mapping[str, str]) -> None:
        """Write it; nobody finds half a file. Raises UsageError."""
        text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            new.replace(self._path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UsageError:
        return UsageError(
            f"--ready-file: {str(self._path)!r} cannot be written: {error.strerror}."
        )
