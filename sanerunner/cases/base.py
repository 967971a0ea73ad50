"""The attributes of all sane classes, and those of them that touch no database."""

from __future__ import annotations

import re
import unittest
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.db import transaction
from django.template import Context, Template, TemplateSyntaxError
from django.test import SimpleTestCase, override_settings

from ..plugins import missing_plugins, missing_reason

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
