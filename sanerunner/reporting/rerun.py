"""The command that runs a test again, as it would be typed in this shell."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

# Options that say where tests run, not which; their values follow after "=" or as the next word.
_KEPT_OPTIONS = ("--settings", "--pythonpath", "--database", "--testrunner")


def rerun_command(*labels: str, argv: Sequence[str] | None = None) -> str:
    """Return a shell command that runs ``labels`` alone, after the pattern of ``argv``
    (``sys.argv`` without it).
    """
    words = list(sys.argv if argv is None else argv)
    script = words[0] if words else ""
    command = ["python", *_script(script)]
    if words[1:2] == ["test"]:
        command.append("test")
    return shlex.join([*command, *_kept(words[1:]), *labels])


def _script(script: str) -> list[str]:
    name = os.path.basename(script)
    if name in {"django-admin", "__main__.py"}:
        return ["-m", "django"]
    return [script or "manage.py"]


def _kept(words: Sequence[str]) -> list[str]:
    kept = []
    for place, word in enumerate(words):
        option, equals, _ = word.partition("=")
        if option in _KEPT_OPTIONS:
            kept += [word] if equals else list(words[place : place + 2])
    return kept
