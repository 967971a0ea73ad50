"""What runs remember for later ones: how long each test took, and its last verdict.

It is a small SQLite file in the state folder (``STATE``), with a row for each class, so that
runs which end at the same time add to each other's.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ..events import Event, Outcome, RunFinished, TestFinished, TestInfo
from ..exceptions import UsageError

FILE_NAME = "history.sqlite3"
_FORMAT = 1
_compact = json.JSONEncoder(separators=(",", ":")).encode
_WAIT = 10.0  # seconds, for another run that is writing
_FORGET_AFTER = 90 * 86_400  # seconds, of classes that no run has seen

Entry = tuple[float, str]  # seconds, verdict


class _Unreadable(Exception):
    """The file is no history, or one of another format."""


@dataclass(frozen=True)
class Recording:
    """``durations``: test id -> seconds; ``verdicts``: test id -> its last outcome's value."""

    durations: Mapping[str, float] = field(default_factory=dict)
    verdicts: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.verdicts)

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits that tell one recording from another."""
        content = json.dumps(sorted(self.durations.items())).encode()
        return hashlib.blake2b(content, digest_size=4).hexdigest()


def read_recording(path: Path) -> Recording:
    """Return what another run has stored in ``path``: a history file, or the folder it is in.

    Raises UsageError if there is none, or if it cannot be read.
    """
    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"--durations-from: there is no recording at {str(file)!r}.")
    try:
        return _read(file)
    except _Unreadable as error:
        raise UsageError(f"--durations-from: {str(file)!r} is no recording: {error}.") from None


class History:
    """The history of one state folder; subscribe ``handle_event`` to a run that adds to it.

    What cannot be read or written is said in a line on standard error; the run goes on.
    """

    WANTED: ClassVar[tuple[type[Event], ...]] = (TestFinished, RunFinished)

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()  # a test may change the current directory
        self._shown = folder
        self._found: list[tuple[TestInfo, float, Outcome]] = []

    def read(self) -> Recording:
        """Return what earlier runs have left; nothing where there was none."""
        path = self._folder / FILE_NAME
        if not path.exists():
            return Recording()
        import sqlite3  # takes long to import

        try:
            return _read(path)
        except _Unreadable as error:
            self._say(f"cannot be read and is begun anew ({error})")
        except sqlite3.OperationalError as error:
            self._say(f"cannot be read ({error})")
        return Recording()

    def handle_event(self, event: Event) -> None:
        """Note a verdict; when the run has finished, store all."""
        if isinstance(event, TestFinished):
            self._found.append((event.test, event.duration, event.outcome))
        elif isinstance(event, RunFinished) and self._found:
            self._store()

    def _store(self) -> None:
        import sqlite3  # takes long to import

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            ignore = self._folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            try:
                self._merge()
            except _Unreadable:
                (self._folder / FILE_NAME).unlink(missing_ok=True)
                self._merge()
        except (OSError, sqlite3.Error) as error:
            self._say(f"cannot be written ({error})")

    def _merge(self) -> None:
        now = time.time()
        with _opened(self._folder / FILE_NAME) as connection:
            connection.execute("BEGIN IMMEDIATE")
            known = dict(connection.execute("SELECT name, tests FROM class"))
            rows = []
            for name, found in self._by_class().items():
                tests = json.loads(known[name]) if name in known else {}
                tests.update(_merged(tests, found))
                rows.append((name, _compact(tests), now))
            connection.executemany("INSERT OR REPLACE INTO class VALUES (?, ?, ?)", rows)
            connection.execute("DELETE FROM class WHERE seen < ?", [now - _FORGET_AFTER])
            connection.execute("COMMIT")

    def _by_class(self) -> dict[str, dict[str, Entry]]:
        found: dict[str, dict[str, Entry]] = defaultdict(dict)
        for test, seconds, outcome in self._found:
            name = test.class_name
            found[name][_short(test.id, name)] = (seconds, outcome.value)
        return found

    def _say(self, what: str) -> None:
        sys.stderr.write(f"The history of test runs in {str(self._shown)!r} {what}.\n")


def _merged(known: Mapping[str, Entry], found: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of the tests ``found``, with what is ``known`` from earlier runs."""
    for test, (seconds, verdict) in found.items():
        before = known.get(test)
        if verdict == Outcome.NOT_RUN.value:
            seconds = before[0] if before else 0.0
        elif before and before[0]:
            seconds = (seconds + before[0]) / 2  # evens out chance
        yield test, (round(seconds, 6), verdict)


def _short(test_id: str, class_name: str) -> str:
    """Return the id as it is stored beside its class, which it usually begins with."""
    return test_id.removeprefix(class_name) if test_id.startswith(f"{class_name}.") else test_id


def _read(path: Path) -> Recording:
    durations: dict[str, float] = {}
    verdicts: dict[str, str] = {}
    with _opened(path) as connection:
        for name, tests in connection.execute("SELECT name, tests FROM class"):
            for test, (seconds, verdict) in json.loads(tests).items():
                test_id = f"{name}{test}" if test.startswith(".") else test
                verdicts[test_id] = verdict
                if seconds:
                    durations[test_id] = seconds
    return Recording(durations, verdicts)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A connection to the file, which is made if it is not there. Raises _Unreadable."""
    import sqlite3  # takes long to import

    with closing(sqlite3.connect(path, timeout=_WAIT, isolation_level=None)) as connection:
        try:
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found == 0:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS class"
                    "(name TEXT PRIMARY KEY, tests TEXT NOT NULL, seen REAL NOT NULL)"
                )
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
            elif found != _FORMAT:
                raise _Unreadable(f"its format is {found}, not {_FORMAT}")
            yield connection
        except sqlite3.OperationalError:  # locked, or on a full disk
            raise
        except (sqlite3.DatabaseError, ValueError, AttributeError, TypeError) as error:
            raise _Unreadable(str(error)) from error
