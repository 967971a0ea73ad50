"""Waits for changes of the code, by Django's own reloader."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.apps import apps
from django.utils import autoreload


class Watcher:
    """Calls ``changed(path)``, once, in a thread, when a file of the project has changed.

    The files are the modules that this process has imported, and what Django's apps watch. With
    ``unseen`` all modules of the project's apps count, also those that were never imported.
    """

    def __init__(self, changed: Callable[[str], object], *, unseen: bool = False) -> None:
        self._changed = changed
        reloader: Any = autoreload.get_reloader()
        self._reloader = reloader
        self._reloader.notify_file_changed = self._notify
        self._has_looked = threading.Event()
        if isinstance(reloader, autoreload.StatReloader):
            self._reloader.snapshot_files = partial(self._look, reloader.snapshot_files)
        else:
            self._has_looked.set()
        if unseen:
            for folder in _app_folders():
                self._reloader.watch_dir(folder, "**/*.py")

    def start(self) -> None:
        """Return when changes are noticed."""
        threading.Thread(
            target=self._run,
            name="code watcher",
            daemon=True,
        ).start()
        self._has_looked.wait()

    def _run(self) -> None:
        try:
            self._reloader.run(threading.main_thread())
        finally:
            self._has_looked.set()

    def stop(self) -> None:
        self._reloader.stop()

    def _look(self, snapshot: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """Yield all files with the times of their changes."""
        yield from snapshot()
        self._has_looked.set()

    def _notify(self, path: Path) -> None:
        """As Django's own method, which would end this thread where the code is to be reloaded:
        a receiver that returns True has done what is needed (translations, templates).
        """
        results = autoreload.file_changed.send(sender=self._reloader, file_path=path)
        if not any(handled for _, handled in results):
            self._reloader.stop()
            self._changed(_shown(path))


def _app_folders() -> list[Path]:
    folders = (Path(config.path) for config in apps.get_app_configs())
    return [folder for folder in folders if "site-packages" not in folder.parts]


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
