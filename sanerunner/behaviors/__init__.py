"""The built-in behaviors: plugins driven by attributes of test classes and methods."""

from __future__ import annotations

from ..conf import Config
from ..plugins import Plugin
from .database import DatabaseBehavior, Refuse
from .isolation import CacheBehavior, MailBehavior, RequirementsBehavior
from .translation import TranslationBehavior


def built_in(config: Config, refuse: Refuse) -> list[Plugin]:
    """Return the behaviors in the order of their set-up."""
    return [
        RequirementsBehavior(),
        CacheBehavior(flush_always=config.flush_cache),
        MailBehavior(),
        TranslationBehavior(),
        DatabaseBehavior(refuse),
    ]
