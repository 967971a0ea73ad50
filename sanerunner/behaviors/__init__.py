"""The built-in behaviors: plugins driven by attributes of test classes and methods."""

from __future__ import annotations

from typing import Any

from ..conf import Config
from ..databases.baseline import Baselines
from ..plugins import Plugin
from ..servers.process import ProcessServer
from .database import DatabaseBehavior, Refuse
from .flush import FlushBehavior, flush_with
from .isolation import CacheBehavior, MailBehavior, RequirementsBehavior
from .plain import PlainIsolation
from .rewind import RewindBehavior
from .server import LiveServerBehavior, live_server
from .sessions import SessionBehavior
from .translation import TranslationBehavior


def built_in(
    config: Config,
    refuse: Refuse,
    baselines: Baselines | None = None,
    server: ProcessServer | None = None,
) -> list[Plugin]:
    """Return the behaviors in the order of their set-up; ``baselines`` are there to rewind, and to
    be watched for leaks; ``server`` is this process's, not started yet.
    """
    committing: list[Plugin] = []
    if config.flush_command is not None:
        committing = [FlushBehavior(config.flush_command)]
    elif baselines is not None:
        committing = [
            SessionBehavior(baselines),
            RewindBehavior(baselines, always_migrated=config.baseline == "migrated"),
        ]
    detecting: list[Plugin] = []
    if config.detects_leaks:
        from .leaks import LeaksBehavior  # takes long to import

        detecting = [LeaksBehavior(baselines or Baselines(), fail=config.fail_on_leaks)]

    def empty(owner: Any, aliases: list[str]) -> None:
        flush_with(config.flush_command, owner, aliases)
        if baselines is not None:
            baselines.moved(aliases)

    return [
        *detecting,
        *committing,
        RequirementsBehavior(),
        CacheBehavior(flush_always=config.flush_cache),
        MailBehavior(),
        TranslationBehavior(),
        DatabaseBehavior(refuse, empty),
        LiveServerBehavior(server or live_server(config), PlainIsolation(baselines, empty)),
    ]
