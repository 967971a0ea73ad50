"""The models that a run began with. Tests may define more, which have no tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
            self._known = _registered()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hide the models that were registered since; those that this block registers stay."""
        known, before = self._known, _registered()
        if known is None or before == known:
            yield
            return
        _register(known)
        try:
            yield
        finally:
            for label, models in _registered().items():
                for name, model in models.items():
                    if known.get(label, {}).get(name) is not model:
                        before.setdefault(label, {})[name] = model
            _register(before)


def _registered() -> Models:
    return {label: dict(models) for label, models in apps.all_models.items() if models}


def _register(models: Models) -> None:
    for label, registered in apps.all_models.items():  # which app configurations share
        registered.clear()
        registered.update(models.get(label, {}))
    apps.clear_cache()
