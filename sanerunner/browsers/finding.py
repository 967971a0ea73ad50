"""The programs of browsers on this machine, and their versions."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..exceptions import BrowserUnavailable
from ..options.browsers import BROWSERS_KNOWN, BrowserChoice

PROGRAMS: Mapping[str, Sequence[str]] = {
    "chrome": ("google-chrome", "google-chrome-stable", "chrome"),
    "chromium": ("chromium", "chromium-browser"),
    "firefox": ("firefox", "firefox-esr"),
}
DRIVERS = {"chrome": "chromedriver", "chromium": "chromedriver", "firefox": "geckodriver"}
_PLACES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "darwin": {
        "chrome": ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",),
        "chromium": ("/Applications/Chromium.app/Contents/MacOS/Chromium",),
        "firefox": ("/Applications/Firefox.app/Contents/MacOS/firefox",),
    },
    "win32": {
        "chrome": (r"C:\Program Files\Google\Chrome\Application\chrome.exe",),
        "firefox": (r"C:\Program Files\Mozilla Firefox\firefox.exe",),
    },
}
_VERSION_TIMEOUT = 10  # seconds


def find_browser(
    choice: BrowserChoice | None, *, of: Sequence[str] = BROWSERS_KNOWN
) -> BrowserChoice:
    """Return the browser to start, with the path of its program.

    Without a choice it is the first of the names ``of`` that is installed. Raises
    BrowserUnavailable.
    """
    if choice is not None and choice.path:
        if not Path(choice.path).is_file():
            raise BrowserUnavailable(f"The browser {choice.path!r} is not there: see BROWSER.")
        return choice
    names = of if choice is None else (choice.name,)
    for name in names:
        for program in (*PROGRAMS[name], *_PLACES.get(sys.platform, {}).get(name, ())):
            if path := shutil.which(program):
                return BrowserChoice(name, path)
    what = " or ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} or {names[-1]}"
    raise BrowserUnavailable(
        f"No browser was found ({what}): install one, or name its program with --browser."
    )


def find_driver(name: str) -> str | None:
    """Return the path of the driver of a browser that is on PATH; None if there is none."""
    return shutil.which(DRIVERS[name])


def version_of(program: str) -> str:
    """Return the version that a program tells ("120.0.6099.224"), or "of unknown version"."""
    try:
        told = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_VERSION_TIMEOUT,
            check=False,
        ).stdout.decode(errors="replace")
    except (OSError, subprocess.SubprocessError):
        told = ""
    found = re.search(r"\d+(\.\d+)+", told)
    return found[0] if found else "of unknown version"
