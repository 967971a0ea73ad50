"""Django's source distribution and what its tests need, from the package index."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import django

# These need a server or a daemon, or are only used by tests of such a thing.
SERVICES = frozenset({"pylibmc", "pymemcache", "pywatchman", "redis", "selenium", "geoip2"})

DRIVERS = {
    "sqlite": [],
    "postgresql": ["psycopg[binary]>=3.1.12"],
    "mariadb": ["mysqlclient>=2.2.1"],
}


class PreparationError(Exception):
    """The tests cannot be had; the message says why."""


def download(cache: Path) -> Path:
    """Return the source distribution of the installed Django, fetched once into ``cache``."""
    version = django.__version__
    folder = cache / "sdist"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PreparationError(f"The cache cannot be made: {error}") from error
    found = _archive(folder, version)
    if found is None:
        print(f"Downloading the source distribution of Django {version} …", flush=True)
        _pip(
            "download",
            "--no-deps",
            "--no-binary=:all:",
            f"--dest={folder}",
            f"Django=={version}",
        )
        found = _archive(folder, version)
    if found is None:
        raise PreparationError(f"pip left no Django-{version}.tar.gz in {folder}.")
    return found


def _archive(folder: Path, version: str) -> Path | None:
    names = (f"django-{version}.tar.gz", f"Django-{version}.tar.gz")
    return next((folder / name for name in names if (folder / name).exists()), None)


def unpack(archive: Path, target: Path) -> Path:
    """Unpack ``archive`` into the folder ``target``, once; return its ``tests`` folder."""
    done = target / ".unpacked"
    if not done.exists():
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(target, filter="data")
            else:  # the first releases of Python 3.10 and 3.11
                tar.extractall(target, members=[_checked(member) for member in tar])
        done.touch()
    found = list(target.glob("*/tests/runtests.py"))
    if len(found) != 1:
        raise PreparationError(f"{archive.name} holds no tests/runtests.py.")
    return found[0].parent


def _checked(member: tarfile.TarInfo) -> tarfile.TarInfo:
    path = Path(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise PreparationError(f"The archive holds {member.name!r}, which is not safe to unpack.")
    return member


def install_requirements(tests: Path, database: str) -> None:
    """Install what Django's tests use into this environment, as far as it can be had.

    Tests whose requirement is missing are skipped on both sides alike.
    """
    lines = (tests / "requirements" / "py3.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if _is_wanted(line)] + DRIVERS[database]
    try:
        _pip("install", "--quiet", *wanted)
        return
    except PreparationError:
        print("Not everything can be had together; installing one by one.", flush=True)
    for requirement in wanted:
        try:
            _pip("install", "--quiet", requirement)
        except PreparationError as error:
            print(f"Going on without {requirement}: {error}", flush=True)


def _is_wanted(line: str) -> bool:
    name = line.partition(";")[0].split(" ")[0].strip()
    return bool(name) and not name.startswith("#") and name.lower() not in SERVICES


def _pip(command: str, *arguments: str) -> None:
    line = [sys.executable, "-m", "pip", command, "--disable-pip-version-check", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [text for text in done.stderr.splitlines() if text.startswith("ERROR")]
        reason = errors[-1] if errors else f"exit status {done.returncode}"
        raise PreparationError(f"pip {command} failed: {reason}")
