"""Signs of settings that are not for this: those of a site that others use."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings

from ..exceptions import UnsafeDatabaseError
from .environment import LOCAL

# Settings that say that the site is reached over HTTPS, as no integration server is.
_SECURE = (
    "SECURE_SSL_REDIRECT",
    "SECURE_HSTS_SECONDS",
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
)
_ENDINGS = (".localhost", ".test", ".example", ".invalid")


def refuse() -> None:
    """Raise UnsafeDatabaseError if the settings look like a site's in production."""
    signs = list(_signs())
    if not settings.DEBUG and signs:
        raise UnsafeDatabaseError(
            f"These look like production settings: DEBUG is off and {signs[0]}. Give settings "
            "for tests with --settings; if you are sure that these are, --force."
        )


def _signs() -> Iterator[str]:
    for host in settings.ALLOWED_HOSTS:
        if host not in {*LOCAL, "::1", "testserver"} and not host.endswith(_ENDINGS):
            yield f"ALLOWED_HOSTS has {host!r}"
    for name in _SECURE:
        if getattr(settings, name, None):
            yield f"{name} is on"
