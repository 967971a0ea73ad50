"""Options: browsers, and what is kept of a test that failed in one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ..exceptions import unknown
from ..parsing import parse_count, parse_flag, parse_path, parse_url_root
from .option import Option

BROWSERS_KNOWN = ("chrome", "chromium", "firefox")
GRID_PORT = 4444

# The browser strings of Selenium 1; its "*chrome" was Firefox, with the rights of its interface.
_SELENIUM_1 = {
    "*firefox": "firefox",
    "*firefoxproxy": "firefox",
    "*pifirefox": "firefox",
    "*chrome": "firefox",
    "*googlechrome": "chrome",
    "*googlechromeproxy": "chrome",
}


class BrowserChoice(NamedTuple):
    """Which browser to start: ``name`` is one of ``BROWSERS_KNOWN``, ``path`` its program, ""
    for the one that is installed.
    """

    name: str
    path: str = ""


def parse_browser(value: object) -> BrowserChoice | None:
    """A browser from "firefox", "chromium /opt/chromium/chrome" or Selenium 1's "*firefox"."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be the name of a browser, not {value!r}")
    name, _, path = value.strip().partition(" ")
    name = _SELENIUM_1.get(name.lower(), name.lower())
    if name not in BROWSERS_KNOWN:
        raise ValueError(unknown("browser", value, BROWSERS_KNOWN))
    return BrowserChoice(name, path.strip())


def parse_grid(value: object) -> str | None:
    """The URL of a Selenium Grid, from a URL or from "host:port"."""
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else ""
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname:
            port = "" if parts.port or parts.scheme == "https" else f":{GRID_PORT}"
            return f"{parts.scheme}://{parts.netloc}{port}{parts.path.rstrip('/')}"
    except ValueError:  # a port that is no number
        pass
    raise ValueError(f"must be a URL or host:port, not {value!r}")


def parse_force(value: object) -> bool | str:
    """True, False, or "ci": True where the environment has CI."""
    if isinstance(value, bool) or value == "ci":
        return value
    raise ValueError(f"must be True, False or 'ci', not {value!r}")


BROWSERS: tuple[Option, ...] = (
    Option(
        key="BROWSER",
        flags=("--browser",),
        parse=parse_browser,
        default=None,
        arguments={"metavar": "BROWSER"},
        help=f"The browser of browser tests: {', '.join(BROWSERS_KNOWN)}, with the path of its "
        "program after a space; the first that is installed by default.",
    ),
    Option(
        key="GRID",
        flags=("--grid",),
        parse=parse_grid,
        default=None,
        arguments={"metavar": "URL"},
        help="Selenium's browsers are those of the Grid at this URL, not this machine's.",
    ),
    Option(
        key="BROWSER_URL_ROOT",
        parse=parse_url_root,
        default="",
        help="The live server's URL as browsers see it, if it is another than URL_ROOT.",
    ),
    Option(
        key="FORCE_BROWSERS",
        flags=("--force-browsers",),
        parse=parse_force,
        default=False,
        arguments={"action": "store_const", "const": True},
        help="A browser that cannot be had is an error, and no reason to skip a test; 'ci' in "
        "the setting: where the environment has CI.",
    ),
    Option(
        key="HEADED",
        flags=("--headed",),
        parse=parse_flag,
        default=False,
        help="Show the browser's window.",
    ),
    Option(
        key="SLOWMO",
        flags=("--slowmo",),
        parse=parse_count,
        default=0,
        arguments={"metavar": "MS"},
        help="Let the browser wait this many milliseconds before each thing that it does.",
    ),
    Option(
        key="ARTIFACTS",
        flags=("--artifacts",),
        parse=parse_path,
        default=Path("artifacts"),
        arguments={"metavar": "FOLDER"},
        help="Where screenshots, pages and logs of failed browser tests are saved ('artifacts' "
        "by default); None in the setting turns it off.",
    ),
    Option(
        key="TRACE",
        flags=("--trace",),
        parse=parse_flag,
        default=False,
        help="Record what Playwright does, and save the trace of failed tests.",
    ),
)
