"""Sessions for users, without a login form."""

from __future__ import annotations

from http.cookies import SimpleCookie
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.test import Client

from .problems import Problem, invalid, unknown_name
from .serialize import as_json

#: How many users are named where one is not found.
_NAMED = 50


def check(user: Any) -> None:
    """Raise Problem for what can be told without a query."""
    if not apps.is_installed("django.contrib.auth"):
        raise Problem(
            501, "not-installed", "There are no users: django.contrib.auth is not installed."
        )
    if isinstance(user, bool) or not isinstance(user, (str, int, dict)) or user in ("", {}):
        raise invalid(
            "user", "must be a user's name, a primary key, or an object of fields and values"
        )
    if isinstance(user, dict):
        for name in user:
            _check_field(name)


def log_in(user: Any) -> tuple[dict[str, Any], str, str]:
    """Return what is told of a new session of the user, the header ``Set-Cookie`` for it, and
    its key. ``user`` is a name, a primary key, or fields with their values. Raises Problem.
    """
    found = _find(user)
    if not found.is_active:
        raise Problem(422, "inactive-user", f"The user {user!r} is not active.", user=user)
    client = Client()
    client.force_login(found)
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    told = {
        "name": settings.SESSION_COOKIE_NAME,
        "value": key,
        "path": settings.SESSION_COOKIE_PATH,
        "domain": settings.SESSION_COOKIE_DOMAIN,
        "secure": bool(settings.SESSION_COOKIE_SECURE),
        "httpOnly": bool(settings.SESSION_COOKIE_HTTPONLY),
        "sameSite": settings.SESSION_COOKIE_SAMESITE or None,
    }
    user_told = {"pk": as_json(found.pk), "name": found.get_username()}
    return {"user": user_told, "cookie": told}, _header(told), key


def _header(told: dict[str, Any]) -> str:
    cookie: SimpleCookie = SimpleCookie({told["name"]: told["value"]})
    morsel = cookie[told["name"]]
    for name in ("path", "domain", "secure", "httpOnly", "sameSite"):
        if told[name]:
            morsel[name.lower()] = told[name]
    return morsel.OutputString()


def log_out(key: str) -> None:
    """End a session, wherever it is kept."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(key)
    store.delete(key)


def _user_model() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model()


def _check_field(name: str) -> None:
    model = _user_model()
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        known = [field.name for field in model._meta.concrete_fields]
        raise unknown_name(422, "field", name, known, field=name) from None


def _find(user: Any) -> Any:
    model = _user_model()
    manager = model._default_manager
    try:
        if isinstance(user, dict):
            return manager.get(**user)
        if isinstance(user, int):
            return manager.get(pk=user)
        return manager.get_by_natural_key(user)
    except model.DoesNotExist:
        names = manager.order_by("pk").values_list(model.USERNAME_FIELD, flat=True)[:_NAMED]
        given = user if isinstance(user, str) else repr(user)
        raise unknown_name(404, "user", given, map(str, names)) from None
    except model.MultipleObjectsReturned:
        raise Problem(422, "several-users", f"Several users are {user!r}.", user=user) from None
    except (FieldError, TypeError, ValueError, ValidationError) as error:
        raise invalid("user", f"{user!r} cannot be looked up: {error}") from None
