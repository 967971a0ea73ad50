"""Attributes of factories as JSON gives them: which there are, and what their values mean."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models
from django.utils import timezone

from .problems import Problem, unknown_name

# Methods by which a factory may take arguments that its model does not have.
_HOOKS = ("_adjust_kwargs", "_build", "_create", "_generate", "_get_manager", "create")


def traits_of(factory: Any) -> tuple[str, ...]:
    from factory.declarations import Trait

    parameters = factory._meta.parameters
    return tuple(name for name, each in parameters.items() if isinstance(each, Trait))


def check(name: str, factory: Any, attribute: str, *, path: str = "") -> None:
    """Raise Problem unless ``attribute`` ("total", "customer__name") can be given to the
    factory, as far as that can be told.
    """
    root, _, rest = attribute.partition("__")
    declaration = _declaration(factory, root)
    known = declaration is not None or root in _fields(factory)
    if rest and declaration is not None and _takes_arguments(declaration):
        inner = _factory_of(declaration)
        if inner is not None:
            check(name, inner, rest, path=f"{path}{root}__")
    elif (rest or not known) and not _takes_others(factory):
        raise unknown_attribute(name, factory, attribute, path=path)


def unknown_attribute(name: str, factory: Any, attribute: str, *, path: str = "") -> Problem:
    """Return the problem of an attribute that neither factory nor model has."""
    known = {*_declared(factory), *_fields(factory)}
    given = path + attribute
    return unknown_name(
        422, "attribute", given, {path + each for each in known}, factory=name, attribute=given
    )


def converted(factory: Any, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments for the factory: dates for their texts, objects for primary keys, and
    ``customer__name`` for ``{"customer": {"name": …}}``. Raises Problem.
    """
    values: dict[str, Any] = {}
    for attribute, value in attributes.items():
        values.update(_converted(factory, attribute, value, path=""))
    return values


def _converted(factory: Any, attribute: str, value: Any, *, path: str) -> dict[str, Any]:
    root, _, rest = attribute.partition("__")
    declaration = _declaration(factory, root)
    inner = _factory_of(declaration) if declaration is not None else None
    if inner is not None and (rest or isinstance(value, Mapping)):
        given = {rest: value} if rest else value
        found: dict[str, Any] = {}
        for name, each in given.items():
            check(factory.__name__, inner, name, path=f"{path}{root}__")
            found.update(_converted(inner, name, each, path=f"{path}{root}__"))
        return {f"{root}__{name}": each for name, each in found.items()}
    field = None if rest else _field(factory, root)
    if field is not None and value is not None and root not in factory._meta.parameters:
        value = _value(field, root, value, path + attribute)
    return {attribute: value}


def _value(field: Any, name: str, value: Any, path: str) -> Any:
    try:
        if field.is_relation and field.name == name and isinstance(value, (int, str)):
            return field.related_model._default_manager.get(pk=value)
        found = field.to_python(value)
    except ObjectDoesNotExist:
        label = field.related_model._meta.label
        raise _invalid(path, f"there is no {label} with the primary key {value!r}") from None
    except ValidationError as error:
        raise _invalid(path, " ".join(error.messages).rstrip(".")) from None
    except (TypeError, ValueError) as error:
        raise _invalid(path, str(error)) from None
    if isinstance(found, datetime.datetime) and _lacks_zone(found):
        return timezone.make_aware(found)
    return found


def _lacks_zone(value: datetime.datetime) -> bool:
    from django.conf import settings

    return bool(settings.USE_TZ) and timezone.is_naive(value)


def _invalid(attribute: str, why: str) -> Problem:
    return Problem(
        422, "invalid-attribute", f"The attribute {attribute!r}: {why}.", attribute=attribute
    )


def _declared(factory: Any) -> set[str]:
    options = factory._meta
    before, after = options.pre_declarations.declarations, options.post_declarations.declarations
    return {*before, *after, *options.parameters}


def _declaration(factory: Any, name: str) -> Any:
    """Return how the factory declares ``name``; None if it does not."""
    options = factory._meta
    for declarations in (
        options.pre_declarations.declarations,
        options.post_declarations.declarations,
        options.parameters,
    ):
        if name in declarations:
            return declarations[name]
    return None


def _factory_of(declaration: Any) -> Any:
    """Return the factory that a SubFactory or RelatedFactory calls, or None."""
    find = getattr(declaration, "get_factory", None)
    return find() if find is not None else None


def _takes_arguments(declaration: Any) -> bool:
    """Whether ``name__argument`` means something for what is declared as ``name``."""
    from factory import declarations

    simple = (
        declarations.LazyFunction,
        declarations.LazyAttribute,
        declarations.SelfAttribute,
        declarations.Sequence,
        declarations.Iterator,
    )
    complex_ = (declarations.BaseDeclaration, declarations.PostGenerationDeclaration)
    return isinstance(declaration, complex_) and not isinstance(declaration, simple)


def _model(factory: Any) -> Any:
    model = factory._meta.get_model_class()
    return model if isinstance(model, type) and issubclass(model, models.Model) else None


def _fields(factory: Any) -> set[str]:
    model = _model(factory)
    if model is None:
        return set()
    options = model._meta
    found = {field.name for field in options.concrete_fields}
    found |= {field.attname for field in options.concrete_fields}
    found |= {field.name for field in options.private_fields}
    return found | set(options._property_names)


def _field(factory: Any, name: str) -> Any:
    model = _model(factory)
    for field in model._meta.concrete_fields if model is not None else ():
        if name in (field.name, field.attname):
            return field
    return None


def _takes_others(factory: Any) -> bool:
    """Whether there may be more arguments than those that are declared."""
    from factory.django import DjangoModelFactory

    if _model(factory) is None or not issubclass(factory, DjangoModelFactory):
        return True
    return any(
        getattr(getattr(factory, name), "__func__", None)
        is not getattr(getattr(DjangoModelFactory, name), "__func__", None)
        for name in _HOOKS
    )
