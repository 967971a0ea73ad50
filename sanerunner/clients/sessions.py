"""A session for a user, without the login form."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_backends, login
from django.http import HttpRequest


class SessionCookie(NamedTuple):
    name: str
    value: str
    path: str


def session_cookie(user: Any, *, backend: str | None = None) -> SessionCookie:
    """Log ``user`` in and return the cookie that carries the session.

    It is what ``Client.force_login()`` does: the session is stored by the configured engine, the
    signal ``user_logged_in`` is sent. ``backend`` is the dotted path of an authentication
    backend; None is the first that knows users.
    """
    engine = import_module(settings.SESSION_ENGINE)
    request = HttpRequest()
    request.session = engine.SessionStore()
    login(request, user, backend or _backend_of(user))
    request.session.save()
    key = request.session.session_key
    assert key is not None
    return SessionCookie(settings.SESSION_COOKIE_NAME, key, settings.SESSION_COOKIE_PATH)


def _backend_of(user: Any) -> str:
    path: str | None = getattr(user, "backend", None)
    if path is not None:
        return path
    for backend in get_backends():
        if hasattr(backend, "get_user"):
            return f"{type(backend).__module__}.{type(backend).__qualname__}"
    raise ValueError("None of AUTHENTICATION_BACKENDS has get_user(): nobody can be logged in.")
