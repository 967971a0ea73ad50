"""The database connections of server threads: which they get, and when they end."""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper


class ThreadConnections:
    """While it is open, threads of requests get connections that are known here."""

    def open(self) -> None:
        """Begin: share this thread's in-memory databases with requests."""

    def end(self) -> list[BaseDatabaseWrapper]:
        """End the connections that requests have opened; return those that could not be ended:
        a statement is being executed that cannot be cancelled.
        """
        return []

    def close(self) -> None:
        """Leave Django as it was."""
