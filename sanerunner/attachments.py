"""Files that tell more of a test than its output: screenshots, pages, logs."""

from __future__ import annotations

import os
import unittest

_ATTRIBUTE = "_sane_attachments"  # of a test, until its verdict carries them


def attach(test: unittest.TestCase, path: str | os.PathLike[str]) -> None:
    """List the file at ``path`` with the verdict of ``test``, which is running: in its event, in
    the JUnit XML report and, if it fails, on the console.
    """
    vars(test).setdefault(_ATTRIBUTE, []).append(os.path.abspath(path))


def attachments_of(test: unittest.TestCase) -> tuple[str, ...]:
    """Return the paths of the files, each once; relative to the folder in which this process was
    started for those below it.
    """
    return tuple(dict.fromkeys(map(_shown, vars(test).get(_ATTRIBUTE, ()))))


def _started_in() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


_FOLDER = _started_in()  # a test may change the current directory


def _shown(path: str) -> str:
    below = _FOLDER.rstrip(os.sep) + os.sep
    return path[len(below) :] if _FOLDER and path.startswith(below) else path
