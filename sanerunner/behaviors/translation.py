"""``make_translations``: a language for the time of a test."""

from __future__ import annotations

import unittest

from django.conf import settings
from django.utils import translation

from ..collection.kinds import attribute, switched_on
from ..plugins import Plugin


class TranslationBehavior(Plugin):
    """Activates ``translation_language_code`` (LANGUAGE_CODE without one) during a test whose
    ``make_translations`` is on, and the language that was active before afterwards.
    """

    name = "translation"
    test_attributes = ("make_translations",)

    def __init__(self) -> None:
        self._overridden: translation.override | None = None

    def test_setup(self, test: unittest.TestCase) -> None:
        if "make_translations" in switched_on(test):
            language = attribute(test, "translation_language_code") or settings.LANGUAGE_CODE
            self._overridden = translation.override(language)
            self._overridden.__enter__()

    def test_teardown(self, test: unittest.TestCase) -> None:
        if self._overridden is not None:
            overridden, self._overridden = self._overridden, None
            overridden.__exit__(None, None, None)
