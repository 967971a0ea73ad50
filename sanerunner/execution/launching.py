"""Starts worker processes: forked, with all that was collected, or spawned, with nothing."""

from __future__ import annotations

import io
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import django
from django.utils.module_loading import import_string

from ..conf import settings_module
from ..exceptions import UsageError
from .channel import Channel
from .checking import CheckLaunch, serve_checks
from .matching import matched
from .process import Launch
from .systemchecks import CheckResult
from .worker import Parts, WorkerOptions, run_worker


@dataclass(frozen=True)
class Recipe:
    """How a spawned worker collects the tests: plain values.

    ``runner`` is the dotted path of the runner's class, ``arguments`` are those it was made
    with, ``labels`` those of the tests. ``ids`` are those of the tests of the plan.
    """

    runner: str
    arguments: dict[str, Any]
    labels: tuple[str, ...]
    ids: tuple[str, ...]


def launcher(method: str, make: Callable[[], Parts], recipe: Recipe) -> Launch:
    """Return what starts workers by ``method``: "fork", "forkserver" or "spawn".

    ``make()`` is called in a forked worker, and finds all that there is here.
    Raises UsageError where a spawned worker could not find what it needs.
    """
    context: Any = multiprocessing.get_context(method)
    if method != "fork":
        _check(recipe, method)

    def launch(
        options: WorkerOptions, connection: Connection, channels: list[Channel]
    ) -> BaseProcess:
        process: BaseProcess
        if method == "fork":
            process = context.Process(
                target=serve_forked, args=(options, connection, channels, make)
            )
        else:
            process = context.Process(target=serve_spawned, args=(options, connection, recipe))
        process.name = f"sanerunner worker {options.number}"
        process.start()
        return process

    return launch


def check_launcher(
    method: str, check: Callable[[], CheckResult | None], recipe: Recipe
) -> CheckLaunch:
    """Return what starts the process of the system checks; a forked one calls ``check()``."""
    context: Any = multiprocessing.get_context(method)

    def launch(connection: Connection) -> BaseProcess:
        process: BaseProcess
        if method == "fork":
            process = context.Process(target=serve_checks, args=(connection, check))
        else:
            process = context.Process(target=serve_spawned_checks, args=(connection, recipe))
        process.name = "sanerunner checks"
        process.daemon = True
        process.start()
        return process

    return launch


def serve_spawned_checks(connection: Connection, recipe: Recipe) -> None:
    """Be the process of the system checks, with all that the run has imported."""

    def check() -> CheckResult | None:
        django.setup()
        runner: Any = import_string(recipe.runner)(**recipe.arguments)
        with redirect_stdout(io.StringIO()):  # the run has printed the same
            runner.join_run(recipe.labels)
        result: CheckResult | None = runner.check_apart()
        return result

    serve_checks(connection, check)


def serve_forked(
    options: WorkerOptions,
    connection: Connection,
    channels: Sequence[Channel],
    make: Callable[[], Parts],
) -> None:
    """Be a forked worker."""
    for channel in channels:  # else it would not be noticed that the coordinator is dead
        channel.close()
    run_worker(options, Channel(connection), make)


def serve_spawned(options: WorkerOptions, connection: Connection, recipe: Recipe) -> None:
    """Be a worker that knows nothing but what it was sent."""

    def make() -> Parts:
        django.setup()
        runner: Any = import_string(recipe.runner)(**recipe.arguments)
        parts: Parts = runner.join_run(recipe.labels)
        return replace(parts, tests=matched(recipe.ids, parts.tests, options.number))

    run_worker(options, Channel(connection), make)


def _check(recipe: Recipe, method: str) -> None:
    remedy = 'Use SANERUNNER["START_METHOD"] = "fork", or no --parallel.'
    module, _, name = recipe.runner.rpartition(".")
    if settings_module() is None:
        raise UsageError(
            f"Workers that are started by {method!r} read the settings from a module, but "
            f"these have none. {remedy}"
        )
    if module == "__main__" or not hasattr(sys.modules.get(module), name):
        raise UsageError(
            f"Workers that are started by {method!r} cannot import the runner "
            f"{recipe.runner}. {remedy}"
        )
