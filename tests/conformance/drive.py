"""Runs one side: Django's ``tests/runtests.py`` in a process of its own, with our settings."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from recording import Record, read_record

HERE = Path(__file__).resolve().parent

RUNNERS = {"stock": "stock_side.StockRunner", "sane": "sanerunner.SaneRunner"}

SETTINGS = """\
from test_sqlite import *

TEST_RUNNER = {runner!r}
CONFORMANCE_RECORD = {record!r}
CONFORMANCE_ORDER = {order!r}
"""

SANE_SETTINGS = """\
import os

SANERUNNER = {
    "KEEP_GOING": True,  # Django's runner has no stages that could stop the later ones
    "PLUGINS": ["sane_side.RecordingPlugin"],
    "RESTORE": os.environ.get("CONFORMANCE_RESTORE", "rewind"),
    "VERIFY_REWIND": bool(os.environ.get("CONFORMANCE_VERIFY")),
    "PROGRESS": "plain",
}
"""

# engine, prefix of the variables that the library's own tests use, port, user
SERVERS = {
    "postgresql": ("django.db.backends.postgresql", "POSTGRES", "5432", "postgres"),
    "mariadb": ("django.db.backends.mysql", "MARIADB", "3306", "root"),
}


def database_settings(database: str, side: str) -> str:
    """The DATABASES setting of one side; each side has test databases of its own.

    POSTGRES_HOST, _PORT, _USER and _PASSWORD (MARIADB_…) say where the server is, and
    CONFORMANCE_DB_NAME how the databases' names begin.
    """
    if database == "sqlite":
        return ""
    engine, prefix, port, user = SERVERS[database]
    name = os.environ.get("CONFORMANCE_DB_NAME", "conformance")
    common = {
        "ENGINE": engine,
        "HOST": os.environ.get(f"{prefix}_HOST", "127.0.0.1"),
        "PORT": os.environ.get(f"{prefix}_PORT", port),
        "USER": os.environ.get(f"{prefix}_USER", user),
        "PASSWORD": os.environ.get(f"{prefix}_PASSWORD", ""),
    }
    databases = {
        "default": {**common, "NAME": f"{name}_{side}"},
        "other": {**common, "NAME": f"{name}_{side}_other"},
    }
    return f"DATABASES = {databases!r}\n"


@dataclass
class Side:
    """One run of a set of labels under one runner."""

    name: str  # of its databases, files and tree: the two sides of a comparison never share any
    runner: str  # "stock" or "sane"
    tests: Path
    folder: Path
    labels: list[str]
    database: str = "sqlite"
    options: list[str] = field(default_factory=list)  # of runtests.py
    order: Path | None = None  # a record in whose order the stock runner shall run the tests
    seconds: float = 0.0
    returncode: int | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def record_path(self) -> Path:
        return self.folder / f"{self.name}.jsonl"

    @cached_property
    def record(self) -> Record:
        """What the side wrote; to be read once it has ended."""
        return read_record(self.record_path)

    def start(self) -> None:
        self._write_settings()
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(self._python_path()),
            "PYTHONHASHSEED": "0",
        }
        command = [
            sys.executable,
            "runtests.py",
            f"--settings=conformance_settings_{self.name}",
            "--noinput",
            *self.options,
            *self.labels,
        ]
        with self.log.open("wb") as log:
            self._started = time.monotonic()
            self._process = subprocess.Popen(
                command,
                cwd=self.tests,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def poll(self) -> bool:
        """Whether the side has ended."""
        assert self._process is not None
        if self.returncode is None and self._process.poll() is not None:
            self.returncode = self._process.returncode
            self.seconds = time.monotonic() - self._started
        return self.returncode is not None

    def kill(self) -> None:
        """End the side with all its workers; does nothing once it has ended."""
        if self._process is not None and not self.poll():
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self.poll()

    def tail(self, lines: int = 15) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def _write_settings(self) -> None:
        text = SETTINGS.format(
            runner=RUNNERS[self.runner],
            record=str(self.record_path),
            order=str(self.order or ""),
        )
        text += database_settings(self.database, self.name)
        if self.runner == "sane":
            text += SANE_SETTINGS
        path = self.folder / f"conformance_settings_{self.name}.py"
        path.write_text(text, encoding="utf-8")
        self.record_path.unlink(missing_ok=True)

    def _python_path(self) -> list[str]:
        paths = [str(self.folder), str(HERE)]
        if importlib.util.find_spec("sanerunner") is None:  # not installed: use the checkout
            paths.append(str(HERE.parents[1]))
        given = os.environ.get("PYTHONPATH")
        return [*paths, given] if given else paths


def run_sides(sides: list[Side], *, together: bool, timeout: float) -> None:
    """Run all sides, at the same time or one after the other, and wait for them.

    A side that takes longer than ``timeout`` seconds is killed; its record is incomplete then.
    """
    groups = [sides] if together else [[side] for side in sides]
    try:
        for group in groups:
            deadline = time.monotonic() + timeout
            for side in group:
                side.start()
            running = list(group)
            while running and time.monotonic() < deadline:
                time.sleep(0.1)
                running = [side for side in running if not side.poll()]
            for side in group:
                side.kill()
    finally:
        for side in sides:
            side.kill()
