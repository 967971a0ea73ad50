"""Driver processes: started so that they can be ended, also when the one who started them died.

A driver leads a process group of its own, in which the browser is as well, and has a folder of its
own for temporary files, so that nothing is left when all of it is killed. While it runs a file
tells whose it is, so that any later process can end what a killed one has left.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

#: Arguments for Popen: the process leads a group, which no Ctrl-C of the terminal reaches.
OWN_GROUP: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
PATIENCE = 5.0  # seconds, for a process that was killed
_PREFIX = "sanerunner-driver-"


def registry() -> Path | None:
    """Return the folder of the files, which belongs to this user alone; None if there cannot be
    one.
    """
    if os.name != "posix":
        return None
    path = Path(tempfile.gettempdir()) / f"sanerunner-drivers-{os.geteuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        state = path.lstat()
    except OSError:
        return None
    private = state.st_uid == os.geteuid() and not state.st_mode & 0o077
    return path if private and path.is_dir() and not path.is_symlink() else None


class DriverFiles:
    """The temporary files of one driver: ``environment`` leads it to them."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix=_PREFIX)
        self.environment = {**os.environ, "TMPDIR": self.folder}
        self._note: Path | None = None

    def note(self, pid: int) -> None:
        """``pid`` is the driver, which this process has started with OWN_GROUP."""
        place = registry()
        if place is None:
            return
        owner = os.getpid()
        known = {
            "owner": [owner, started(owner)],
            "driver": [pid, started(pid)],
            "folder": self.folder,
        }
        self._note = place / f"{pid}.json"
        self._note.write_text(json.dumps(known), encoding="utf-8")

    def remove(self) -> None:
        """The driver has ended."""
        _remove(self.folder)
        if self._note is not None:
            self._note.unlink(missing_ok=True)


def end_orphans() -> list[int]:
    """End the drivers whose owners are dead, with their browsers; return their ids."""
    place = registry()
    ended = []
    for path in sorted(place.glob("*.json")) if place is not None else ():
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            (owner, owner_since), (driver, since) = known["owner"], known["driver"]
        except FileNotFoundError:  # another process was faster
            continue
        except (ValueError, KeyError, TypeError):  # half written by one that was killed
            path.unlink(missing_ok=True)
            continue
        if started(owner) == owner_since:
            continue
        if started(driver) in ("", since) and _kill_group(driver):
            ended.append(driver)
        _remove(str(known.get("folder", "")))
        path.unlink(missing_ok=True)
    return ended


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a driver that was started with OWN_GROUP, and its browser."""
    try:
        _kill_group(process.pid)
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
    finally:
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _remove(folder: str) -> None:
    """Remove a driver's folder, into which a dying process may still write."""
    if Path(folder).name.startswith(_PREFIX):
        deadline = time.monotonic() + PATIENCE
        while os.path.isdir(folder) and time.monotonic() < deadline:
            shutil.rmtree(folder, ignore_errors=True)


def started(pid: int) -> str:
    """Return what tells a process from a later one with the same id; "" if it does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in ("Z", "X") else fields[18]


def _started_by_ps(pid: int) -> str:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    state, _, since = ran.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else since.strip()


def _kill_group(leader: int) -> bool:
    """Whether there was a group to kill. The leader may have ended before the others."""
    if os.name != "posix":
        return False
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True
