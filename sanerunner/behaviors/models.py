"""Models that tests without a database have defined are hidden from those that use one.

Django runs plain unittest tests last, so that no test of a database meets what they leave behind.
Here they run first. A model with a foreign key would make deleting what it refers to fail in all
later tests: its table is nowhere.
"""

from __future__ import annotations

from ..collection.kinds import class_kind
from ..databases.registry import Models, forget_local_models, registered_models
from ..events import Kind
from ..plugins import Plugin


class ModelsBehavior(Plugin):
    """Takes the models that classes of kind *unit* have defined out of the app registry before
    a class of another kind, but for those that a module has.
    """

    def __init__(self) -> None:
        self._before: Models | None = None

    def class_setup(self, test_class: type) -> None:
        if class_kind(test_class) == Kind.UNIT:
            if self._before is None:
                self._before = registered_models()
        elif self._before is not None:
            forget_local_models(self._before)
            self._before = None
