"""What differs between versions of Django and Python, and what Django's type stubs lack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django
from django.test.runner import (  # type: ignore[attr-defined]  # not in django-stubs
    get_max_test_processes,
    pdb,
)
from django.test.utils import (  # type: ignore[attr-defined]  # not in django-stubs
    NullTimeKeeper,
    iter_test_cases,
)

# Django 6.0 deprecated the argument and serializes nothing without it; 5.2 does by default.
CREATE_TEST_DB_ARGUMENTS: dict[str, Any] = {} if django.VERSION >= (6, 0) else {"serialize": False}


def format_debug_sql(operations: Any, sql: str) -> str:
    """Return ``sql`` as --debug-sql shows it: laid out by Django 6.0 and later."""
    layout: Callable[[str], str] = getattr(operations, "format_debug_sql", str)
    return layout(sql)


__all__ = [
    "CREATE_TEST_DB_ARGUMENTS",
    "NullTimeKeeper",
    "format_debug_sql",
    "get_max_test_processes",
    "iter_test_cases",
    "pdb",
]
