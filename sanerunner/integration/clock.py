"""The time that the site believes it is."""

from __future__ import annotations

import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from .problems import Problem, invalid


class Clock:
    """Freezes time in this process by means of time-machine. One of the memories: it goes back
    with the databases.
    """

    name = "clock"

    def __init__(self) -> None:
        self._travel: Any = None
        self._at: str | None = None
        self._ticks = False

    @property
    def at(self) -> str | None:
        """What time it was made, ISO 8601; None while it is the real one."""
        return self._at

    def set(self, at: datetime.datetime | None, *, ticks: bool = False) -> None:
        """Make it ``at``, and stop the time there unless it ``ticks``; None is the real time.

        Raises Problem if time-machine is not installed.
        """
        travel = None if at is None else _time_machine().travel(at, tick=ticks)
        if self._travel is not None:
            self._travel.stop()
        self._travel, self._ticks = travel, ticks
        self._at = None if at is None else at.isoformat()
        if travel is not None:
            travel.start()

    def take(self) -> Any:
        return None if self._at is None else [self._at, self._ticks]

    def restore(self, taken: Any) -> None:
        if taken is not None:
            self.set(datetime.datetime.fromisoformat(taken[0]), ticks=bool(taken[1]))
        elif self._at is not None:
            self.set(None)


#: There is one time in a process.
CLOCK = Clock()


def require() -> None:
    """Raise Problem unless time can be frozen."""
    _time_machine()


def parse_time(text: str) -> datetime.datetime:
    """Return the time that ISO 8601 ``text`` means, in TIME_ZONE if it names none."""
    try:
        found = parse_datetime(text)
        if found is None and (day := parse_date(text)) is not None:
            found = datetime.datetime.combine(day, datetime.time())
    except ValueError as error:
        raise invalid("at", f"is no time: {error}") from None
    if found is None:
        raise invalid("at", f"is no time of ISO 8601, as 2030-01-31T12:00:00Z: {text!r}")
    return timezone.make_aware(found) if timezone.is_naive(found) else found


def _time_machine() -> Any:
    try:
        import time_machine
    except ImportError:
        raise Problem(
            501,
            "not-installed",
            "Freezing time needs time-machine: pip install sanerunner[time]",
        ) from None
    return time_machine
