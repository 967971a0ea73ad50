"""What a test may leave changed of Django's, and in databases: a probe for each thing."""

from __future__ import annotations

import os
import time
import unittest
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache.backends import locmem
from django.test import TransactionTestCase
from django.utils import timezone, translation

from ..collection.kinds import switched_on
from ..databases.contents import Content, Contents
from .probes import NOT_SET, NOT_THERE, changed, differences, is_secret

# What puts databases back around a test or its class.
_ISOLATING = frozenset(
    {
        "database_flush",
        "database_flush_at_end",
        "database_single_transaction",
        "database_single_transaction_at_end",
    }
)


class Settings:
    """Overrides that are still on, and values that were assigned or changed in place.

    Of DATABASES only an assignment is seen: the run itself writes the names of its test databases
    there.
    """

    def snapshot(self, test: unittest.TestCase) -> dict[str, Any]:
        holder: Any = vars(settings)["_wrapped"]  # settings itself warns of deprecated names
        names = {name for name in dir(holder) if name.isupper()} - {"SETTINGS_MODULE"}
        values = {name: getattr(holder, name) for name in names}
        databases = values.pop("DATABASES", None)
        copied = {name: _copied(value) for name, value in values.items()}
        return {**copied, "DATABASES": _Same(databases)}

    def compare(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
        for name, old, new in differences(before, after):
            hidden = name == "DATABASES" or is_secret(name)
            yield changed(f"setting {name}", old, new, hidden=hidden)


class _Same:
    """Equal to another if both hold the very same object."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._value is self._value

    __hash__ = None  # type: ignore[assignment]


def _copied(value: Any) -> Any:
    """Return ``value`` with copies of the plain containers in it."""
    if type(value) is dict:
        return {key: _copied(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_copied(each) for each in value)
    return set(value) if type(value) is set else value


class Language:
    def snapshot(self, test: unittest.TestCase) -> str | None:
        return translation.get_language()

    def compare(self, before: str | None, after: str | None) -> Iterator[str]:
        if before != after:
            yield changed("active language", before, after)


class TimeZone:
    def snapshot(self, test: unittest.TestCase) -> str:
        return timezone.get_current_timezone_name()

    def compare(self, before: str, after: str) -> Iterator[str]:
        if before != after:
            yield changed("active time zone", before, after)


class LocalMemoryCaches:
    """The content of caches in local memory, whichever thread or alias has written it.

    What has expired is not there, and that it has is no change.
    """

    def snapshot(self, test: unittest.TestCase) -> dict[str, dict[str, _Entry]]:
        found = {}
        for location, content in list(vars(locmem)["_caches"].items()):
            expires = vars(locmem)["_expire_info"][location]
            entries = {
                key: _Entry(value, expires.get(key)) for key, value in list(content.items())
            }
            found[location] = {key: each for key, each in entries.items() if not each.expired}
        return found

    def compare(
        self, before: Mapping[str, dict[str, _Entry]], after: Mapping[str, dict[str, _Entry]]
    ) -> Iterator[str]:
        aliases = {
            each.get("LOCATION", ""): alias for alias, each in reversed(settings.CACHES.items())
        }
        for location in sorted(after):
            old = {key: e for key, e in before.get(location, {}).items() if not e.expired}
            cache = f"cache {aliases.get(location, location)!r}"
            values = [{key: e.value for key, e in each.items()} for each in (old, after[location])]
            for key, was, now in differences(*values):
                states = ["not set" if each is NOT_SET else "set" for each in (was, now)]
                how = " → ".join(states) if NOT_SET in (was, now) else "set → another value"
                yield f"{cache}, key {key!r}: {how}"


class _Entry(NamedTuple):
    value: bytes
    expires: float | None

    @property
    def expired(self) -> bool:
        return self.expires is not None and self.expires <= time.time()


class MediaFiles:
    """Files below MEDIA_ROOT, if that is set, by their size and time."""

    def snapshot(self, test: unittest.TestCase) -> dict[str, tuple[int, int]]:
        root = os.fspath(settings.MEDIA_ROOT or "")
        if not root:
            return {}
        found = {}
        for folder, _, files in os.walk(root):
            for name in files:
                path = os.path.join(folder, name)
                try:
                    status = os.lstat(path)
                except FileNotFoundError:  # removed since it was listed
                    continue
                found[os.path.relpath(path, root)] = (status.st_size, status.st_mtime_ns)
        return found

    def compare(
        self, before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]
    ) -> Iterator[str]:
        for name, old, new in differences(before, after, NOT_THERE):
            sizes = [
                repr(each) if each is NOT_THERE else f"{each[0]} bytes" for each in (old, new)
            ]
            how = " → ".join(sizes) if sizes[0] != sizes[1] else f"{sizes[0]} → written again"
            yield f"file {name!r} in MEDIA_ROOT: {how}"


class Rows:
    """Rows of test databases, for tests that nothing puts back: plain unittest tests, and
    SimpleTestCase classes that declare databases. All tables are read, by digests.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def snapshot(self, test: unittest.TestCase) -> dict[str, Content] | None:
        if isinstance(test, TransactionTestCase) or not switched_on(test).isdisjoint(_ISOLATING):
            return None
        return self._contents.now()

    def compare(
        self, before: Mapping[str, Content] | None, after: Mapping[str, Content] | None
    ) -> Iterator[str]:
        if before is None or after is None:
            return
        for alias, content in after.items():
            # A database that is used undeclared is made during the test.
            old = before.get(alias) or self._contents.first(alias)
            if content.problem and not old.problem:
                yield f"database {alias!r}: readable → {content.problem}"
            if content.problem or old.problem:
                continue
            for table, _, _ in differences(old.tables, content.tables):
                yield f"database {alias!r}, table {table}: rows as before → other rows"
            if content.schema != old.schema:
                yield f"database {alias!r}: schema as before → another schema"
