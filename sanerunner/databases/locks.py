"""The locks of the databases that a run uses: no other run may make or drop these meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..exceptions import DatabaseConfigurationError
from .sites import Site, wait_for
from .vendors import Identity, display_name, identity, in_memory, vendor_of


class DatabaseLocks:
    """Holds the locks of a run's databases. ``log`` takes lines for the user.

    Locks are taken in the order of the databases' identities, so that two runs never wait for
    each other.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._sites: dict[Identity, Site | None] = {}
        self._missing: dict[str, str] = {}  # alias -> why there is no lock

    def take(self, alias: str, declared: Iterable[str] = ()) -> Site | None:
        """Take the lock of a database and of all that are ``declared``; wait for other runs.

        Return the database's site; None where there are no locks: in memory, of a vendor that
        has none, or where this user cannot get at the server without a database.
        Raises DatabaseConfigurationError for a database that was not declared and is in use:
        the run that uses it may wait for this one.
        """
        wanted = {identity(connections[each]): each for each in (*declared, alias)}
        for key in sorted(wanted):
            if key not in self._sites:
                self._sites[key] = self._locked(wanted[key], key)
        return self._sites[identity(connections[alias])]

    def tell_of_missing(self, alias: str) -> None:
        """Say, once, that a database which could be made all the same has no lock."""
        reason = self._missing.pop(alias, "")
        if reason:
            self._log(
                f"{display_name(connections[alias])}: no lock keeps other runs away from it: "
                f"{reason}"
            )

    def release(self) -> None:
        """Release all locks."""
        for site in self._sites.values():
            if site is not None:
                site.close()
        self._sites.clear()

    def _locked(self, alias: str, key: Identity) -> Site | None:
        connection = connections[alias]
        site = None if in_memory(connection) else vendor_of(connection).site(connection)
        if site is None:
            return None
        try:
            site.open()
        except Exception as error:
            if not isinstance(error, (_driver_error(connection), OSError)):
                raise
            self._missing[alias] = str(error).strip().splitlines()[0]
            return None
        try:
            self._acquire(site, alias, key)
        except BaseException:
            site.close()
            raise
        return site

    def _acquire(self, site: Site, alias: str, key: Identity) -> None:
        if any(held > key and self._sites[held] is not None for held in self._sites):
            self._take_at_once(site, alias)
        else:
            name = connections[alias].settings_dict["NAME"]
            wait_for(site, name, lambda holder: self._tell(alias, holder))

    def _take_at_once(self, site: Site, alias: str) -> None:
        connection = connections[alias]
        name = connection.settings_dict["NAME"]
        if not site.lock(name):
            raise DatabaseConfigurationError(
                f"{_in_use(alias, site.holder(name))}, and that run may wait for this one: "
                f'declare database {alias!r} in "databases" of the tests that use it, or give '
                "this run its own databases with --database-suffix."
            )

    def _tell(self, alias: str, holder: str) -> None:
        self._log(f"{_in_use(alias, holder)}; waiting; --database-suffix gives this run its own")


def _in_use(alias: str, holder: str) -> str:
    by = f" ({holder})" if holder else ""
    return f"{display_name(connections[alias])} is in use by another run{by}"


def _driver_error(connection: BaseDatabaseWrapper) -> type[Exception]:
    """Return the base class of the driver's errors."""
    error: type[Exception] = connection.Database.Error  # type: ignore[attr-defined]
    return error
