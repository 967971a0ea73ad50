"""Browsers: one for each process that runs tests, a clean context for each test."""

from __future__ import annotations

import unittest
from collections.abc import Iterator

from ..browsers import processes
from ..browsers.base import Artifact, BrowserOptions
from ..browsers.process import ProcessBrowsers, load_library
from ..browsers.visits import Visit, artifact_folder
from ..collection.kinds import attribute, class_switches, switched_on
from ..conf import Config
from ..events import Event, Kind, RunFinished, RunStarted, WorkerLost
from ..plugins import Plugin
from ..servers.process import ProcessServer

__unittest = True  # unittest leaves the frames of this module out of tracebacks

#: Attribute of a test -> the sort of browser that it asks for.
SWITCHES = {"selenium_start": "selenium", "playwright_start": "playwright"}


class BrowserBehavior(Plugin):
    """``selenium_start`` and ``playwright_start``.

    A test gets its browser in ``setUp()``, when the live server lets requests through, and gives
    it back in its last clean-up, before the server is shut: no page outlives its test.
    """

    name = "selenium"
    test_attributes = tuple(SWITCHES)

    def __init__(self, config: Config, server: ProcessServer) -> None:
        self._config = config
        self._server = server
        self._browsers = ProcessBrowsers(BrowserOptions.of(config))
        self._artifacts = artifact_folder(config.artifacts)
        self._cares = False  # whether the run has browser tests

    def worker_teardown(self, worker: int) -> None:
        self._browsers.stop()

    def class_setup(self, test_class: type) -> None:
        for name in class_switches(test_class) & SWITCHES.keys():
            load_library(SWITCHES[name])

    def test_setup(self, test: unittest.TestCase) -> None:
        on = switched_on(test)
        sorts = [sort for name, sort in SWITCHES.items() if name in on]
        if sorts:
            Visit(
                test,
                sorts,
                self._browsers,
                force=self._config.force_browsers,
                url_root=self._config.browser_url_root or None,
                artifacts=self._artifacts,
                more=self._requests,
                troubled=lambda: self._has_failed(test),
            ).expect()

    def handle_event(self, event: Event) -> None:
        """In the process that oversees the run: clear up before it, and after dead workers."""
        if isinstance(event, RunStarted):
            self._cares = bool(event.kinds.get(Kind.SELENIUM.value))
            if self._cares and self._artifacts is not None:
                self._artifacts.clear()
        elif self._cares and isinstance(event, (WorkerLost, RunFinished)):
            processes.end_orphans()

    def _has_failed(self, test: unittest.TestCase) -> bool:
        """Whether views have failed, and the test will for them."""
        return bool(self._server.errors()) and attribute(test, "raise_server_errors") is True

    def _requests(self) -> Iterator[Artifact]:
        lines = [
            f"{each.method} {each.url} {each.status or '-'} {each.milliseconds:g} ms\n"
            for each in self._server.requests()
        ]
        lines += [
            f"{each.method} {each.url} still running after {each.seconds:.1f} s\n"
            for each in self._server.running()
        ]
        if lines:
            yield Artifact("requests.txt", "".join(lines).encode(errors="replace"))
