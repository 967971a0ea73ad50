"""Starting a browser for Selenium; what keeps it from starting, in one line."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from ..exceptions import BrowserUnavailable
from ..options.browsers import BrowserChoice
from . import processes
from .base import WINDOW, BrowserOptions
from .finding import DRIVERS, find_browser, find_driver, version_of

__unittest = True  # unittest leaves the frames of this module out of tracebacks

GRID_TIMEOUT = 10.0  # seconds, for the answer of a Grid that is asked how it is
_GRID_NAMES = {"chromium": "chrome"}

#: What Chromium needs to be told to be a quiet, quick browser for tests.
CHROMIUM_ARGUMENTS = (
    f"--window-size={WINDOW[0]},{WINDOW[1]}",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
)


def start(options: BrowserOptions) -> Any:
    """Return a new WebDriver. Raises BrowserUnavailable, with what to change."""
    try:
        import selenium  # noqa: F401
    except ModuleNotFoundError as error:
        raise BrowserUnavailable(
            "selenium is not installed: pip install 'sanerunner[selenium]'"
        ) from error
    return _start_remote(options) if options.grid else _start_local(options)


def chromium_arguments(*, headed: bool) -> list[str]:
    """Return the arguments for Chrome or Chromium on this machine."""
    arguments = list(CHROMIUM_ARGUMENTS)
    if not headed:
        arguments += ["--headless=new", "--disable-gpu", "--mute-audio"]
    if sys.platform == "linux":
        arguments.append("--disable-dev-shm-usage")  # which is small in containers
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # it refuses to start as root otherwise
    return arguments


def _start_local(options: BrowserOptions) -> Any:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service as ChromeService
    from selenium.webdriver.firefox.service import Service as FirefoxService

    choice = find_browser(options.choice)
    driver_path = find_driver(choice.name)
    processes.end_orphans()
    service_class: Any = FirefoxService if choice.name == "firefox" else ChromeService
    driver_class: Any = webdriver.Firefox if choice.name == "firefox" else webdriver.Chrome
    files = processes.DriverFiles()
    service = _noting(service_class)(
        driver_path, env=files.environment, popen_kw=dict(processes.OWN_GROUP)
    )
    service.files = files
    try:
        driver = driver_class(options=_options_for(choice, options), service=service)
    except BaseException as error:
        end_service(service)
        if not isinstance(error, Exception):
            raise
        raise BrowserUnavailable(_why_not(error, choice, driver_path)) from error
    return driver


def _noting(service_class: Any) -> Any:
    """Return a class of services that are known to be this process's as soon as they run."""

    class Noting(service_class):  # type: ignore[misc]
        files: processes.DriverFiles

        def start(self) -> None:
            super().start()
            self.files.note(self.process.pid)

    return Noting


def end_service(service: Any) -> None:
    """Kill the driver of a service that ``start()`` has made, with its browser."""
    if (process := getattr(service, "process", None)) is not None:
        processes.end(process)
    service.files.remove()


def _options_for(choice: BrowserChoice, options: BrowserOptions) -> Any:
    from selenium import webdriver

    made: Any
    if choice.name == "firefox":
        made = webdriver.FirefoxOptions()
        made.enable_bidi = True  # for clean contexts
        if not options.headed:
            made.add_argument("-headless")
        made.add_argument(f"--width={WINDOW[0]}")
        made.add_argument(f"--height={WINDOW[1]}")
    else:
        made = webdriver.ChromeOptions()
        for argument in chromium_arguments(headed=options.headed):
            made.add_argument(argument)
        made.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if choice.path:
        made.binary_location = choice.path
    return made


def _why_not(error: Exception, choice: BrowserChoice, driver_path: str | None) -> str:
    if driver_path is None:
        return (
            f"{DRIVERS[choice.name]} is not on PATH, and Selenium could not get one for "
            f"{choice.path}: {first_line(error)}"
        )
    browser, driver = version_of(choice.path), version_of(driver_path)
    names = f"{driver_path} {driver} and {choice.path} {browser}"
    if choice.name != "firefox" and browser.partition(".")[0] != driver.partition(".")[0]:
        return f"Driver and browser do not match: {names}. Install the same version of both."
    return f"{choice.name} does not start ({names}): {first_line(error)}"


# Grids


def _start_remote(options: BrowserOptions) -> Any:
    from selenium import webdriver

    assert options.grid is not None
    versions = _ask(options.grid)
    name = options.choice.name if options.choice else "chrome"
    made = _options_for(BrowserChoice(name), options)
    made.set_capability("browserName", _GRID_NAMES.get(name, name))
    made.enable_bidi = True  # for clean contexts, where the Grid passes on nothing better
    try:
        return webdriver.Remote(options.grid, options=made)
    except Exception as error:
        raise BrowserUnavailable(
            f"The Selenium Grid at {options.grid} ({versions}) gives no {name}: "
            f"{first_line(error)}"
        ) from error


def _ask(grid: str) -> str:
    """Return the versions of a Grid and of Selenium. Raises BrowserUnavailable."""
    import selenium

    advice = "see GRID, or SELENIUM_HOST and SELENIUM_PORT"
    ours = f"Selenium here is {selenium.__version__}"
    try:
        with urllib.request.urlopen(f"{grid}/status", timeout=GRID_TIMEOUT) as response:
            answer = response.read(1_000_000)
    except urllib.error.HTTPError as error:
        error.close()
        raise BrowserUnavailable(
            f"{grid}/status answers {error.code} {error.reason}: this is no Selenium Grid "
            f"of version 4, {advice}; {ours}."
        ) from error
    except Exception as error:  # http.client has errors of many kinds for garbage
        reason = getattr(error, "reason", None) or error
        raise BrowserUnavailable(
            f"No Selenium Grid answers at {grid}: {first_line(reason)}; {advice}."
        ) from error
    try:
        status = json.loads(answer)["value"]
        ready = status["ready"]
    except (ValueError, KeyError, TypeError) as error:
        shown = repr(answer[:60].decode(errors="replace"))
        raise BrowserUnavailable(
            f"{grid}/status answers {shown}: this is no Selenium Grid of version 4, {advice}; "
            f"{ours}."
        ) from error
    theirs = _grid_version(status)
    if not ready and "nodes" in status:  # a lone driver is not ready while it has a session
        told = status.get("message", "it is not ready")
        raise BrowserUnavailable(f"The Selenium Grid at {grid} ({theirs}): {told}")
    return f"{theirs}; {ours}"


def _grid_version(status: Mapping[str, Any]) -> str:
    nodes = status.get("nodes") or [{}]
    build = status.get("build") or {}
    version = nodes[0].get("version") or build.get("version") or "unknown"
    return f"version {str(version).split(' ')[0]}"


# Errors


def told_by(value: Any) -> str:
    """Return what a driver's error says."""
    if isinstance(value, Mapping):
        return f"{value.get('error', '')}: {value.get('message', '')}".strip(": ")
    return str(value)


def first_line(error: object) -> str:
    """Return the first line of an error's message; its type where it has none."""
    message = getattr(error, "msg", None) or str(error)
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text.removeprefix("Message: ").rstrip(".") if len(text) < 300 else f"{text[:297]}..."
