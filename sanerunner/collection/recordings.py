"""What earlier runs have left, as far as this one needs it."""

from __future__ import annotations

from collections.abc import Mapping

from ..conf import Config
from ..reporting.history import History, Recording, read_recording


def recording_for(config: Config, history: History | None) -> Recording:
    """Return what narrowing needs: verdicts, or the durations by which shards are balanced."""
    if config.shard and config.durations_from is not None:
        return read_recording(config.durations_from)
    wanted = config.shard or config.rerun_failed or config.failed_first
    return history.read() if wanted and history else Recording()


def durations_for(config: Config, history: History | None) -> Mapping[str, float]:
    """Return how long tests took in earlier runs, in seconds, by their ids."""
    if config.durations_from is not None:
        return read_recording(config.durations_from).durations
    return history.read().durations if history is not None else {}
