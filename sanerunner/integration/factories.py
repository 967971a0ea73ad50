"""The factories that the control API may call, by name."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from . import attributes as checking
from .problems import Problem, invalid, unknown_name
from .registering import from_apps, from_settings, is_defined_in
from .serialize import as_json, read_again

#: How many objects one request may ask for.
MAXIMUM = 10_000


class Factories:
    """Those of the setting (name -> dotted path), and those that are defined in the ``factories``
    modules of installed apps: ``OrderLineFactory`` of the app ``shop`` is "order_line" and
    "shop.order_line". A name of the setting wins. Raises UsageError.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._factories: dict[str, Any] = {
            **from_apps("factories", _members),
            **from_settings("FACTORIES", paths, _wrong),
        }

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._factories))

    def check(
        self, name: str, count: int, traits: Sequence[str], attributes: Mapping[str, Any]
    ) -> None:
        """Raise Problem for what can be told without calling the factory."""
        factory = self._factories.get(name)
        if factory is None:
            raise unknown_name(404, "factory", name, self._factories)
        if not 0 <= count <= MAXIMUM:
            raise invalid("count", f"must be between 0 and {MAXIMUM}, not {count}")
        known = checking.traits_of(factory)
        for trait in traits:
            if trait not in known:
                raise unknown_name(422, "trait", trait, known, factory=name, trait=trait)
        for attribute in attributes:
            checking.check(name, factory, attribute)

    def create(
        self, name: str, count: int, traits: Sequence[str], attributes: Mapping[str, Any]
    ) -> list[Any]:
        """Return ``count`` new objects as JSON. Raises Problem."""
        factory = self._factories[name]
        values = checking.converted(factory, attributes)
        values.update(dict.fromkeys(traits, True))
        try:
            made = [factory(**values) for _ in range(count)]
            return [as_json(each) for each in read_again(made)]
        except Problem:
            raise
        except (Exception, SystemExit) as error:
            refused = _refused_argument(error, attributes)
            if refused is not None:
                raise checking.unknown_attribute(name, factory, refused) from error
            raise failed(f"The factory {name!r}", error, factory=name) from error


def failed(what: str, error: BaseException, **members: Any) -> Problem:
    """Return the problem of the project's own code that has raised ``error``."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return Problem(
        500,
        "failed",
        f"{what} raised {type(error).__name__}: {error}",
        exception=type(error).__name__,
        traceback=text,
        **members,
    )


def _refused_argument(error: BaseException, attributes: Mapping[str, Any]) -> str | None:
    """Return the attribute that a TypeError of a class's constructor is about."""
    if not isinstance(error, TypeError) or "unexpected keyword argument" not in str(error):
        return None
    named = re.findall(r"'(\w+)'", str(error).partition("unexpected keyword argument")[2])
    return next((each for each in named if each in attributes), None)


def _members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for each in vars(module).values():
        if not _wrong(each) and is_defined_in(module, each):
            yield _short(each.__name__), each


def _wrong(found: Any) -> str:
    from factory.base import BaseFactory

    if not (isinstance(found, type) and issubclass(found, BaseFactory)):
        return "is no factory of factory_boy"
    options: Any = found._meta
    return "is an abstract factory" if options.abstract else ""


def _short(class_name: str) -> str:
    """Return "order_line" for "OrderLineFactory"."""
    name = class_name.removesuffix("Factory") or class_name
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
