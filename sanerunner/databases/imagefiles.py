"""Files that hold images of databases: a line that says what it is, then the image.

A file is written under another name and put in place in one step, so that there are whole files
only, whoever else writes. What says something else than was written is told by a checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .copies import ImageError

FORMAT = 1
SUFFIX = ".sane-image"
_MAGIC = b"sanerunner image "
_LONGEST_HEADER = 4096
_BLOCK = 1 << 20


@dataclass(frozen=True)
class ImageFile:
    """The image of one fingerprint's ``digest``, of a database of ``vendor``."""

    path: Path
    vendor: str
    digest: str

    def write(self, image: Path) -> None:
        """Store the file ``image``. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with image.open("rb") as source:
            checksum, size = _take_blocks(source, lambda block: None)
        header = {
            "format": FORMAT,
            "vendor": self.vendor,
            "digest": self.digest,
            "size": size,
            "checksum": checksum,
        }
        new = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}.new")
        try:
            with new.open("wb") as target, image.open("rb") as source:
                target.write(_MAGIC + json.dumps(header).encode() + b"\n")
                shutil.copyfileobj(source, target, _BLOCK)
            os.replace(new, self.path)
        finally:
            new.unlink(missing_ok=True)

    def read(self, image: Path) -> bool:
        """Write the image to the file ``image``; False if nothing is stored.

        Raises ImageError if what is stored is not what was: damaged, or of somebody else.
        """
        with image.open("wb") as target:
            return self._read(target.write)

    def check(self) -> bool:
        """Whether an image is stored. Raises ImageError as ``read()`` does."""
        return self._read(lambda block: None)

    def _read(self, take: Callable[[bytes], object]) -> bool:
        try:
            source = self.path.open("rb")
        except FileNotFoundError:
            return False
        with source:
            expected = self._check_header(source.readline(_LONGEST_HEADER))
            if _take_blocks(source, take) != expected:
                raise ImageError("it is damaged")
        return True

    def _check_header(self, line: bytes) -> tuple[str, int]:
        if not line.startswith(_MAGIC):
            raise ImageError("it is no image of a database")
        try:
            header = json.loads(line.removeprefix(_MAGIC))
            found = header["format"], header["vendor"], header["digest"]
            size, checksum = int(header["size"]), str(header["checksum"])
        except (ValueError, KeyError, TypeError):
            raise ImageError("it is damaged") from None
        if found[0] != FORMAT:
            raise ImageError("another version of sanerunner has written it")
        if found[1:] != (self.vendor, self.digest):
            raise ImageError("it is the image of another database")
        return checksum, size


def image_file(folder: Path, vendor: str, digest: str) -> ImageFile:
    return ImageFile(folder / f"{vendor}-{digest}{SUFFIX}", vendor, digest)


def prune(folder: Path, *, newest: int, days: int) -> None:
    """Remove images that were not used for so many days, and all but the newest.

    What is half written and a day old is of a run that was killed. Other files stay.
    """
    used = {path: when for path in folder.glob(f"*{SUFFIX}") if (when := _used(path)) is not None}
    ordered = sorted(used, key=lambda path: used[path], reverse=True)
    now = time.time()
    for number, path in enumerate(ordered):
        if number >= newest or now - used[path] > days * 86400:
            path.unlink(missing_ok=True)
    for path in folder.glob(f"*{SUFFIX}.*.new"):
        when = _used(path, ours=False)
        if when is not None and now - when > 86400:
            path.unlink(missing_ok=True)


def _used(path: Path, *, ours: bool = True) -> float | None:
    """Return when an image was used last; None for a file that is not one, or is gone."""
    try:
        with path.open("rb") as file:
            if ours and not file.readline(_LONGEST_HEADER).startswith(_MAGIC):
                return None
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _take_blocks(source: BinaryIO, take: Callable[[bytes], object]) -> tuple[str, int]:
    """Hand on the rest of a file; return its checksum and size."""
    digest = hashlib.blake2b(digest_size=32)
    size = 0
    while block := source.read(_BLOCK):
        digest.update(block)
        size += len(block)
        take(block)
    return digest.hexdigest(), size
