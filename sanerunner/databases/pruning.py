"""Removes test databases that killed runs of a project have left behind."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from .sites import Mark, Site
from .vendors import display_name, identity, in_memory, vendor_of

MAX_AGE = 24 * 60 * 60  # seconds since a database was last used


def prune(
    aliases: Iterable[str],
    *,
    project: str,
    own: bool,
    is_real: Callable[[BaseDatabaseWrapper, str], bool],
) -> list[str]:
    """Remove the databases with the mark of ``project`` that no run has used for a day.

    They are looked for on the servers, and in the folders, of ``aliases``. With ``own`` the
    databases of these very aliases are spared: this run keeps them. Return what was removed and
    what could not be, a line each.
    """
    wrappers = [connections[alias] for alias in aliases if not in_memory(connections[alias])]
    spared = {identity(each)[-1] for each in wrappers} if own else set()
    lines: dict[str, str] = {}  # by what they are about: aliases may share a server
    for connection in wrappers:
        site = vendor_of(connection).site(connection)
        if site is None:
            continue
        driver: type[Exception] = connection.Database.Error  # type: ignore[attr-defined]
        try:
            site.open()
            for name, mark in sorted(site.marked().items()):
                old = time.time() - mark.used_at > MAX_AGE
                if mark.project != project or not old or name in spared:
                    continue
                if not is_real(connection, name):
                    shown = vendor_of(connection).display(name)
                    lines[shown] = f"{shown}: {_remove(site, name, mark, (driver, OSError))}"
        except (driver, OSError) as error:
            shown = display_name(connection)
            lines[shown] = f"{shown}: what was left there cannot be found: {_first_line(error)}"
        finally:
            site.close()
    return list(lines.values())


def _remove(site: Site, name: str, mark: Mark, errors: tuple[type[Exception], ...]) -> str:
    """Remove one database unless a run uses it; return what was done."""
    if not site.lock(name):
        return f"not removed, it is in use by another run ({site.holder(name)})"
    try:
        site.drop(name)
    except errors as error:
        return f"not removed: {_first_line(error)}"
    finally:
        site.unlock(name)
    used = datetime.datetime.fromtimestamp(mark.used_at, datetime.timezone.utc)
    return f"removed, last used on {used:%Y-%m-%d %H:%M} UTC by {mark.run}"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
