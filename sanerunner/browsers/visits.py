"""A test's time in the browser: a clean context when it begins, artifacts when it fails."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ..attachments import attach
from ..exceptions import BrowserUnavailable
from .artifacts import ArtifactFolder
from .base import Artifact, Browser
from .process import ProcessBrowsers

__unittest = True  # unittest leaves the frames of this module out of tracebacks

_VISIT = "_sane_visit"  # the attribute of a test that has one
_STEPS = ("_callTestMethod", "_callTearDown")  # after which a test may have failed


class Visit:
    """Gives ``test`` browsers of ``sorts`` from its ``setUp()`` to its last clean-up.

    ``force``: a browser that cannot be had is an error, and no reason to skip. ``artifacts`` is
    where to save what a failed test saw, None for nowhere; ``more`` are further artifacts, and
    ``troubled`` tells whether a test that has not failed so far will, for what the server says.
    """

    def __init__(
        self,
        test: unittest.TestCase,
        sorts: Sequence[str],
        browsers: ProcessBrowsers,
        *,
        force: bool = False,
        url_root: str | None = None,
        artifacts: ArtifactFolder | None = None,
        more: Callable[[], Iterable[Artifact]] = tuple,
        troubled: Callable[[], bool] = bool,
    ) -> None:
        self.test = test
        self._sorts = sorts
        self._browsers = browsers
        self._force = force
        self._url_root = url_root
        self._artifacts = artifacts
        self._more = more
        self._troubled = troubled
        self._open: list[Browser] = []
        self._given: list[str] = []
        self._saved = False

    def expect(self) -> None:
        """Begin with the test's ``setUp()``, when it is about to run."""
        test: Any = self.test
        vars(test)[_VISIT] = self
        set_up = self._watched(test._callSetUp)

        def call_set_up() -> None:
            self.begin()
            set_up()

        test._callSetUp = call_set_up
        for name in _STEPS:
            setattr(test, name, self._watched(getattr(test, name)))

    def begin(self) -> None:
        """Raises SkipTest, or BrowserUnavailable."""
        self.test.addCleanup(self.end)  # the first clean-up is the last to run
        root = self._url_root or getattr(self.test, "live_server_url", None)
        for sort in self._sorts:
            try:
                browser, attributes = self._browsers.open(sort, root)
            except BrowserUnavailable as error:
                if self._force:
                    raise
                raise unittest.SkipTest(str(error)) from None
            self._open.append(browser)
            self._given += attributes
            vars(self.test).update(attributes)

    def end(self) -> None:
        """End the contexts; pages send nothing after this."""
        if self._open and self._troubled():
            self.save()
        while self._open:
            self._open.pop().close()
        while self._given:
            vars(self.test).pop(self._given.pop(), None)

    def save(self) -> None:
        """Save what the test sees now, once; list the files with its verdict."""
        if self._saved or self._artifacts is None or not self._open:
            return
        self._saved = True
        try:
            for path in self._artifacts.save(self.test.id(), self._captured()):
                attach(self.test, path)
        except OSError as error:
            raise ArtifactError(f"What {self.test.id()} saw cannot be saved: {error}") from error

    def set_cookie(self, name: str, value: str, *, secure: bool = False) -> None:
        """Put a cookie into all of the test's contexts, for the live server; ``secure`` counts
        where that is reached by HTTPS.
        """
        root = self._url_root or self.test.live_server_url  # type: ignore[attr-defined]
        secure = secure and root.startswith("https:")
        for browser in self._open:
            browser.set_cookie(name, value, root, secure=secure)

    def _captured(self) -> Iterable[Artifact]:
        for number, browser in enumerate(self._open):
            for artifact in browser.capture():
                name = artifact.name if number == 0 else f"{self._sorts[number]}-{artifact.name}"
                yield artifact._replace(name=name)
        yield from self._more()

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``call`` as one that saves artifacts where it fails, as the failure left it."""

        def watched(*args: Any) -> Any:
            try:
                answer = call(*args)
            except (unittest.SkipTest, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._save_for(error)
                raise
            if not getattr(_outcome_of(self.test), "success", True):  # a subtest has failed
                self._save_for(None)
            return answer

        return watched

    def _save_for(self, error: BaseException | None) -> None:
        if getattr(_outcome_of(self.test), "expecting_failure", False):
            return
        try:
            self.save()
        except ArtifactError as problem:
            if error is None:
                raise
            if hasattr(error, "add_note"):  # Python 3.11
                error.add_note(str(problem))


class ArtifactError(Exception):
    """Artifacts cannot be saved: the folder cannot be written to, the disk is full."""


def visit_of(test: unittest.TestCase) -> Visit | None:
    """Return what is around ``test``; None if it is in no browser."""
    return vars(test).get(_VISIT)


def artifact_folder(path: Path | None) -> ArtifactFolder | None:
    return ArtifactFolder(path) if path is not None else None


def _outcome_of(test: unittest.TestCase) -> Any:
    return getattr(test, "_outcome", None)
