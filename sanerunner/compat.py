"""What differs between versions of Django and Python, and what Django's type stubs lack."""

from __future__ import annotations

from django.test.runner import (  # type: ignore[attr-defined]  # not in django-stubs
    get_max_test_processes,
    pdb,
)
from django.test.utils import (  # type: ignore[attr-defined]  # not in django-stubs
    NullTimeKeeper,
    iter_test_cases,
)

__all__ = ["NullTimeKeeper", "get_max_test_processes", "iter_test_cases", "pdb"]
