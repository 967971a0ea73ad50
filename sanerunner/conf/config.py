"""``Config``: what a run was asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..events import Kind
from ..options.browsers import BrowserChoice
from ..options.integration import IntegrationSettings
from ..parsing import Shard, StageDefinition


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a run was asked to do, validated: one field for each key of ``SANERUNNER``."""

    # Django's options
    pattern: str | None
    top_level_directory: str | None
    failfast: bool
    keepdb: bool
    reverse: bool
    shuffle: int | bool | None
    debug_mode: bool
    debug_sql: bool
    parallel: int
    tag: tuple[str, ...]
    exclude_tag: tuple[str, ...]
    k: tuple[str, ...]
    pdb: bool
    buffer: bool
    no_faulthandler: bool
    timing: bool
    durations: int | None
    # sanerunner's options
    select: tuple[Kind, ...]
    deselect: tuple[Kind, ...]
    stages: tuple[StageDefinition, ...]
    keep_going: bool
    list: str | None
    junit: Path | None
    junit_strict: bool
    progress: str
    output_limit: int
    shard: Shard | None
    durations_from: Path | None
    rerun_failed: bool
    failed_first: bool
    state: Path | None
    detect_leaks: bool
    fail_on_leaks: bool
    bisect: str | None
    pair: str | None
    only_from: Path | None
    freeze_gc: bool
    checks: bool
    checks_beside: bool
    speculate: bool
    timeout: float | None
    retries: int | None
    fail_on_flaky: bool
    max_failures: int
    start_method: str | None
    debug: str
    restore: str
    baseline: str
    verify_rewind: bool
    create_db: bool
    database_suffix: str
    prune_databases: bool
    image_cache: Path | None
    fingerprint_files: tuple[str, ...]
    browser: BrowserChoice | None
    grid: str | None
    browser_url_root: str
    force_browsers: bool
    headed: bool
    slowmo: int  # milliseconds
    artifacts: Path | None
    trace: bool
    live_server: str
    live_server_address: str
    live_server_port: int
    live_server_grace: float
    url_root_server_address: str
    url_root: str
    plugins: tuple[str, ...]
    integration: IntegrationSettings
    # What only older settings say
    junit_directory: Path | None = None
    junit_verbose: bool = False
    junit_descriptions: bool = False
    migrate: bool = True
    flush_cache: bool = False
    project: str = ""  # what marks this project's test databases
    flush_command: Callable[..., Any] | None = None
    flush_after_creation: bool = False

    def selects(self, kind: Kind) -> bool:
        """Whether tests of ``kind`` are part of the run."""
        return (not self.select or kind in self.select) and kind not in self.deselect

    @property
    def detects_leaks(self) -> bool:
        return self.detect_leaks or self.fail_on_leaks

    @property
    def suspect(self) -> str | None:
        """The label of the test that ``--bisect`` or ``--pair`` is about."""
        return self.bisect or self.pair or None

    @property
    def search(self) -> str:
        """The option that asks for a search, for messages."""
        return "--bisect" if self.bisect else "--pair"

    @property
    def searches(self) -> bool:
        """Whether this run looks for what makes a test fail; with ONLY_FROM it is one step."""
        return self.suspect is not None and self.only_from is None

    def discover_runner_arguments(self) -> dict[str, Any]:
        """Return the arguments of ``DiscoverRunner.__init__`` that say the same."""
        return {
            "pattern": self.pattern,
            "top_level": self.top_level_directory,
            "failfast": self.failfast,
            "keepdb": self.keepdb,
            "reverse": self.reverse,
            "shuffle": self.shuffle,
            "debug_mode": self.debug_mode,
            "debug_sql": self.debug_sql,
            "parallel": self.parallel,
            "tags": self.tag,
            "exclude_tags": self.exclude_tag,
            "test_name_patterns": self.k or None,
            "pdb": self.pdb,
            "buffer": self.buffer,
            "enable_faulthandler": not self.no_faulthandler,
            "timing": self.timing,
            "durations": self.durations,
        }
