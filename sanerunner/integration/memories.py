"""What belongs to a state of the databases and is kept in this process."""

from __future__ import annotations

import random
from typing import Any, Protocol


class Memory(Protocol):
    """Something that goes back with the databases: ``name`` tells it from others.

    What ``take()`` returns has to be of the types that JSON has: ``--reload`` hands it on to
    another process.
    """

    name: str

    def take(self) -> Any:
        """Return what is to be had again."""

    def restore(self, taken: Any) -> None:
        """Put back what ``take()`` has returned."""


class Randomness:
    """Python's random numbers, and those of Faker and factory_boy."""

    name = "random"

    def take(self) -> Any:
        return {name: _to_json(source.getstate()) for name, source in _sources().items()}

    def restore(self, taken: Any) -> None:
        for name, source in _sources().items():
            if name in taken:
                version, numbers, gauss = taken[name]
                source.setstate((version, tuple(numbers), gauss))


def seed(number: int) -> None:
    """Seed all of them, so that two runs draw the same."""
    import factory.random
    from faker import Faker

    random.seed(number)
    Faker.seed(number)
    factory.random.reseed_random(number)  # type: ignore[no-untyped-call]


def _sources() -> dict[str, random.Random]:
    import factory.random
    import faker.generator

    python: random.Random = vars(random)["_inst"]
    shared: random.Random = faker.generator.random
    return {"python": python, "faker": shared, "factory_boy": factory.random.randgen}


def _to_json(state: tuple[Any, ...]) -> list[Any]:
    version, numbers, gauss = state
    return [version, list(numbers), gauss]
