"""Marks and locks of SQLite databases in files: ``<path>.sane-run`` beside each.

It is there as long as the database is, or a run that makes it; that run holds a lock on it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..sites import Mark, Site, opened, this_run
from . import path_of
from .store import belongs_to, remove

_SUFFIX = ".sane-run"
_KEPT = ".sane"


class SQLiteSite(Site):
    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._descriptors: dict[Path, int] = {}

    def open(self) -> None:
        folder = self._folder()
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"the folder {str(folder)!r} cannot be written")
        opened(self)

    def close(self) -> None:
        for path in list(self._descriptors):
            self._release(path)

    def abandon(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)  # the lock stays with the parent's
        self._descriptors.clear()

    def lock(self, name: Any) -> bool:
        path = _beside(name, _SUFFIX)
        while path not in self._descriptors:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            if not _lock(descriptor):
                os.close(descriptor)
                return False
            if _is_at(descriptor, path):
                self._descriptors[path] = descriptor
            else:  # the run that had the lock has removed the file
                os.close(descriptor)
        self._write(path, self.read_mark(name))
        return True

    def unlock(self, name: Any) -> None:
        self._release(_beside(name, _SUFFIX))

    def holder(self, name: Any) -> str:
        return str(_read(_beside(name, _SUFFIX)).get("holder") or "")

    def exists(self, name: Any) -> bool:
        return os.path.exists(path_of(str(name)))

    def may_mark(self, name: Any) -> bool:
        return True

    def read_mark(self, name: Any) -> Mark | None:
        """Return the mark; None where the file was replaced by another since it was made."""
        mark = Mark.from_json(_read(_beside(name, _SUFFIX)).get("mark"))
        if mark is None or not belongs_to(_beside(name, _KEPT), Path(path_of(str(name)))):
            return None
        return mark

    def write_mark(self, name: Any, mark: Mark) -> None:
        self._write(_beside(name, _SUFFIX), mark)

    def marked(self) -> dict[str, Mark]:
        """Return the databases in the folder of this one."""
        files = self._folder().glob(f"*{_SUFFIX}")
        paths = [str(path).removesuffix(_SUFFIX) for path in files]
        marks = {path: self.read_mark(path) for path in paths}
        return {path: mark for path, mark in marks.items() if mark is not None}

    def identity(self, name: Any) -> str:
        return path_of(str(name))

    def drop(self, name: Any) -> None:
        remove(Path(path_of(str(name))))
        remove(_beside(name, _KEPT))

    def _folder(self) -> Path:
        return Path(path_of(str(self.connection.settings_dict["NAME"]))).parent

    def _write(self, path: Path, mark: Mark | None) -> None:
        content = {"holder": this_run(), "mark": None if mark is None else vars(mark)}
        descriptor = self._descriptors[path]
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, json.dumps(content).encode())

    def _release(self, path: Path) -> None:
        """Give up the lock; where there is no database, or only one without mark, remove it."""
        descriptor = self._descriptors.pop(path)
        name = str(path).removesuffix(_SUFFIX)
        useless = not self.exists(name) or _read(path).get("mark") is None
        if sys.platform == "win32":  # which removes no file that is open
            os.close(descriptor)
            if useless and not _is_open(path):
                path.unlink(missing_ok=True)
            return
        if useless:
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _beside(name: Any, suffix: str) -> Path:
    return Path(path_of(str(name)) + suffix)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):  # none, or one that a run is just writing
        return {}
    return content if isinstance(content, dict) else {}


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at ``path``."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30  # what is locked cannot be read there: so it is nothing that is in the file

    def _lock(descriptor: int) -> bool:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _is_open(path: Path) -> bool:
        """Whether another run has opened the file meanwhile; then it is that run's."""
        try:
            path.rename(path)
        except OSError:
            return True
        return False

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
