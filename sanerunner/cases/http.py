"""The classes whose tests talk to a live server."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from urllib.request import Request

from django.apps import apps
from django.conf import settings
from django.test import LiveServerTestCase
from django.utils.functional import classproperty

from ..clients import extras
from .databases import DestructiveDatabaseTestCase

if TYPE_CHECKING:
    from ..clients.http import HttpClient
    from ..clients.twill import Twill

__unittest = True  # unittest leaves the frames of this module out of tracebacks


class HttpTestCase(DestructiveDatabaseTestCase, LiveServerTestCase):
    """Each test may send requests to a live server; afterwards the databases are put back as it
    found them, with the rows of ``setUpTestData()``.

    SaneRunner has one server for each process that runs tests; under any other runner it is
    Django's, one for each class.
    """

    test_type = "http"
    start_live_server = True
    #: An unhandled exception in a view fails the test, whatever the client has made of it. Only
    #: SaneRunner sees to this, and to requests that outlive their test.
    raise_server_errors = True

    @staticmethod
    def static_handler(application: Any) -> Any:
        """Put static files in front of an application, for Django's server: those that
        StaticLiveServerTestCase serves, if STATIC_URL is set.
        """
        if settings.STATIC_URL is None or not apps.is_installed("django.contrib.staticfiles"):
            return application
        from django.contrib.staticfiles.handlers import StaticFilesHandler

        return StaticFilesHandler(application)

    @classmethod
    def tearDownClass(cls) -> None:
        drain: Any = getattr(cls.server_thread, "drain", None)
        if drain is not None:  # before the databases are put back
            drain()
        super().tearDownClass()

    @classproperty
    def live_server_url(cls) -> str:
        """The address of the server, without a slash at the end."""
        server: Any = cls.server_thread
        return getattr(server, "url", None) or f"http://{cls.host}:{server.port}"

    @classmethod
    def url(cls, path: str = "/") -> str:
        """Return the address of ``path`` on the live server."""
        return urljoin(cls.live_server_url + "/", path)

    def urlopen(self, url: str | Request, data: bytes | None = None, **options: Any) -> Any:
        """Return the response to a request that ``urllib.request`` sends to a path, or a URL.

        It is closed after the test. Raises HTTPError as ``urllib.request.urlopen()`` does; for a
        status of 500 or above it is a HTTPServerError, whose message has the server's traceback.
        """
        from ..clients.urlopen import open_url  # only then: it takes long to import

        response = open_url(
            self.live_server_url, url, data, failures=self._server_failures, **options
        )
        self.addCleanup(response.close)
        return response

    @cached_property
    def http(self) -> HttpClient:
        """An ``httpx.Client`` for the live server, with cookies of its own for each test."""
        client: HttpClient = extras.load("http", needs="httpx", extra="http").HttpClient(
            self.live_server_url
        )
        self.addCleanup(client.close)
        return client

    @cached_property
    def twill(self) -> Twill:
        """twill's browser on the live server, as if new in each test."""
        twill: Twill = extras.load("twill", needs="twill", extra="twill").Twill(
            self.live_server_url, failures=self._server_failures
        )
        self.addCleanup(twill.close)
        return twill

    def assert_code(self, code: int) -> None:
        """Fail where the status of twill's current page is not ``code``."""
        self.twill.assert_code(code)

    def _server_failures(self) -> str:
        """Return the tracebacks of views that failed since this was asked for last."""
        tell: Any = getattr(self.server_thread, "tell_failures", lambda: "")
        return str(tell())
