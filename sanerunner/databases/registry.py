"""The models that a run began with. Tests may define more, which have no tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps

Models = dict[str, dict[str, type]]  # app label -> name in lower case -> model


class KnownModels:
    """The models that were registered when the tests had been collected.

    Databases are made when they are first needed, perhaps after tests that defined models; what
    is in them must not depend on that.
    """

    def __init__(self) -> None:
        self._known: Models | None = None

    def learn(self) -> None:
        """Take the models of now, the first time this is called."""
        if self._known is None:
            self._known = registered_models()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hide the models that were registered since; those that this block registers stay."""
        known, before = self._known, registered_models()
        if known is None or before == known:
            yield
            return
        _register(known)
        try:
            yield
        finally:
            for label, models in registered_models().items():
                for name, model in models.items():
                    if known.get(label, {}).get(name) is not model:
                        before.setdefault(label, {})[name] = model
            _register(before)


def forget_local_models(before: Models) -> None:
    """Take models that were registered since ``before`` out of the registry, unless a module has
    them, where an import would find them unregistered ever after.
    """
    kept: Models = {}
    for label, models in (now := registered_models()).items():
        for name, model in models.items():
            known = before.get(label, {}).get(name)
            if known is not model and _is_importable(model):
                known = model
            if known is not None:
                kept.setdefault(label, {})[name] = known
    if kept != now:
        _register(kept)


def _is_importable(model: Any) -> bool:
    """Whether the module of a model has it, or for that of a ManyToManyField, its owner."""
    owner = model._meta.auto_created or model
    found: Any = sys.modules.get(owner.__module__)
    for name in owner.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is owner


def registered_models() -> Models:
    """Return the models that are registered now."""
    return {label: dict(models) for label, models in apps.all_models.items() if models}


def _register(models: Models) -> None:
    for label, registered in apps.all_models.items():  # which app configurations share
        registered.clear()
        registered.update(models.get(label, {}))
    apps.clear_cache()
