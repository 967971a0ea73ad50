"""Which requests are being answered now: for whoever has to say why a test does not end.

In a worker process they are in a file, which can be read when the process is dead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Running(NamedTuple):
    """A request, and when it began by the monotonic clock, which all processes share."""

    method: str
    url: str
    started: float


class Journal:
    """Keeps the requests that it was told of last."""

    def __init__(self) -> None:
        self._running: tuple[Running, ...] = ()
        self._file: int | None = None

    def write_to(self, path: Path) -> None:
        """From now on keep them in a file as well."""
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def note(self, running: Iterable[Running]) -> None:
        """These are being answered now, and no others."""
        self._running = tuple(running)
        if self._file is not None:
            lines = (f"{each.started} {each.method} {each.url}\n" for each in self._running)
            data = "".join(lines).encode("utf-8", "replace")
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, data, 0)

    def describe(self) -> str:
        """Return a clause for a message; "" if no request is being answered."""
        return described(self._running)


def read(path: Path) -> tuple[Running, ...]:
    """Return what a process that is no more was answering."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        started, method, url = line.split(" ", 2)
        found.append(Running(method, url, float(started)))
    return tuple(found)


def described(running: Iterable[Running]) -> str:
    """Return ", while the live server was answering GET /slow/ (for 2.1 s)", or ""."""
    now = time.monotonic()
    texts = [f"{each.method} {each.url} (for {now - each.started:.1f} s)" for each in running]
    return f", while the live server was answering {', '.join(texts)}" if texts else ""


#: That of this process.
JOURNAL = Journal()
