"""What the tests of a worker print: by Python, by C libraries and by subprocesses alike.

The file descriptors 1 and 2 of a worker are files, so that nothing has to be read while a test
runs, and what it has printed can still be read when the worker is dead.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TextIO

from .capture import OutputCapture


class FileCapture(OutputCapture):
    """Sends what this process prints from now on into ``stdout`` and ``stderr``, two files.

    ``limit`` is in bytes here, for each file and each ``take()``.
    """

    def __init__(self, stdout: Path, stderr: Path, *, limit: int) -> None:
        super().__init__(limit=limit, hide=True)
        before: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        self._flushed = [stream for stream in before if stream is not None]
        self._files = [_redirect(path, fd) for path, fd in ((stdout, 1), (stderr, 2))]
        self._written: list[IO[str]] = [_text_stream(fd) for fd in (1, 2)]
        sys.stdout, sys.stderr = self._written

    def start(self) -> None:
        """It has begun already."""

    def stop(self) -> None:
        """It lasts as long as the process."""

    def take(self) -> tuple[str, str]:
        for stream in (*self._flushed, *self._written):
            try:
                stream.flush()
            except ValueError:  # a test has closed it
                continue
        stdout, stderr = (self._take(fd) for fd in self._files)
        return stdout, stderr

    def _take(self, fd: int) -> str:
        if not os.lseek(fd, 0, os.SEEK_END):  # what is appended does not go by this
            return ""
        text = _read(fd, self._limit)
        os.ftruncate(fd, 0)  # what is written next is written to the beginning: O_APPEND
        return text


def read_output(path: Path, limit: int) -> str:
    """Return what a process that is no more has left in a file, at most ``limit`` bytes of it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return _read(fd, limit)
    finally:
        os.close(fd)


def _redirect(path: Path, target: int) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(fd, target)
    return fd


def _text_stream(fd: int) -> IO[str]:
    return open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _read(fd: int, limit: int) -> str:
    """Return the beginning and the end of a file, with a note where bytes were left out."""
    size = os.fstat(fd).st_size
    if size <= limit:
        return _decoded(os.pread(fd, size, 0))
    head, tail = (limit + 1) // 2, limit // 2
    return (
        _decoded(os.pread(fd, head, 0))
        + f"\n[{size - limit:,} bytes left out]\n"
        + _decoded(os.pread(fd, tail, size - tail))
    )


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
