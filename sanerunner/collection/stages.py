"""The plan of a run: which tests run in which stage, in which order."""

from __future__ import annotations

import unittest
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..events import Kind, TestInfo
from ..parsing import StageDefinition
from .describing import Describer
from .kinds import classify, databases_of, has_own_attributes


class PlannedTest:
    """A collected test, with what is known of it before it runs."""

    __slots__ = ("_origin", "has_own", "info", "test")

    def __init__(self, test: unittest.TestCase, info: TestInfo, *, has_own: bool) -> None:
        self.test: unittest.TestCase | None = test
        self.info = info
        self.has_own = has_own  # attributes, besides those of its class
        self._origin: tuple[type[unittest.TestCase], str] | None = None

    def take(self) -> unittest.TestCase:
        """Return the test and let go of it: what it holds is freed once it has run.

        Once it is taken or released, this makes another: a test that runs again is a new object.
        """
        if self.test is None:
            assert self._origin is not None
            test_class, method_name = self._origin
            return test_class(method_name)
        test = self.test
        self.release()
        return test

    def release(self) -> None:
        """Let go of the test, which runs elsewhere."""
        if self.test is not None:
            self._origin = type(self.test), getattr(self.test, "_testMethodName", "runTest")
            self.test = None


_ROLLED_BACK = {Kind.UNIT, Kind.DATABASE}


@dataclass
class PlannedStage:
    """The tests of one stage, in the order in which they run."""

    definition: StageDefinition
    tests: list[PlannedTest] = field(default_factory=list)
    #: The aliases that the tests declare -> whether to serialize their content.
    databases: dict[str, bool] = field(default_factory=dict)
    #: Those of which tests that are never rewound want the serialized content.
    unrewound: set[str] = field(default_factory=set)
    #: Whether it has tests that declare no database.
    has_independent: bool = False

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def commits(self) -> bool:
        """Whether it has tests that commit."""
        return any(planned.info.kind not in _ROLLED_BACK for planned in self.tests)

    def add(self, planned: PlannedTest, aliases: frozenset[str]) -> None:
        """Add a test that declares the databases ``aliases``."""
        test = planned.test
        self.tests.append(planned)
        if aliases:
            serialize = bool(getattr(test, "serialized_rollback", False))
            for alias in aliases:
                self.databases[alias] = self.databases.get(alias, False) or serialize
            if serialize and getattr(test, "available_apps", None) is not None:
                self.unrewound.update(aliases)
        else:
            self.has_independent = True


@dataclass
class Plan:
    """The stages of a run that have tests."""

    stages: list[PlannedStage]

    def __iter__(self) -> Iterator[PlannedTest]:
        for stage in self.stages:
            yield from stage.tests

    @property
    def total(self) -> int:
        return sum(len(stage.tests) for stage in self.stages)

    def kinds(self) -> Counter[str]:
        """Return how many tests there are of each kind."""
        return Counter(planned.info.kind for planned in self)

    def databases(self) -> dict[str, bool]:
        """Return the aliases that the run uses -> whether to serialize their content."""
        aliases: dict[str, bool] = {}
        for stage in self.stages:
            for alias, serialize in stage.databases.items():
                aliases[alias] = aliases.get(alias, False) or serialize
        return aliases

    def unserialized(self) -> set[str]:
        """Return the aliases that need no serialized content where they can be rewound."""
        return set(self.databases()).difference(*(stage.unrewound for stage in self.stages))


def arrange(
    tests: Iterable[unittest.TestCase], definitions: Sequence[StageDefinition]
) -> list[unittest.TestCase]:
    """Return the tests stage by stage; inside a stage their order stays as it is."""
    place = {
        kind: place for place, definition in enumerate(definitions) for kind in definition.kinds
    }
    return sorted(tests, key=lambda test: place[classify(test)])


def make_plan(tests: Iterable[unittest.TestCase], definitions: Sequence[StageDefinition]) -> Plan:
    """Put each test into its stage. Raises UsageError for an unknown ``test_type``."""
    stages = [PlannedStage(definition) for definition in definitions]
    by_kind: dict[Kind, PlannedStage] = {
        kind: stage for stage in stages for kind in stage.definition.kinds
    }
    describe = Describer()
    of_class: dict[type, tuple[Kind, frozenset[str]]] = {}  # the same for most of its tests
    for test in tests:
        test_class: Any = type(test)
        own = has_own_attributes(test)
        known = None if own else of_class.get(test_class)
        if known is None:
            known = classify(test), databases_of(test)
            if not own:
                of_class[test_class] = known
        kind, aliases = known
        stage = by_kind[kind]
        info = describe(test, kind, stage.name)
        stage.add(PlannedTest(test, info, has_own=own), aliases)
    return Plan([stage for stage in stages if stage.tests])
