"""The project's application, with its static and media files in front.

Django's own settings are read right here; sanerunner's are passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
from django.core.exceptions import SuspiciousFileOperation
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.utils._os import safe_join
from django.utils.module_loading import import_string
from django.views.static import serve

from ..exceptions import ServerError
from .base import ASGI

# Django's handlers for files, to which mypy would object as they are.
_WSGIFiles: Any = StaticFilesHandler
_ASGIFiles: Any = ASGIStaticFilesHandler

Application = Callable[..., Any]


def application_for(interface: str) -> Application:
    """Return the project's application for the interface "wsgi" or "asgi"."""
    return asgi_application() if interface == ASGI else wsgi_application()


def wsgi_application(*, static_handler: Callable[[Application], Any] | None = None) -> Application:
    """Return WSGI_APPLICATION, or Django's handler, with files in front of it.

    ``static_handler`` is that of a LiveServerTestCase; by default it is what
    StaticLiveServerTestCase has, if STATIC_URL is set.
    """
    application: Application = _project("WSGI_APPLICATION", WSGIHandler)
    if _has_media():
        application = _MediaFiles(application)
    if static_handler is not None:
        handled: Application = static_handler(application)
        return handled
    return _static_handler(_WSGIFiles, _Collected)(application)


def asgi_application() -> Application:
    """Return ASGI_APPLICATION, or Django's handler, with files in front of it."""
    application: Any = _project("ASGI_APPLICATION", ASGIHandler)
    if _has_media():
        application = _ASGIMediaFiles(application)
    return _static_handler(_ASGIFiles, _ASGICollected)(application)


def _project(name: str, handler: Callable[[], Application]) -> Application:
    """Return the application that a setting names, or Django's, made by ``handler()``.

    ``get_wsgi_application()`` would set Django up once more, logging and all.
    """
    path = getattr(settings, name, None)
    if path is None:
        return handler()
    try:
        application: Application = import_string(path)
    except ImportError as error:
        raise ServerError(f"{name} {path!r} cannot be imported: {error}") from error
    return application


def _static_handler(found: Any, collected: Any) -> Callable[[Application], Application]:
    """Return what serves static files: by the finders, or those in STATIC_ROOT, or nothing."""
    if settings.STATIC_URL and apps.is_installed("django.contrib.staticfiles"):
        return found  # type: ignore[no-any-return]
    if settings.STATIC_URL and settings.STATIC_ROOT:
        return collected  # type: ignore[no-any-return]
    return lambda application: application


def _has_media() -> bool:
    """Without MEDIA_ROOT Django would serve the current folder: settings, keys and all."""
    return bool(settings.MEDIA_ROOT) and urlparse(settings.MEDIA_URL).path not in ("", "/")


class _Folder:
    """Serves the files of a folder; other paths below the URL are the application's."""

    base_url: Any

    def get_base_url(self) -> str:
        return str(self.url())

    def url(self) -> str:
        raise NotImplementedError

    def root(self) -> str:
        raise NotImplementedError

    def _should_handle(self, path: str) -> bool:
        if self.base_url.netloc or not path.startswith(self.base_url.path):
            return False
        try:
            return Path(safe_join(self.root(), self.file_path(path).lstrip("/"))).is_file()
        except (SuspiciousFileOperation, ValueError):
            return False

    def file_path(self, url: str) -> str:
        return url2pathname(url.removeprefix(self.base_url.path))

    def serve(self, request: Any) -> Any:
        return serve(request, self.file_path(request.path), document_root=self.root())


class _Media(_Folder):
    def url(self) -> str:
        return str(settings.MEDIA_URL)

    def root(self) -> str:
        return str(settings.MEDIA_ROOT)


class _Static(_Folder):
    def url(self) -> str:
        return str(settings.STATIC_URL)

    def root(self) -> str:
        return str(settings.STATIC_ROOT)


class _MediaFiles(_Media, _WSGIFiles):
    """Over WSGI."""


class _ASGIMediaFiles(_Media, _ASGIFiles):
    """Over ASGI."""


class _Collected(_Static, _WSGIFiles):
    """Over WSGI, without staticfiles in INSTALLED_APPS."""


class _ASGICollected(_Static, _ASGIFiles):
    """Over ASGI, without staticfiles in INSTALLED_APPS."""
