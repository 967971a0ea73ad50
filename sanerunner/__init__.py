"""A sane test runner for Django: ``TEST_RUNNER = "sanerunner.SaneRunner"``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .cases import (
        DatabaseTestCase,
        DestructiveDatabaseTestCase,
        HttpTestCase,
        NoCleanupDatabaseTestCase,
        NonIsolatedDatabaseTestCase,
        NonIsolatedDestructiveDatabaseTestCase,
        SaneTestCase,
        TemplateTagTestCase,
        UnitTestCase,
    )
    from .clients.errors import HTTPServerError
    from .events import Kind
    from .plugins import Plugin
    from .runner import SaneRunner

__all__ = [
    "DatabaseTestCase",
    "DestructiveDatabaseTestCase",
    "HTTPServerError",
    "HttpTestCase",
    "Kind",
    "NoCleanupDatabaseTestCase",
    "NonIsolatedDatabaseTestCase",
    "NonIsolatedDestructiveDatabaseTestCase",
    "Plugin",
    "SaneRunner",
    "SaneTestCase",
    "TemplateTagTestCase",
    "UnitTestCase",
    "__version__",
]

_MODULES = {
    "HTTPServerError": ".clients.errors",
    "Kind": ".events",
    "Plugin": ".plugins",
    "SaneRunner": ".runner",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: apps may import this package early."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES.get(name, ".cases"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
