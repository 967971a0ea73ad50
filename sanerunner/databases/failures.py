"""Says in a few lines why a test database could not be made, or put back: which one, what failed,
where.
"""

from __future__ import annotations

import sysconfig
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import django
from django.core.management.base import CommandError
from django.db import Error, connections
from django.db.backends.base.base import NO_DB_ALIAS, BaseDatabaseWrapper
from django.db.migrations.migration import Migration
from django.db.models.signals import post_migrate, pre_migrate
from django.dispatch import Signal

from ..exceptions import DatabaseCreationError, RewindError, RunnerError
from .vendors import name_of, vendor_of

_CANNOT_CREATE = 2  # with which Django ends the process, after it has shown the error
_SIGNALS = {pre_migrate: "pre_migrate", post_migrate: "post_migrate"}
_MACHINERY = (Path(django.__file__).resolve().parent, Path(__file__).resolve().parent.parent)
_LIBRARIES = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))
_PACKAGES = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib"))


@contextmanager
def explained(alias: str, verb: str = "created") -> Iterator[None]:
    """Turn what fails while the test database of ``alias`` is made into a message.

    Raises DatabaseCreationError; ``verb`` says what was being done to the database. Errors that
    are messages already, such as "Conflicting migrations detected", stay as they are.
    """
    try:
        with warnings.catch_warnings():
            for pattern in vendor_of(connections[alias]).idle_warnings:
                warnings.filterwarnings("ignore", pattern)
            yield
    except RunnerError:
        raise
    except (Exception, SystemExit) as error:
        message = _message(alias, error, verb)
        if message is None:
            raise
        raise DatabaseCreationError(message) from error


def place_of(connection: BaseDatabaseWrapper) -> str:
    """Return where the database of ``connection`` is, for messages."""
    return vendor_of(connection).place(connection)


def one_line(error: BaseException) -> str:
    """Return an error's message as one line."""
    return " ".join(str(error).split()) or type(error).__name__


def not_put_back(alias: str, state: str, error: BaseException) -> tuple[str, str]:
    """Return why a database could not be put back to ``state``, and what to do about it."""
    connection = connections[alias]
    name, where = str(name_of(connection)), place_of(connection)
    where = where if name in where else f"{name}, {where}"
    why = (
        f"Database {alias!r} ({where}) could not be put back to its {state} state: "
        f"{one_line(error)}"
    )
    remedy = "No test runs on it as it is."
    if not isinstance(error, RewindError):
        remedy += (
            " See what keeps its server or file from being written (disk, rights, sessions), "
            "and run again."
        )
    return why, remedy


def _message(alias: str, error: BaseException, verb: str) -> str | None:
    chain = list(_chain(error))
    for each in chain:
        wrapper = _opening(each)
        if wrapper is not None:
            name = alias if wrapper.alias == NO_DB_ALIAS else wrapper.alias
            return (
                f"Database {name!r} ({place_of(wrapper)}) cannot be connected to:\n"
                f"{one_line(each)}"
            )
    if isinstance(error, SystemExit):
        cause = next((each for each in chain if isinstance(each, Error)), None)
        if error.code != _CANNOT_CREATE or cause is None:
            return None
        return f"{_subject(alias, verb)}\n{one_line(cause)}"
    culprit = _culprit(error)
    if not culprit and isinstance(error, CommandError):
        return None
    title = f"{culprit} failed on test database {alias!r}:" if culprit else _subject(alias, verb)
    return f"{title}\n{short_traceback(error)}"


def _subject(alias: str, verb: str) -> str:
    return f"Test database {alias!r} ({place_of(connections[alias])}) could not be {verb}:"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those in whose handling it was raised."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _frames(error: BaseException) -> Iterator[FrameType]:
    return (frame for frame, _ in traceback.walk_tb(error.__traceback__))


def _opening(error: BaseException) -> BaseDatabaseWrapper | None:
    """Return the connection that could not be opened, if that is what the error says."""
    if isinstance(error, Error):
        for frame in _frames(error):
            wrapper: Any = frame.f_locals.get("self")
            if frame.f_code.co_name == "connect" and isinstance(wrapper, BaseDatabaseWrapper):
                return wrapper
    return None


def _culprit(error: BaseException) -> str:
    """Return the migration that failed, with its operation, or the receiver of a signal."""
    migration = operation = receiver = ""
    for frame in _frames(error):
        found, names = frame.f_locals, frame.f_code.co_name
        if isinstance(found.get("migration"), Migration) and names.endswith("apply_migration"):
            migration = f"Migration {found['migration'].app_label}.{found['migration'].name}"
        elif isinstance(found.get("self"), Migration) and names in {"apply", "unapply"}:
            operation = f" ({found['operation'].describe()})" if "operation" in found else ""
        elif isinstance(found.get("self"), Signal) and found["self"] in _SIGNALS:
            receiver = f"{_SIGNALS[found['self']]} receiver {_name_of(found.get('receiver'))}"
    if migration and receiver:
        return f"{migration}{operation}, in its {receiver},"
    return migration + operation if migration else receiver


def _name_of(receiver: Any) -> str:
    named = receiver if hasattr(receiver, "__qualname__") else type(receiver)
    return f"{named.__module__}.{named.__qualname__}"


def short_traceback(error: BaseException) -> str:
    """Return the frames of the project's own files, and the error.

    Where there are none: those of the packages that it uses, but not of a driver.
    """
    frames = [
        (Path(each.filename).resolve(), each) for each in traceback.extract_tb(error.__traceback__)
    ]
    others = [each for each in frames if not _is_in(each[0], _MACHINERY)]
    packages = [each for each in others if not _is_stdlib(each[0])]
    own = [each for each in packages if not _is_in(each[0], _PACKAGES)]
    shown = [
        traceback.FrameSummary(each.filename, each.lineno or 0, each.name, line=each.line)
        for _, each in (own if own or isinstance(error, Error) else packages)
    ]
    lines = [*traceback.format_list(shown), *traceback.format_exception_only(error)]
    return "".join(lines).rstrip()


def _is_stdlib(path: Path) -> bool:
    return not _is_in(path, _PACKAGES) and (
        _is_in(path, _LIBRARIES) or path.name.startswith("<frozen")
    )


def _is_in(path: Path, folders: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
