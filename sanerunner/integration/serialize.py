"""Objects that were made, as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.encoding import is_protected_type

_ENCODER = DjangoJSONEncoder()
_PLAIN = (str, int, float, bool, type(None))


def as_json(value: Any) -> Any:
    """Return ``value`` in JSON's types.

    An object of a model is an object of its fields, by ``attname`` (``customer_id``), with ``pk``
    as well. Dates, decimals and UUIDs are as Django's encoder has them. Of other objects the
    public attributes are told, where they are of this kind.
    """
    return _as_json(value, depth=0)


def _as_json(value: Any, depth: int) -> Any:
    if isinstance(value, _PLAIN):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, models.Model):
        return of_model(value)
    if depth > 10:  # objects that hold each other
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _as_json(each, depth + 1) for key, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: _as_json(getattr(value, each.name), depth + 1)
            for each in dataclasses.fields(value)
        }
    if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [_as_json(each, depth + 1) for each in value]
    try:
        return _ENCODER.default(value)
    except (TypeError, ValueError):
        return _members(value, depth)


def _members(value: Any, depth: int) -> Any:
    if not hasattr(value, "__dict__") or isinstance(value, type) or callable(value):
        return repr(value)
    public = {name: each for name, each in vars(value).items() if not name.startswith("_")}
    return _as_json(public, depth + 1)


def read_again(made: list[Any]) -> list[Any]:
    """Return the objects as they are in the database, if they are of one model and in one."""
    kinds = {(type(each), getattr(getattr(each, "_state", None), "db", None)) for each in made}
    if len(kinds) != 1:
        return made
    kind, alias = kinds.pop()
    if alias is None or not issubclass(kind, models.Model):
        return made
    found = kind._base_manager.using(alias).in_bulk([each.pk for each in made])
    return [found.get(each.pk, each) for each in made]


def of_model(instance: models.Model) -> dict[str, Any]:
    """Return the fields of an object that is in a database, as they are there."""
    if any(
        hasattr(vars(instance).get(field.attname), "resolve_expression")
        for field in instance._meta.concrete_fields
    ):
        instance.refresh_from_db()  # it was saved with an expression
    found = {"pk": _of_field(instance._meta.pk, instance)}
    found.update(
        (field.attname, _of_field(field, instance)) for field in instance._meta.concrete_fields
    )
    return found


def _of_field(field: Any, instance: models.Model) -> Any:
    value = field.value_from_object(instance)
    if isinstance(value, (dict, list, tuple)):  # JSONField, ArrayField
        return _as_json(value, depth=0)
    if isinstance(value, _PLAIN):
        return _as_json(value, depth=0)
    if is_protected_type(value):
        return _ENCODER.default(value)
    return field.value_to_string(instance)
