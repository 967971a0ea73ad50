"""What a browser must be able to do, whichever library drives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..conf import Config
from ..options.browsers import BrowserChoice

WINDOW = (1280, 800)  # width and height that a test finds, in pixels


class Artifact(NamedTuple):
    """One file that tells of a failed test."""

    name: str
    content: bytes


@dataclass(frozen=True)
class BrowserOptions:
    """What was asked for; ``slowmo`` is in milliseconds."""

    choice: BrowserChoice | None = None
    grid: str | None = None
    headed: bool = False
    slowmo: int = 0
    trace: bool = False

    @classmethod
    def of(cls, config: Config) -> BrowserOptions:
        return cls(config.browser, config.grid, config.headed, config.slowmo, config.trace)


class Browser(Protocol):
    """The browser of one process. It is started by the first ``open()`` and used by one test
    after the other.
    """

    def open(self, url_root: str | None) -> Mapping[str, Any]:
        """Give a test a clean context; return the attributes that it gets.

        ``url_root`` is what relative URLs are relative to, where the library has these. Raises
        BrowserUnavailable if no browser can be started. One that has died is replaced.
        """

    def capture(self) -> Iterator[Artifact]:
        """What the test sees now: screenshot, page, console. Never waits for more than some
        seconds; what cannot be had is told in the artifact "incomplete.txt".
        """

    def set_cookie(self, name: str, value: str, url: str, *, secure: bool = False) -> None:
        """Put a cookie that scripts cannot read into the test's context, for ``url``'s site."""

    def close(self) -> None:
        """End the test's context with all that is in it. A browser that does not do so in time is
        killed, and the next test gets another.
        """

    def stop(self) -> None:
        """End the browser. It may be opened again."""
