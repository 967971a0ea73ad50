"""Where the sequences and iterators of factories stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Sequences:
    """One of the memories: the next object after a reset gets the same numbers as after the
    populating. Starting from 0 again would collide with objects that are there.
    """

    name = "factories"

    def take(self) -> Any:
        return {
            "sequences": {
                _path(each): each._meta._counter.seq
                for each in _factories()
                if _counts(each) and each._meta._counter is not None
            },
            "iterators": {
                f"{_path(each)} {name}": _position(iterator)
                for each in _factories()
                for name, iterator in _iterators(each)
                if iterator.iterator is not None
            },
        }

    def restore(self, taken: Any) -> None:
        sequences, iterators = taken["sequences"], taken["iterators"]
        for each in _factories():
            if not _counts(each):
                each._meta._counter = None  # it finds its parent's again
                continue
            number = sequences.get(_path(each))
            if number is None:
                each._meta._counter = None
            else:
                each._meta._initialize_counter()
                each._meta._counter.seq = number
            for name, iterator in _iterators(each):
                _move(iterator, iterators.get(f"{_path(each)} {name}"))


def _factories() -> Iterator[Any]:
    from factory.base import BaseFactory

    seen: set[type] = set()
    pending: list[Any] = [BaseFactory]
    while pending:
        for each in pending.pop().__subclasses__():
            if each not in seen and hasattr(each, "_meta"):
                seen.add(each)
                yield each
            pending.append(each)


def _path(factory: Any) -> str:
    return f"{factory.__module__}.{factory.__qualname__}"


def _counts(factory: Any) -> bool:
    """Whether the factory has a counter of its own, not that of one it inherits from."""
    return factory._meta.counter_reference is factory._meta


def _iterators(factory: Any) -> Iterator[tuple[str, Any]]:
    """Yield the factory's own declarations of ``factory.Iterator``."""
    from factory.declarations import Iterator as Declared

    for name, declaration in factory._meta.base_declarations.items():
        if isinstance(declaration, Declared):
            yield name, declaration


def _position(declaration: Any) -> int:
    iterator = declaration.iterator
    return len(iterator.past_elements) - len(iterator.next_elements)


def _move(declaration: Any, position: int | None) -> None:
    """Have the iterator go on at ``position``; None: it was not begun."""
    if not position:
        declaration.reset()
        return
    if declaration.iterator is None:
        declaration.iterator = declaration.iterator_builder()
    declaration.reset()
    for _ in range(position):
        next(iter(declaration.iterator))
