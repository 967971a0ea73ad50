"""Nothing is left after a run: no thread, no socket, no session in a database."""

from __future__ import annotations

import json
import sys
import unittest

from ..support.projects import InnerProject
from ..support.services import on_postgresql, require_postgresql
from .project import http_project

TESTS = """
import http.client
from urllib.parse import urlsplit

class OpenTest(HttpTestCase):
    def test_leaves_all_open(self):
        global connection, response, client
        Thing.objects.create(name="oak")
        self.assertEqual(self.urlopen("/things/").read(), b"oak")
        self.assertEqual(self.http.get("/things/").text, "oak")
        self.twill.go("/things/")
        connection = http.client.HTTPConnection(urlsplit(self.live_server_url).netloc)
        connection.request("GET", "/things/")
        connection.getresponse().read()

class StockTest(LiveServerTestCase):
    def test(self):
        self.assertEqual(read(self.live_server_url + "/things/"), "")

class PlainTest(unittest.TestCase):
    start_live_server = True

    def test(self):
        self.assertEqual(read(self.url("/things/")), "")
"""

RUN = """
import json, os, sys, threading
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.core.management import call_command
from django.db import connections

try:
    call_command("test", *sys.argv[1:], interactive=False, verbosity=0)
except SystemExit as error:
    assert not error.code, error.code
import app.tests as tests
if hasattr(tests, "connection"):
    tests.connection.close()
links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
links = [os.readlink(link) for link in links if os.path.islink(link)]
threads = set(threading.enumerate()) - {threading.main_thread()}
print(json.dumps({
    "threads": [each.name for each in threads],
    "sockets": [link for link in links if link.startswith("socket:")],
    "sessions": [each.alias for each in connections.all() if each.connection is not None],
    "patched": [name for name in ("create_connection",) if name in vars(connections)],
}))
"""

NOTHING = {"threads": [], "sockets": [], "sessions": [], "patched": []}


@unittest.skipUnless(sys.platform == "linux", "reads /proc")
class LeftoversTest(unittest.TestCase):
    def left(self, project: InnerProject, *options: str) -> dict[str, list[str]]:
        project.write("run.py", RUN)
        outcome = project.python("run.py", *options)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        found: dict[str, list[str]] = json.loads(outcome.stdout.splitlines()[-1])
        return found

    def test_serial(self) -> None:
        for server in ("wsgi", "cheroot", "asgi"):
            with self.subTest(server):
                project = http_project(self, TESTS)
                self.assertEqual(self.left(project, f"--live-server={server}"), NOTHING)

    def test_a_database_in_memory(self) -> None:
        self.assertEqual(self.left(http_project(self, TESTS, "")), NOTHING)

    def test_parallel(self) -> None:
        self.assertEqual(self.left(http_project(self, TESTS), "--parallel=2"), NOTHING)

    def test_sessions_of_a_server(self) -> None:
        database = require_postgresql(self, "left")
        project = http_project(self, TESTS, f"DATABASES = {{'default': {database!r}}}\n")
        self.assertEqual(self.left(project), NOTHING)
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '%{NAME}%'"
        self.assertEqual(on_postgresql(database, query.format(**database)), [(0,)])
