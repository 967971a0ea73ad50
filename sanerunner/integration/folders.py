"""Where the database files of integration servers are."""

from __future__ import annotations

import getpass
import os
import re
import tempfile
from pathlib import Path

from ..exceptions import UnsafeDatabaseError


def folder_of(project: str) -> Path:
    """Return a folder of this user's for the database files of ``project``, made if need be.

    It is the same for all servers of a project, so that what a killed one has left is found.
    Raises UnsafeDatabaseError where another user could write there.
    """
    user = str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
    base = Path(tempfile.gettempdir()) / f"sanerunner-{user}"
    base.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid"):
        found = base.lstat()
        if found.st_uid != os.getuid() or base.is_symlink() or found.st_mode & 0o022:
            raise UnsafeDatabaseError(
                f"The folder {str(base)!r} is not this user's alone: remove it, or set TMPDIR."
            )
    folder = base / (re.sub(r"[^\w.-]+", "-", project).strip("-.") or "project")
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
