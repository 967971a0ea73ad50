"""What differs between versions of Django and Python, and what Django's type stubs lack."""

from __future__ import annotations

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

__all__ = [
    "CREATE_TEST_DB_ARGUMENTS",
    "NullTimeKeeper",
    "get_max_test_processes",
    "iter_test_cases",
    "pdb",
]
