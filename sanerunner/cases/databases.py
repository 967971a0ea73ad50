"""The classes whose tests use databases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import connections
from django.test import TestCase, TransactionTestCase

from .base import SaneTestCase
from .isolation import isolation_of

__unittest = True  # unittest leaves the frames of this module out of tracebacks


class DatabaseTestCase(SaneTestCase, TestCase):
    """Each test runs in a transaction that is rolled back (Django's TestCase)."""

    test_type = "database"
    database_single_transaction = True


class NoCleanupDatabaseTestCase(SaneTestCase):
    """Uses databases and cleans nothing up: for tests that only read."""

    test_type = "database"
    databases = {"default"}
    fixtures: Iterable[str] | None = None

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        if cls.fixtures:
            for alias in sorted(cls.databases):
                if not connections[alias].settings_dict["TEST"]["MIRROR"]:
                    call_command("loaddata", *cls.fixtures, verbosity=0, database=alias)


class NonIsolatedDatabaseTestCase(SaneTestCase, TestCase):
    """All tests of the class share one transaction, rolled back after the last of them."""

    test_type = "database"
    database_single_transaction_at_end = True

    @classmethod
    def _fixture_setup(cls) -> None:
        """The class's transaction, opened in setUpClass(), is all there is."""

    def _fixture_teardown(self) -> None:
        """Nothing is rolled back before the end of the class."""


class _Committing(SaneTestCase, TransactionTestCase):
    """Tests may commit; the databases are put back as migrations left them.

    SaneRunner rewinds them; under any other runner they are flushed and loaded again.
    """

    test_type = "destructive"
    serialized_rollback = True
    _is_as_migrated = False
    _has_checkpoint = False

    @classmethod
    def setUpTestData(cls) -> None:
        """Create the rows that all tests of the class start from; they are committed once."""

    @classmethod
    def setUpClass(cls) -> None:
        cls._is_as_migrated = False  # who knows what ran before
        cls._has_checkpoint = False
        super().setUpClass()

    @classmethod
    def tearDownClass(cls) -> None:
        if (isolation := isolation_of(cls)) is not None:
            isolation.tear_down_class(cls)
        super().tearDownClass()

    @classmethod
    def _fixture_setup(cls) -> None:
        if (isolation := isolation_of(cls)) is not None:
            isolation.set_up(cls)
            return
        if not cls._is_as_migrated:
            cls._put_back()
        cls.serialized_rollback = False  # that has been done
        try:
            super()._fixture_setup()  # type: ignore[misc]  # not in django-stubs
        finally:
            cls.serialized_rollback = True
        cls.setUpTestData()

    @classmethod
    def _put_back(cls) -> None:
        """Empty the databases, then load what they held after migrations, if that is known."""
        cls._is_as_migrated = False
        base: Any = TransactionTestCase
        base._fixture_teardown(cls)  # a method, but it reads attributes of the class only
        if cls.available_apps is not None:
            apps.unset_available_apps()
        try:
            for alias in base._databases_names.__func__(cls, include_mirrors=False):
                connection = connections[alias]
                content = getattr(connection, "_test_serialized_contents", None)
                if content is not None:
                    connection.creation.deserialize_db_from_string(content)
        finally:
            if cls.available_apps is not None:
                apps.set_available_apps(cls.available_apps)
        cls._is_as_migrated = True


class DestructiveDatabaseTestCase(_Committing):
    """Each test may commit; afterwards the databases are put back as it found them: as
    migrations left them, with the rows of ``setUpTestData()``.
    """

    database_flush = True

    def _fixture_teardown(self) -> None:
        if (isolation := isolation_of(type(self))) is not None:
            isolation.tear_down(self)
        else:
            self._put_back()


class NonIsolatedDestructiveDatabaseTestCase(_Committing):
    """Tests may commit and see each other's rows; the databases are put back after the last."""

    database_flush_at_end = True
    _fixtures_are_set_up = False

    @classmethod
    def setUpClass(cls) -> None:
        cls._fixtures_are_set_up = False
        super().setUpClass()

    @classmethod
    def _fixture_setup(cls) -> None:
        if not cls._fixtures_are_set_up:
            cls._fixtures_are_set_up = True
            super()._fixture_setup()

    def _fixture_teardown(self) -> None:
        """Nothing is put back before the end of the class."""

    @classmethod
    def tearDownClass(cls) -> None:
        if isolation_of(cls) is None:
            cls._put_back()
        super().tearDownClass()
