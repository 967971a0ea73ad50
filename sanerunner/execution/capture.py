"""What tests print, kept for the reports."""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO


class CappedText:
    """Text of which at most ``limit`` characters are kept: the beginning and the end."""

    def __init__(self, limit: int) -> None:
        self._head_limit = (limit + 1) // 2
        self._tail_limit = limit // 2
        self._head: list[str] = []
        self._head_size = 0
        self._tail: list[str] = []
        self._tail_size = 0
        self._dropped = 0

    def add(self, text: str) -> None:
        room = self._head_limit - self._head_size
        if room > 0:
            self._head.append(text[:room])
            self._head_size += len(self._head[-1])
            text = text[room:]
        if text:
            self._tail.append(text)
            self._tail_size += len(text)
            if self._tail_size > 2 * self._tail_limit:
                self._trim()

    def _trim(self) -> None:
        tail = "".join(self._tail)
        excess = max(len(tail) - self._tail_limit, 0)
        self._dropped += excess
        self._tail = [tail[excess:]]
        self._tail_size = len(self._tail[0])

    def take(self) -> str:
        """Return what was kept, with a note where characters were left out; start afresh."""
        if not self._head and not self._dropped:
            return ""
        self._trim()
        note = f"\n[{self._dropped:,} characters left out]\n" if self._dropped else ""
        text = "".join(self._head) + note + "".join(self._tail)
        self._head, self._tail = [], []
        self._head_size = self._tail_size = self._dropped = 0
        return text


class CapturingStream(io.TextIOBase):
    """Stands in for ``sys.stdout`` or ``sys.stderr``: keeps what is written and, with
    ``passthrough``, hands it on. Once closed off, it only hands on: a logging handler made in a
    test may hold it for ever.
    """

    def __init__(self, stream: TextIO, limit: int, *, passthrough: bool) -> None:
        self.stream = stream
        self.passthrough = passthrough
        self.kept: CappedText | None = CappedText(limit)
        self.written = False  # since the last take()

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.passthrough:
            self.stream.write(text)
        if self.kept is not None:
            self.kept.add(text)
            self.written = True
        return len(text)

    def take(self) -> str:
        """Return what was kept since the last call."""
        self.written = False
        return "" if self.kept is None else self.kept.take()

    def flush(self) -> None:
        if self.passthrough:
            self.stream.flush()

    def close(self) -> None:
        """Stay open: the stream behind belongs to the process."""

    def close_off(self) -> None:
        self.kept = None
        self.passthrough = True

    @property
    def buffer(self) -> Any:
        return CapturingBuffer(self)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.stream.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class CapturingBuffer(io.BufferedIOBase):
    """The binary side of a CapturingStream."""

    def __init__(self, owner: CapturingStream) -> None:
        self._owner = owner

    def write(self, data: Any) -> int:
        if self._owner.passthrough:
            self._owner.stream.buffer.write(data)
        if self._owner.kept is not None:
            encoding = self._owner.encoding or "utf-8"
            self._owner.kept.add(bytes(data).decode(encoding, "backslashreplace"))
            self._owner.written = True
        return len(data)

    def flush(self) -> None:
        if self._owner.passthrough:
            self._owner.stream.buffer.flush()

    def writable(self) -> bool:
        return True


class OutputCapture:
    """Captures ``sys.stdout`` and ``sys.stderr`` between ``start`` and ``stop``.

    ``hide`` keeps the output from the terminal (``--buffer``); ``limit`` is in characters, for
    each stream and each ``take()``.
    """

    def __init__(self, *, limit: int, hide: bool) -> None:
        self._limit = limit
        self._hide = hide
        self._streams: tuple[CapturingStream, CapturingStream] | None = None
        self._originals: tuple[TextIO, TextIO] | None = None

    def start(self) -> None:
        self._originals = sys.stdout, sys.stderr
        self._streams = (
            CapturingStream(sys.stdout, self._limit, passthrough=not self._hide),
            CapturingStream(sys.stderr, self._limit, passthrough=not self._hide),
        )
        sys.stdout, sys.stderr = self._streams

    def stop(self) -> None:
        if self._streams is None or self._originals is None:
            return
        sys.stdout, sys.stderr = self._originals
        for stream in self._streams:
            stream.close_off()
        self._streams = self._originals = None

    def show(self) -> None:
        """Hide nothing from now on: a debugger wants the terminal."""
        for stream in self._streams or ():
            stream.passthrough = True

    def take(self) -> tuple[str, str]:
        """Return what was written to stdout and stderr since the last call."""
        if self._streams is None:
            return "", ""
        stdout, stderr = self._streams
        if not (stdout.written or stderr.written):
            return "", ""
        return stdout.take(), stderr.take()
