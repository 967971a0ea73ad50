"""Makes the session of Django's connection like a new one, without opening it anew.

Django closes all connections after each test that commits, since tests may leave settings,
temporary tables, locks or cursors in a session. Opening a session can cost more than the test.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


class SessionRenewal:
    """Renews sessions of one database. This base class closes them, as Django does.

    Vendors say how a session is put back to what it was when it was opened (``learn()``,
    ``reset()``). Only a session that was opened here is known, and only for the wrapper classes
    of Django itself: others may keep notes of what a session is in.
    """

    def __init__(self) -> None:
        self._session: Any = None  # that of the driver which is known
        self._parameters: Mapping[str, Any] = {}

    def renew(self, connection: BaseDatabaseWrapper) -> None:
        """Make the session of ``connection`` like a new one; open another if unsure."""
        was_open = connection.connection is not None
        if self.knows(connection) and self._resets(connection):
            _forget_the_test(connection)
            return
        connection.close()
        self._session = None
        if was_open and connection.connection is None and self._may_learn(connection):
            connection.ensure_connection()
            if self.learn(connection):
                self._session = connection.connection
                self._parameters = connection.get_connection_params()

    def knows(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether the session is the one that was opened here."""
        return self._session is not None and connection.connection is self._session

    def outdated(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether the session is known, and would be opened in another way now."""
        return self.knows(connection) and connection.get_connection_params() != self._parameters

    def learn(self, connection: BaseDatabaseWrapper) -> bool:
        """Remember a session that has just been opened; False if it cannot be put back."""
        return False

    def reset(self, connection: BaseDatabaseWrapper) -> bool:
        """Put the session back, out of a transaction; False if something may be left.

        The driver's errors are caught: what fails so is closed.
        """
        return False

    def supports(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether sessions of these settings can be known at all."""
        return False

    def _may_learn(self, connection: BaseDatabaseWrapper) -> bool:
        base = vars(connection).get("_primary", connection)  # a mirror's is its primary's
        return type(base).__module__.startswith("django.") and self.supports(connection)

    def _resets(self, connection: BaseDatabaseWrapper) -> bool:
        if (
            connection.in_atomic_block
            or connection.closed_in_transaction
            or connection.autocommit != connection.settings_dict["AUTOCOMMIT"]
            or connection.get_connection_params() != self._parameters
        ):
            return False
        database: Any = connection.Database  # type: ignore[attr-defined]  # that of this vendor
        try:
            return self.reset(connection)
        except database.Error:  # ended by the server, or in a state that nobody foresaw
            return False


def has_foreign_receivers() -> bool:
    """Whether code of others does something to connections when they are opened."""
    for _, receiver, *_ in connection_created.receivers:
        found = receiver() if isinstance(receiver, weakref.ReferenceType) else receiver
        package = str(getattr(found, "__module__", "")).partition(".")[0]
        if found is not None and package not in {"django", "sanerunner"}:
            return True
    return False


def _forget_the_test(connection: Any) -> None:
    """Put the attributes of the wrapper back, as ``connect()`` does."""
    max_age = connection.settings_dict["CONN_MAX_AGE"]
    connection.close_at = None if max_age is None else time.monotonic() + max_age
    connection.health_check_enabled = connection.settings_dict["CONN_HEALTH_CHECKS"]
    connection.health_check_done = True
    connection.errors_occurred = connection.needs_rollback = False
    connection.savepoint_ids = []
    connection.atomic_blocks = []
    connection.run_on_commit = []


def forget_session(wrapper: Any) -> None:
    """Have Django's wrapper, whose session has ended or is not its own, open one when it is used
    next.
    """
    wrapper.connection = None
    wrapper.in_atomic_block = wrapper.needs_rollback = wrapper.closed_in_transaction = False
    wrapper.savepoint_ids, wrapper.atomic_blocks, wrapper.run_on_commit = [], [], []
