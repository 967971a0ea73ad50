"""What differs between versions of Django and Python, and what Django's type stubs lack."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

import django
from django.test.runner import pdb  # type: ignore[attr-defined]  # not in django-stubs
from django.test.utils import (  # type: ignore[attr-defined]  # not in django-stubs
    NullTimeKeeper,
    iter_test_cases,
)

# Django 6.0 deprecated the argument and serializes nothing without it; 5.2 does by default.
CREATE_TEST_DB_ARGUMENTS: dict[str, Any] = {} if django.VERSION >= (6, 0) else {"serialize": False}


def get_max_test_processes() -> int:
    """Return what ``--parallel`` without a number means, as Django does; Django 5.2 says 1 where
    processes are started by forkserver, because its own cannot be.
    """
    given = os.environ.get("DJANGO_TEST_PROCESSES")
    return int(given) if given else multiprocessing.cpu_count()


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
