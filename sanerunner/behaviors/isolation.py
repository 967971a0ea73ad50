"""What else must not leak from one test into the next: caches, mail; and missing plugins."""

from __future__ import annotations

import unittest

from django.conf import settings
from django.core import mail
from django.core.cache import caches
from django.test import SimpleTestCase

from ..collection.kinds import attribute
from ..plugins import Plugin, missing_plugins, missing_reason


class CacheBehavior(Plugin):
    """Clears every cache before a test that sets ``flush_django_cache``, or before all tests
    with ``DST_FLUSH_DJANGO_CACHE``; a test can still opt out by setting the attribute False.
    """

    name = "cache"

    def __init__(self, *, flush_always: bool = False) -> None:
        self._flush_always = flush_always
        self.test_attributes = None if flush_always else ("flush_django_cache",)

    def test_setup(self, test: unittest.TestCase) -> None:
        wanted = attribute(test, "flush_django_cache", None)
        if wanted is True or (wanted is None and self._flush_always):
            for alias in settings.CACHES:
                caches[alias].clear()


class MailBehavior(Plugin):
    """Empties ``mail.outbox`` before a plain unittest test; Django's classes do it themselves."""

    name = "mail"

    def test_setup(self, test: unittest.TestCase) -> None:
        if not isinstance(test, SimpleTestCase):
            mail.outbox = []


class RequirementsBehavior(Plugin):
    """Skips a test whose ``required_sane_plugins`` are not all active."""

    test_attributes = ("required_sane_plugins",)

    def test_setup(self, test: unittest.TestCase) -> None:
        required = attribute(test, "required_sane_plugins")
        if required and (missing := missing_plugins(required)):
            raise unittest.SkipTest(missing_reason(missing))
