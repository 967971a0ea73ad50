"""The test classes that users inherit from.

Each stands on one of Django's own, so that it is isolated under any test runner; under
SaneRunner its attributes also drive the behaviors. A plain ``unittest.TestCase`` that sets the
attributes gets the same behaviors from SaneRunner without inheriting anything.
"""

from __future__ import annotations

import re
import unittest
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Protocol

from django.apps import apps
from django.core.management import call_command
from django.db import connections, transaction
from django.template import Context, Template, TemplateSyntaxError
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings

from .plugins import missing_plugins, missing_reason

__unittest = True  # unittest leaves the frames of this module out of tracebacks


def _snake_case(name: str) -> str:
    """assertHTMLEqual -> assert_html_equal"""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def _forwarding(name: str) -> Callable[..., Any]:
    """Return a method that calls ``name``, also where a subclass overrides that."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, name)(*args, **kwargs)

    method.__doc__ = f"The same as ``{name}``."
    return method


class _Isolation(Protocol):
    """Puts databases back around the tests of committing classes, faster than Django does."""

    def covers(self, test_class: Any) -> bool:
        """Whether it can do so for the databases of a class; else Django's way is gone."""

    def set_up(self, test_class: Any) -> None:
        """A test is to begin."""

    def tear_down(self, test: Any) -> None:
        """A test of a class with isolated tests has ended."""

    def tear_down_class(self, test_class: Any) -> None:
        """The last test of a class has ended."""


_isolation: _Isolation | None = None


def use_isolation(isolation: _Isolation) -> Callable[[], None]:
    """Let committing classes use ``isolation``; return a function that ends this."""
    global _isolation
    before, _isolation = _isolation, isolation

    def leave() -> None:
        global _isolation
        _isolation = before

    return leave


def _isolation_of(test_class: Any) -> _Isolation | None:
    return _isolation if _isolation is not None and _isolation.covers(test_class) else None


class SaneTestCase(SimpleTestCase):
    """The attributes that all sane classes share, with their defaults.

    Every ``assertSomething`` method has a snake_case alias, ``assert_something``.
    """

    test_type: ClassVar[str]

    #: Any query, and any connection to a database, is an error that names the test.
    no_database_interaction = False
    #: Each test runs in a transaction that is rolled back.
    database_single_transaction = False
    #: All tests of the class run in one transaction that is rolled back at the end.
    database_single_transaction_at_end = False
    #: The databases are emptied after each test.
    database_flush = False
    #: The databases are emptied once, after the last test of the class.
    database_flush_at_end = False
    #: Use every configured database, not only the default one.
    multi_db = False
    #: Activate ``translation_language_code`` during each test.
    make_translations = False
    #: The language of ``make_translations``; None is LANGUAGE_CODE.
    translation_language_code: str | None = None
    #: Clear the caches before each test; None leaves it to DST_FLUSH_DJANGO_CACHE.
    flush_django_cache: bool | None = None
    #: Names of plugins without which the tests are skipped.
    required_sane_plugins: Sequence[str] = ()
    #: The URLconf of the class, a dotted path; None is ROOT_URLCONF.
    urls: str | None = None

    SkipTest = unittest.SkipTest
    transaction = transaction

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.multi_db and "databases" not in vars(cls):
            cls.databases = "__all__"
        for name in dir(cls):
            alias = _snake_case(name)
            if name.startswith("assert") and not hasattr(cls, alias):
                setattr(cls, alias, _forwarding(name))

    @classmethod
    def setUpClass(cls) -> None:
        if cls.urls is not None:
            override = override_settings(ROOT_URLCONF=cls.urls)
            override.enable()
            cls.addClassCleanup(override.disable)
        super().setUpClass()

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        missing = missing_plugins(self.required_sane_plugins)
        if not missing or result is None:
            return super().run(result)
        result.startTest(self)
        try:
            result.addSkip(self, missing_reason(missing))
        finally:
            result.stopTest(self)
        return result


class UnitTestCase(SaneTestCase):
    """A test that touches no database: any query is an error."""

    test_type = "unit"
    no_database_interaction = True


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
        if (isolation := _isolation_of(cls)) is not None:
            isolation.tear_down_class(cls)
        super().tearDownClass()

    @classmethod
    def _fixture_setup(cls) -> None:
        if (isolation := _isolation_of(cls)) is not None:
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
        if (isolation := _isolation_of(type(self))) is not None:
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
        if _isolation_of(cls) is None:
            cls._put_back()
        super().tearDownClass()


class TemplateTagTestCase(UnitTestCase):
    """Renders snippets with template tag libraries loaded."""

    #: The libraries to load before each template of ``render_template``.
    preload: Sequence[str] = ()
    TemplateSyntaxError = TemplateSyntaxError

    def render_template(self, template: str, /, **context: Any) -> str:
        """Return ``template`` rendered with ``context``.

        Raises TemplateSyntaxError as Django's engine does.
        """
        loads = "".join(f"{{% load {library} %}}" for library in self.preload)
        return Template(loads + template).render(Context(context))
