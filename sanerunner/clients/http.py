"""``self.http``: an httpx client for the live server."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from .sessions import session_cookie
from .urlopen import TIMEOUT


class HttpClient(httpx.Client):  # type: ignore[misc]
    """httpx.Client for one server; paths are below ``base_url``, cookies are its own."""

    def __init__(self, base_url: str, **options: Any) -> None:
        defaults = {
            "timeout": TIMEOUT,
            "trust_env": False,  # a proxy is not the way to this machine
            "verify": base_url.startswith("https:"),  # reading certificates takes 50 ms and more
        }
        super().__init__(base_url=base_url, **{**defaults, **options})

    def login(self, user: Any, *, backend: str | None = None) -> None:
        """Log ``user`` in without the login form; the session is stored by the configured engine.

        ``backend`` is the dotted path of an authentication backend, where there are several.
        """
        cookie = session_cookie(user, backend=backend)
        self.logout()
        self.cookies.set(cookie.name, cookie.value, domain=self._domain, path=cookie.path)

    def logout(self) -> None:
        """Forget the session's cookie."""
        for cookie in list(self.cookies.jar):
            if cookie.name == settings.SESSION_COOKIE_NAME:
                self.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)

    @property
    def _domain(self) -> str:
        return urlsplit(str(self.base_url)).hostname or ""
