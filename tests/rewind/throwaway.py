"""Databases that a contract's tests may do anything to: made for one test, dropped after it."""

from __future__ import annotations

import abc
import importlib
import itertools
import json
import os
import subprocess
import sys
import unittest
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from . import verifier

ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count(1)


class Throwaway(abc.ABC):
    """One database. ``settings`` names it as an entry of DATABASES does."""

    vendor: str
    settings: dict[str, Any]

    def __init__(self) -> None:
        self.name = f"sane_contract_{os.getpid()}_{next(_numbers)}"
        self.wrappers: list[BaseDatabaseWrapper] = []

    @abc.abstractmethod
    def create(self, schema: Sequence[str]) -> None:
        """Make the database and run the statements of ``schema`` in it."""

    @abc.abstractmethod
    def drop(self) -> None:
        """Remove the database and all that was put beside it."""

    @abc.abstractmethod
    def connect(self) -> Any:
        """Return a bare connection of the driver, which begins transactions by itself."""

    @abc.abstractmethod
    def dump(self) -> verifier.Dump:
        """Read all that the database holds, by a connection of its own."""

    def wrapper(self, alias: str = "throwaway") -> BaseDatabaseWrapper:
        """Return a new wrapper of Django for this database."""
        backend = load_backend(self.settings["ENGINE"])
        wrapper: BaseDatabaseWrapper = backend.DatabaseWrapper(self.settings, alias)
        wrapper.inc_thread_sharing()
        self.wrappers.append(wrapper)
        return wrapper

    def close_wrappers(self) -> None:
        for wrapper in self.wrappers:
            BaseDatabaseWrapper.close(wrapper)
        self.wrappers.clear()

    def elsewhere(self, action: str, *arguments: Any) -> Any:
        """Do ``action`` (see elsewhere.py) in another process; return its answer."""
        job = {"settings": self.settings, "action": action, "arguments": arguments}
        completed = subprocess.run(
            [sys.executable, "-m", "tests.rewind.elsewhere"],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=120,
        )
        if completed.returncode:
            raise AssertionError(f"{action} elsewhere failed:\n{completed.stderr}")
        return json.loads(completed.stdout)


def full_settings(entry: dict[str, Any]) -> dict[str, Any]:
    """Return ``entry`` with Django's defaults for all that it does not say."""
    defaults = connections.configure_settings({"default": dict(entry)})
    full: dict[str, Any] = defaults["default"]
    return full


def server_settings(vendor: str) -> dict[str, Any]:
    """Return what tests.settings says about the server of ``vendor``."""
    module = importlib.import_module(f"tests.settings.{vendor}")
    entry: dict[str, Any] = {**module.DATABASES["default"], "TEST": {}}
    return full_settings(entry)


def require_vendor(vendor: str) -> None:
    """Skip the tests of a module unless the suite runs on this vendor: they are many and slow."""
    if connections["default"].vendor != vendor:
        database = "mariadb" if vendor == "mysql" else vendor
        raise unittest.SkipTest(f"needs runtests.py --database={database}")


def unreachable(error: Exception, server: str) -> Exception:
    """Return what to raise where a server does not answer: in CI its absence is a failure."""
    message = f"{server} cannot be reached: {error}"
    return AssertionError(message) if os.environ.get("CI") else unittest.SkipTest(message)


def execute_all(cursor: Any, statements: Iterable[str]) -> None:
    for statement in statements:
        cursor.execute(statement)
