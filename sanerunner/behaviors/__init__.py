"""The built-in behaviors: plugins driven by attributes of test classes and methods."""

from __future__ import annotations

from ..conf import Config
from ..databases.baseline import Baselines
from ..plugins import Plugin
from .database import DatabaseBehavior, Refuse
from .isolation import CacheBehavior, MailBehavior, RequirementsBehavior
from .rewind import RewindBehavior
from .translation import TranslationBehavior


def built_in(config: Config, refuse: Refuse, baselines: Baselines | None = None) -> list[Plugin]:
    """Return the behaviors in the order of their set-up; ``baselines`` are there to rewind."""
    rewinding: list[Plugin] = []
    if baselines is not None:
        rewinding = [RewindBehavior(baselines, always_migrated=config.baseline == "migrated")]
    return [
        *rewinding,
        RequirementsBehavior(),
        CacheBehavior(flush_always=config.flush_cache),
        MailBehavior(),
        TranslationBehavior(),
        DatabaseBehavior(refuse),
    ]
