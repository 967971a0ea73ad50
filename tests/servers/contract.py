"""What the tests of live servers share: a server, clients, and databases to serve from."""

from __future__ import annotations

import gc
import http.client
import os
import shutil
import socket
import struct
import tempfile
import threading
import unittest
import warnings
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.db import connections
from django.test import override_settings

from sanerunner import DestructiveDatabaseTestCase
from sanerunner.exceptions import ServerError
from sanerunner.servers.process import ProcessServer
from sanerunner.servers.registry import SERVERS
from tests.rewind.throwaway import full_settings
from tests.shop.models import Category, Product

from . import views

FILE = "served_file"
ROOT = Path(__file__).resolve().parents[2]


class Client:
    """Keeps one connection to a server."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str) -> str:
        """Return the body, with the status before it where that is not 200."""
        return self._ask("GET", path)

    def post(self, path: str, body: bytes) -> str:
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> str:
        self._connection.request(method, path, body)
        response = self._connection.getresponse()
        text = response.read().decode()
        return text if response.status == 200 else f"{response.status} {text}"

    def send(self, path: str) -> None:
        """Send a request, and wait for no answer."""
        self._connection.request("GET", path)

    def answer(self) -> http.client.HTTPResponse:
        return self._connection.getresponse()

    def reset(self) -> None:
        """Leave in a way that the server cannot write to."""
        connection: Any = self._connection.sock
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._connection.close()


def require(kind: str) -> None:
    """Skip where the package of a server is not installed; in CI that is a failure."""
    from sanerunner.servers.registry import server_class

    try:
        server_class(kind)
    except ServerError as error:
        if os.environ.get("CI", "").lower() == "true":
            raise
        raise unittest.SkipTest(str(error)) from error


def require_package(name: str, extra: str) -> None:
    """The same for what only a test needs."""
    if find_spec(name) is None:
        reason = f"pip install sanerunner[{extra}]"
        if os.environ.get("CI", "").lower() == "true":
            raise AssertionError(reason)
        raise unittest.SkipTest(reason)


class ServerContract(unittest.TestCase):
    """Tests of one kind of server; ``served`` is the database that views use."""

    kind = "wsgi"
    served = "default"

    def setUp(self) -> None:
        require(self.kind)
        with ExitStack() as stack:
            # Django does not close the body of an async request that is cancelled.
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "Unclosed file", ResourceWarning)
            self.addCleanup(stack.pop_all().close)
        override = override_settings(
            ROOT_URLCONF="tests.servers.views", ALLOWED_HOSTS=["127.0.0.1"]
        )
        override.enable()
        self.addCleanup(override.disable)
        self.threads = set(threading.enumerate())
        self.signals = views.reset()
        self.server = ProcessServer(self.kind, grace=5)
        self.addCleanup(self.end)

    def end(self) -> None:
        """Whatever a test has left waiting goes on; nothing of the server may be left then."""
        self.server.stop()
        self.signals.proceed.set()
        for thread in set(threading.enumerate()) - self.threads:
            thread.join(10)
        gc.collect()
        left = set(threading.enumerate()) - self.threads
        self.assertEqual(left, set(), "threads are left")

    def open(self) -> Client:
        """Open the gate for this test; return a client."""
        self.server.open(self.id())
        return self.client_of_server()

    def client_of_server(self) -> Client:
        client = Client(self.server.port)
        self.addCleanup(client.close)
        return client

    def url(self, path: str, **query: str) -> str:
        query = {"db": self.served, **query}
        return f"/{path}?" + "&".join(f"{name}={value}" for name, value in query.items())

    def names(self) -> set[str]:
        """What the database holds, as the test's thread sees it."""
        names = set(Category.objects.using(self.served).values_list("name", flat=True))
        return names - {"trees", "shrubs"}  # of a migration


class InFile:
    """Served from a SQLite file, which lives as long as the test."""

    served = FILE
    test_type = "destructive"

    def setUp(self: Any) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        connections.settings[FILE] = full_settings(
            {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(Path(folder) / "served.sqlite3"),
                "OPTIONS": {"timeout": 60, "init_command": "PRAGMA synchronous = OFF"},
            }
        )
        self.addCleanup(forget_file)
        with connections[FILE].schema_editor() as editor:
            editor.create_model(Category)
            editor.create_model(Product)
        super().setUp()  # type: ignore[misc]


def forget_file() -> None:
    connections[FILE].close()
    del connections[FILE]
    del connections.settings[FILE]


def for_each_server(contract: type[ServerContract], *, files: bool = False) -> dict[str, type]:
    """Return a test class for each server on the suite's database, and on a SQLite file."""
    made: dict[str, type] = {}
    stem = contract.__name__.removesuffix("Contract")
    for kind in SERVERS:
        for suffix, bases in (
            ("", (contract, DestructiveDatabaseTestCase)),
            ("InFile", (InFile, contract)),
        ):
            if files or not suffix:
                name = f"{kind.title()}{stem}{suffix}Test"
                members = {"kind": kind, "__module__": contract.__module__}
                made[name] = type(name, bases, members)
    return made
