"""What the benchmarks share: generated projects, interleaved runs, a table of medians."""

from __future__ import annotations

import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

SETTINGS = """
SECRET_KEY = "benchmark"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "app"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "real.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""

ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "PATH": "/usr/bin:/bin",
    "PYTHONHASHSEED": "0",
    "DJANGO_SETTINGS_MODULE": "settings",
}

STOCK = "--testrunner=django.test.runner.DiscoverRunner"
SANE = "--testrunner=sanerunner.SaneRunner"


@contextmanager
def project(files: Mapping[str, str]) -> Iterator[Path]:
    """A project in a temporary folder, with the sources ``files`` by path."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        sources = {"manage.py": MANAGE, "settings.py": SETTINGS, "app/__init__.py": "", **files}
        for path, source in sources.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(textwrap.dedent(source))
        yield folder


def manage(folder: Path, *arguments: str) -> Callable[[], float]:
    """Return a function that runs ``manage.py`` with ``arguments``: -> seconds of wall time."""
    return python(folder, "manage.py", *arguments)


def cpu_time(run: Callable[[], float]) -> Callable[[], tuple[float, float]]:
    """Return a function: -> seconds of wall and of CPU time, user and system, of the processes
    that ``run()`` starts and of those that they start.
    """

    def both() -> tuple[float, float]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall = run()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        return wall, user + system

    return both


def shows(folder: Path, text: str, *arguments: str) -> Callable[[], float]:
    """Return a function that runs ``manage.py``: -> seconds until ``text`` is in its output.

    It waits for the end, whatever the exit status.
    """

    def run() -> float:
        started, seconds, seen = time.perf_counter(), None, b""
        with subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        ) as process:
            assert process.stdout is not None
            while chunk := process.stdout.read(10_000):
                seen += chunk
                if seconds is None and text.encode() in seen:
                    seconds = time.perf_counter() - started
        if seconds is None:
            raise SystemExit(f"{arguments} did not show {text!r}:\n{seen.decode()}")
        return seconds

    return run


def python(folder: Path, *arguments: str, fails: bool = False) -> Callable[[], float]:
    """As ``manage()``, for any arguments of the interpreter; ``fails``: exit status 1 is right."""

    def run() -> float:
        started = time.perf_counter()
        completed = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
        )
        if completed.returncode != fails:
            raise SystemExit(f"{arguments} failed:\n{completed.stdout}\n{completed.stderr}")
        return time.perf_counter() - started

    return run


def compare(
    sides: Mapping[str, Callable[[], float]], rounds: int, *, warm: bool = True
) -> dict[str, float]:
    """Run all sides in turn, ``rounds`` times: side -> median of seconds.

    With ``warm`` there is one round more, before the others, which does not count.
    """
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + warm):
        for name, run in sides.items():
            seconds = run()
            if number >= warm:
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}


def table(title: str, medians: Mapping[str, float], against: str, unit: str = "s") -> str:
    """Return a Markdown table of medians and their ratios to the side ``against``."""
    rows = [f"| {title} | median, {unit} | ratio |", "|---|---|---|"]
    for name, seconds in medians.items():
        value = seconds * 1000 if unit == "ms" else seconds
        rows.append(f"| {name} | {value:.2f} | {seconds / medians[against]:.2f} |")
    return "\n".join(rows)


def machine(versions: Sequence[str] = ()) -> str:
    """Return one line on where the figures come from."""
    import django

    known = [f"Python {platform.python_version()}", f"Django {django.__version__}", *versions]
    return f"{platform.system()} {platform.machine()}, {', '.join(known)}"
