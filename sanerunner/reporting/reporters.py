"""The reporters of a run, made from its configuration."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal, cast

from ..conf import Config
from ..eventbus import EventBus
from ..plugins import PluginManager
from .console import ConsoleReporter
from .rerun import rerun_command
from .summary import Summary


class Reporters:
    """Subscribes summary, console, JUnit and plugins to the events of a run.

    Raises UsageError at once where the JUnit report cannot be written.
    """

    def __init__(
        self, config: Config, bus: EventBus, plugins: PluginManager, options: Mapping[str, Any]
    ) -> None:
        self._config = config
        self._bus = bus
        self._plugins = plugins
        self._options = options
        self._console: ConsoleReporter | None = None
        self.summary = Summary(keep_durations=config.durations)
        self._writes_junit = config.junit is not None or config.junit_directory is not None
        if self._writes_junit and not config.list:
            self._check_junit()

    def start(self, arguments: Mapping[str, Any], *, console: bool) -> None:
        """Subscribe; ``arguments`` are those of ``get_test_runner_kwargs()``, of which
        ``stream``, ``verbosity``, ``buffer`` and ``durations`` are obeyed.
        """
        self._bus.subscribe(self.summary.handle_event, *Summary.WANTED)
        if console:
            self._console = ConsoleReporter(
                summary=self.summary,
                stream=arguments.get("stream"),
                verbosity=arguments.get("verbosity", 1),
                buffer=bool(arguments.get("buffer")),
                durations=self._config.durations,
                rerun_command=rerun_command,
                color=self._wanted_color(),
                display=cast(Literal["auto", "plain", "live"], self._config.progress),
            )
            self._bus.subscribe(self._console.handle_event, *self._console.wanted)
        if self._writes_junit:
            self._start_junit()
        for handler in self._plugins.event_handlers():
            self._bus.subscribe(handler)

    def _check_junit(self) -> None:
        from .junit import check_writable  # takes long to import

        if self._config.junit is not None:
            check_writable(self._config.junit)
        if self._config.junit_directory is not None:
            check_writable(self._config.junit_directory, is_directory=True)

    def _start_junit(self) -> None:
        from .junit import JUnitReporter

        reporter = JUnitReporter(
            path=self._config.junit,
            directory=self._config.junit_directory,
            strict=self._config.junit_strict,
            descriptions=self._config.junit_descriptions,
            verbose=self._config.junit_verbose,
            output_limit=self._config.output_limit,
        )
        self._bus.subscribe(reporter.handle_event, *JUnitReporter.WANTED)

    def suspend(self) -> None:
        """Leave the terminal to a debugger."""
        if self._console is not None:
            self._console.suspend()

    def finish(self) -> None:
        """Give plugins the summary; tell of reporters that failed."""
        if self._console is not None:
            self._console.close()
        self._bus.errors += self._plugins.call_all("report", summary=self.summary)
        for error in self._bus.errors:
            sys.stderr.write(f"\n{error}\n")

    def _wanted_color(self) -> bool | None:
        """What Django's --no-color and --force-color say; None where neither does."""
        if self._options.get("no_color"):
            return False
        return True if self._options.get("force_color") else None
