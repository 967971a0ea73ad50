"""The test classes that users inherit from.

Each stands on one of Django's own, so that it is isolated under any test runner; under
SaneRunner its attributes also drive the behaviors. A plain ``unittest.TestCase`` that sets the
attributes gets the same behaviors from SaneRunner without inheriting anything.
"""

from __future__ import annotations

from .base import SaneTestCase, TemplateTagTestCase, UnitTestCase
from .databases import (
    DatabaseTestCase,
    DestructiveDatabaseTestCase,
    NoCleanupDatabaseTestCase,
    NonIsolatedDatabaseTestCase,
    NonIsolatedDestructiveDatabaseTestCase,
)
from .http import HttpTestCase
from .isolation import use_isolation

__all__ = [
    "DatabaseTestCase",
    "DestructiveDatabaseTestCase",
    "HttpTestCase",
    "NoCleanupDatabaseTestCase",
    "NonIsolatedDatabaseTestCase",
    "NonIsolatedDestructiveDatabaseTestCase",
    "SaneTestCase",
    "TemplateTagTestCase",
    "UnitTestCase",
    "use_isolation",
]
