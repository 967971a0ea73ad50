"""Some lines at the bottom of a terminal, drawn again and again below what else is written."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from .terminal import write_text

REDRAW_AFTER = 0.08  # seconds

_CLEAR_TO_END_OF_LINE = "\x1b[K"
_CLEAR_BELOW = "\x1b[J"

Lines = Sequence[tuple[str, int]]  # each with the number of columns that it takes


class Region:
    """Lines that give way to any other output.

    ``guard()`` makes a stream's ``write`` erase the region first. It does so on the stream object
    itself, because a test's output comes not only through ``sys.stdout`` and ``sys.stderr``, which
    can be replaced: logging handlers, for one, have kept the stream that was there when they were
    made. What bypasses these objects (subprocesses, ``sys.stdout.buffer``) is not seen.

    In a forked child the streams write as if there were no region. ``clock`` is monotonic, in
    seconds; ``width`` gives the terminal's width now.
    """

    def __init__(
        self, stream: TextIO, *, width: Callable[[], int], clock: Callable[[], float]
    ) -> None:
        self._stream = stream
        self._width = width
        self._clock = clock
        self._pid = os.getpid()
        self._lock = threading.RLock()  # tests' own threads write too
        self._lines: Lines = ()  # what to show again after other output
        self._lengths: list[int] = []  # of the lines on the screen; empty when erased
        self._restored_at = clock() - REDRAW_AFTER
        self._drawing = False
        self._at_line_start = True
        self._guarded: list[tuple[TextIO, Any]] = []

    def guard(self, streams: Sequence[TextIO | None]) -> None:
        """Guard those of the streams that are terminals, and the region's own."""
        for stream in (self._stream, *streams):
            if stream is None or any(stream is known for known, _ in self._guarded):
                continue
            if stream is self._stream or stream.isatty():
                attributes = getattr(stream, "__dict__", None)
                if attributes is not None:  # else its class allows no such change
                    attributes["write"] = guarded = self._guarded_write(stream.write)
                    self._guarded.append((stream, guarded))

    def release(self) -> None:
        """Erase the region and leave all streams as they were, at the start of a line."""
        self.start_line()
        for stream, guarded in self._guarded:
            if vars(stream).get("write") is guarded:
                del vars(stream)["write"]
        self._guarded.clear()

    def _guarded_write(self, original: Callable[[str], int]) -> Callable[[str], int]:
        def write(text: str) -> int:
            if os.getpid() != self._pid:
                return original(text)
            with self._lock:
                if self._drawing:
                    return original(text)
                self._erase()
                written = original(text)
                if text:
                    self._at_line_start = text.endswith("\n")
                if self._lines and self._at_line_start:
                    self._restore()
            return written

        return write

    def _restore(self) -> None:
        """Draw again below other output, though not for each line of a burst."""
        now = self._clock()
        if now - self._restored_at >= REDRAW_AFTER:
            self._restored_at = now
            self.draw(self._lines)

    def draw(self, lines: Lines) -> None:
        """Show ``lines`` instead of what is shown."""
        with self._lock:
            self._flush()
            self._end_line()
            text = "\n".join(f"{line}{_CLEAR_TO_END_OF_LINE}" for line, _ in lines)
            self._write(f"{self._to_top()}{text}{_CLEAR_BELOW}")
            self._lines = lines
            self._lengths = [length for _, length in lines]

    def hide(self) -> None:
        """Erase the region until it is drawn again."""
        with self._lock:
            self._lines = ()
            self._erase()

    def start_line(self) -> None:
        """Hide, and end the line that other output may have left unfinished."""
        with self._lock:
            self.hide()
            self._flush()
            self._end_line()

    def _erase(self) -> None:
        if self._lengths:
            self._write(f"{self._to_top()}{_CLEAR_BELOW}")
            self._lengths = []

    def _flush(self) -> None:
        for stream, _ in self._guarded:
            stream.flush()

    def _end_line(self) -> None:
        if not self._at_line_start:
            self._write("\n")
            self._at_line_start = True

    def _write(self, text: str) -> None:
        self._drawing = True
        try:
            write_text(self._stream, text)
            self._stream.flush()
        finally:
            self._drawing = False

    def _to_top(self) -> str:
        """Return what moves the cursor to where the region begins.

        A terminal that was made narrower has wrapped the lines.
        """
        width = max(1, self._width())
        rows = sum(max(1, -(-length // width)) for length in self._lengths)
        return f"\r\x1b[{rows - 1}A" if rows > 1 else "\r"
