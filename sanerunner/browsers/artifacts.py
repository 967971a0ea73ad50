"""The folder of what is kept of failed tests."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from .base import Artifact

MARK = "# Made by sanerunner; emptied when browser tests begin.\n*\n"
LONGEST = 150  # characters of a folder's name


class ArtifactFolder:
    """Keeps files below ``root``, in a folder for each test, named after it.

    A ``root`` that this has made is emptied by ``clear()``; one that was there before is not, and
    names that are taken get a number.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()  # a test may change the current directory

    def clear(self) -> None:
        """Remove what an earlier run has left."""
        if not self._is_ours():
            return
        for each in self._root.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each)

    def save(self, test_id: str, artifacts: Iterable[Artifact]) -> list[Path]:
        """Write the files; return their paths."""
        if not self._root.exists():
            self._root.mkdir(parents=True)
            (self._root / ".gitignore").write_text(MARK, encoding="utf-8")
        folder = self._new_folder(folder_name(test_id))
        saved = []
        for artifact in artifacts:
            path = folder / artifact.name
            path.write_bytes(artifact.content)
            saved.append(path)
        return saved

    def _is_ours(self) -> bool:
        try:
            return (self._root / ".gitignore").read_text(encoding="utf-8") == MARK
        except (OSError, UnicodeDecodeError):
            return False

    def _new_folder(self, name: str) -> Path:
        number = 1
        while True:
            folder = self._root / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir(parents=True)
            except FileExistsError:  # of an earlier attempt
                number += 1
            else:
                return folder


def folder_name(test_id: str) -> str:
    """Return the name of a test's folder: its id, fit for every file system."""
    name = re.sub(r"[^\w.()=-]+", "_", test_id, flags=re.ASCII).strip("._") or "test"
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(test_id.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{name[: LONGEST - 9]}-{digest}"
