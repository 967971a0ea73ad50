"""What a text stream can show: colours, a live display, and which characters."""

from __future__ import annotations

import os
import shutil
from io import UnsupportedOperation
from typing import TextIO

LIVE_WIDTH, LIVE_HEIGHT = 40, 6  # the smallest terminal for a live display

_STYLES = {"good": "\x1b[32m", "bad": "\x1b[1;31m", "caution": "\x1b[33m"}
_RESET = "\x1b[0m"


def shows_colors(stream: TextIO, wanted: bool | None = None) -> bool:
    """Return whether to colour what is written to ``stream``.

    ``wanted`` decides where it is not None. Otherwise the environment does: NO_COLOR, if not
    empty, forbids colours; FORCE_COLOR, if not empty, asks for them; without either, terminals
    get them.
    """
    if wanted is not None:
        return wanted
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return _understands_escapes(stream)


def can_be_live(stream: TextIO) -> bool:
    """Return whether ``stream`` is a terminal that can redraw lines and has room for some."""
    if not _understands_escapes(stream):
        return False
    width, height = _size(stream)
    return width >= LIVE_WIDTH and height >= LIVE_HEIGHT


def _understands_escapes(stream: TextIO) -> bool:
    if not stream.isatty() or os.environ.get("TERM") in {"dumb", "unknown"}:
        return False
    # Other Windows consoles need a system call first.
    return os.name != "nt" or bool({"WT_SESSION", "ANSICON", "TERM"} & set(os.environ))


def _size(stream: TextIO) -> tuple[int, int]:
    try:
        return os.get_terminal_size(stream.fileno())
    except (OSError, UnsupportedOperation):
        return shutil.get_terminal_size()


def write_text(stream: TextIO, text: str) -> None:
    """Write ``text``, with escapes (``\\xe9``) for what the stream's encoding does not have.

    A traceback may hold anything, and a report must not fail on it.
    """
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


class TextOutput:
    """A stream to write lines to, in colour if it may.

    Styles are "good", "bad" and "caution"; "" is none.
    """

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        self.stream = stream
        self.color = color

    def write(self, text: str, style: str = "") -> None:
        write_text(self.stream, self.paint(text, style))

    def line(self, text: str = "", style: str = "") -> None:
        self.write(text, style)
        self.write("\n")

    def flush(self) -> None:
        self.stream.flush()

    def paint(self, text: str, style: str) -> str:
        if not (self.color and style and text):
            return text
        return f"{_STYLES[style]}{text}{_RESET}"
