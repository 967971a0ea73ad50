"""What plain tests did: databases that were used without being declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db import connections

from .layout import primary_of


class UndeclaredUse:
    """The databases that tests have used so, outside of any isolation.

    ``current_test()`` returns the id of the test that is running, "" if there is none. With
    ``tells`` the log says what is done about it.
    """

    def __init__(self, current_test: Callable[[], str], *, tells: bool) -> None:
        self._current_test = current_test
        self._tells = tells
        self._users: dict[str, str] = {}  # alias -> the first test that used it

    def note(self, alias: str) -> bool:
        """Remember the test that has used a database; False if none is running."""
        user = self._current_test()
        if user:
            self._users.setdefault(primary_of(alias), user)
        return bool(user)

    def among(self, aliases: Iterable[str]) -> list[str]:
        """Return those of ``aliases`` that were used so."""
        return sorted(set(aliases).intersection(self._users))

    def tell(self, alias: str, remedy: str) -> None:
        """Say what is done about a database: it "is rewound" or "is made anew"."""
        if self._tells:
            connections[alias].creation.log(
                f"Test database {alias!r} {remedy}: {self._users[alias]} used it without "
                "declaring it, outside of any isolation."
            )

    def forget(self, aliases: Iterable[str]) -> None:
        for alias in aliases:
            del self._users[alias]

    def forget_all(self) -> None:
        self._users.clear()
