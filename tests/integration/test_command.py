"""manage.py integrationserver: databases, what it populates them with, what it serves."""

from __future__ import annotations

import json
import signal
import stat
import unittest
import urllib.error
import urllib.request
from typing import Any

from ..support.projects import MODELS
from ..support.services import databases_on, require_mariadb, require_postgresql
from .site import Running, Site, variables_of

TWO = """
DATABASES["replica"] = {**DATABASES["default"], "TEST": {"MIRROR": "default"}}
DATABASES["other"] = {
    "ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "other.sqlite3",
    "TEST": {"DEPENDENCIES": ["default"]},
}
"""


# What a command does with the control API.
CONTROLS = """
import os
from sanerunner.integration import Client

assert os.environ["CYPRESS_SANE_CONTROL_TOKEN"] == os.environ["SANE_CONTROL_TOKEN"]
client = Client()
counts = lambda: client.state()["counts"]["default"]["app.Thing"]
client.create("thing", name="made")
print("made", counts())
client.reset()
print("reset", counts())
"""
# A check that opens a database, as those of models do with some vendors.
CHECKS = """
from django.core import checks
from django.db import connection

@checks.register
def ask(**kwargs):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return [checks.Warning("asked a database")]

@checks.register
def refuse(**kwargs):
    import os
    return [checks.Error("not like this")] if "REFUSE" in os.environ else []
"""
UNMARKED = """
from sanerunner.databases.sqlite.site import SQLiteSite
SQLiteSite.write_mark = lambda site, name, mark: None
"""


class ControlTest(unittest.TestCase):
    def test_a_command_can_reset(self) -> None:
        for server in ("wsgi", "cheroot", "asgi"):
            with self.subTest(server):
                site = Site(self, **{"controls.py": CONTROLS})
                populate = ("--server", server, "--populate", "app.factories.fill")
                ran = site.execute("python -W error controls.py", *populate)
                self.assertEqual(ran.stdout, "made 2\nreset 1\n", ran.output)
                self.assertNotIn("token", ran.stderr)

    def test_people_are_told_the_token_and_so_is_the_ready_file(self) -> None:
        site = Site(self)
        path = site.project.folder / "ready.env"
        running = site.start("0", "--ready-file", str(path)).wait_until_ready()
        token = variables_of(path.read_text())["SANE_CONTROL_TOKEN"]
        self.assertGreater(len(token), 32)
        _, stdout, _ = running.finish(signal.SIGTERM)
        self.assertIn(f"Control API: {running.url}/__sane__/ token {token}", stdout)

    def test_without_it(self) -> None:
        running = Site(self).start("0", "--no-control").wait_until_ready()
        with self.assertRaises(urllib.error.HTTPError) as caught:
            running.get("/__sane__/state/")
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()


class ServedTest(unittest.TestCase):
    def test_what_a_command_finds(self) -> None:
        site = Site(self)
        command = site.fetch("/things/", "/journal/", "/static/hello.css", "/media/picture.txt")
        ran = site.execute(
            f"{command} && env", "--no-control", "--populate", "app.factories.ThingFactory:2"
        )
        self.assertEqual(ran.returncode, 0, ran.output)
        self.assertIn('/things/ 200 ["thing 0", "thing 1"]', ran.stdout)
        self.assertIn("/journal/ 200 wal", ran.stdout)
        self.assertIn("/static/hello.css 200 hello {}", ran.stdout)
        self.assertIn("/media/picture.txt 200 a picture", ran.stdout)
        found = variables_of(ran.stdout)
        url = found["SANE_BASE_URL"]
        self.assertRegex(url, r"^http://127\.0\.0\.1:\d+$")
        for name in ("CYPRESS_BASE_URL", "PLAYWRIGHT_BASE_URL"):
            self.assertEqual(found[name], url)
        self.assertNotIn("SANE_CONTROL_TOKEN", found)
        self.assertEqual(site.files(), [])
        with self.assertRaises(urllib.error.URLError):  # nothing listens there any more
            urllib.request.urlopen(url, timeout=5)

    def test_every_server(self) -> None:
        for server in ("wsgi", "cheroot", "asgi"):
            with self.subTest(server):
                site = Site(self)
                ran = site.execute(site.fetch("/things/"), "--no-control", "--server", server)
                self.assertIn("/things/ 200 []", ran.stdout, ran.output)

    def test_mail_stays_here_and_failures_are_told(self) -> None:
        site = Site(self)
        ran = site.execute(f"{site.fetch('/send/', '/send/', '/fail/')}; true", "--no-control")
        self.assertIn("/send/ 200 1\n/send/ 200 2\n", ran.stdout, ran.output)
        self.assertIn("GET /fail/ has failed", ran.stderr)
        self.assertIn("ValueError: the view is wrong", ran.stderr)

    def test_several_databases(self) -> None:
        site = Site(self, TWO)
        paths = [f"/things/?alias={alias}" for alias in ("default", "replica", "other")]
        ran = site.execute(
            site.fetch(*map("'{}'".format, ["/add/?name=new", *paths])), "--no-control"
        )
        self.assertIn('?alias=default 200 ["new"]', ran.stdout, ran.output)
        self.assertIn('?alias=replica 200 ["new"]', ran.stdout)
        self.assertIn("?alias=other 200 []", ran.stdout)

    def test_a_database_that_was_left_out(self) -> None:
        site = Site(self, TWO)
        ran = site.execute(
            f"{site.fetch('/things/?alias=other')}; true", "--no-control", "--database", "default"
        )
        self.assertIn("add --database other", ran.stderr, ran.output)
        self.assertFalse((site.project.folder / "other.sqlite3").exists())

    def test_ready_file(self) -> None:
        site = Site(self)
        path = site.project.folder / "ready.env"
        path.write_text("SANE_BASE_URL=stale\n")
        running = site.start("0", "--no-control", "--ready-file", str(path)).wait_until_ready()
        self.assertEqual(variables_of(path.read_text())["SANE_BASE_URL"], running.url)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(running.get("/things/"), "[]")
        self.assertEqual(running.finish(signal.SIGTERM)[0], 0)
        self.assertFalse(path.exists())


class ChecksTest(unittest.TestCase):
    def test_none_reaches_the_real_database(self) -> None:
        site = Site(self, **{"app/models.py": MODELS + CHECKS})
        ran = site.execute("true", "--no-control")
        self.assertEqual((ran.returncode, ran.stdout), (0, ""), ran.output)
        self.assertEqual(ran.stderr.count("asked a database"), 1)
        self.assertFalse((site.project.folder / "real.sqlite3").exists())

    def test_errors_end_it(self) -> None:
        site = Site(self, **{"app/models.py": MODELS + CHECKS})
        ran = site.run("0", "--no-control", REFUSE="1")
        self.assertEqual(ran.returncode, 1, ran.output)
        self.assertIn("not like this", ran.stderr)
        self.assertEqual(site.files(), [])


class PopulateTest(unittest.TestCase):
    def populated(self, site: Site, *arguments: str) -> list[str]:
        ran = site.execute(site.fetch("/things/"), "--no-control", *arguments)
        self.assertEqual(ran.returncode, 0, ran.output)
        names: list[str] = json.loads(ran.stdout.partition(" 200 ")[2])
        return names

    def test_two_runs_give_the_same_and_another_seed_does_not(self) -> None:
        site = Site(self)
        named = ("--populate", "app.factories.NamedFactory:6")
        first = self.populated(site, *named)
        self.assertEqual(len(first), 6)
        self.assertEqual(self.populated(site, *named), first)
        self.assertNotEqual(self.populated(site, *named, "--seed", "7"), first)

    def test_the_setting_and_functions(self) -> None:
        site = Site(
            self,
            'SANERUNNER["INTEGRATION"] = '
            '{"POPULATE": ["app.factories.fill:2", "app.factories.ThingFactory"]}',
        )
        self.assertEqual(self.populated(site), ["filled", "filled", "thing 0"])
        self.assertEqual(self.populated(site, "--populate", "app.factories.fill"), ["filled"])

    def test_what_fails(self) -> None:
        site = Site(self)
        for text, message in (
            ("app.factories.spoil", "ValueError: no more things (app/factories.py:22). Nothing"),
            ("app.factories.ThingFactory:x", "is no dotted.path[:count]"),
            ("app.factories.Missing", 'does not define a "Missing" attribute'),
            ("app.factories.not_callable", "is neither a factory nor a function"),
            ("app.factories.AbstractFactory", "is an abstract factory"),
        ):
            with self.subTest(text):
                ran = site.execute("echo never", "--no-control", "--populate", text)
                self.assertEqual(ran.returncode, 2, ran.output)
                self.assertIn(message, ran.stderr)
                self.assertNotIn("Traceback", ran.stderr)
                self.assertNotIn("never", ran.stdout)
                self.assertEqual(site.files(), [])


class KeptTest(unittest.TestCase):
    def test_a_kept_database_is_used_again(self) -> None:
        site = Site(self)
        populate = ("--no-control", "--keepdb", "--populate", "app.factories.fill")
        site.execute(site.fetch("'/add/?name=left'"), *populate)
        self.assertNotEqual(site.files(), [])
        again = site.execute(site.fetch("/things/"), *populate)
        self.assertIn(": current", again.stderr, again.output)
        self.assertIn('/things/ 200 ["filled"]', again.stdout)  # not what was left
        anew = site.execute("true", *populate, "--create-db")
        self.assertIn("rebuilt, as --create-db asks", anew.stderr, anew.output)
        site.execute("true", "--no-control")
        self.assertEqual(site.files(), [])


class VendorTest(unittest.TestCase):
    def check(self, settings: dict[str, Any]) -> None:
        site = Site(self, f"DATABASES = {{'default': {settings!r}}}")
        before = databases_on(settings)
        ran = site.execute(
            site.fetch("/things/"), "--no-control", "--populate", "app.factories.ThingFactory:2"
        )
        self.assertEqual(ran.returncode, 0, ran.output)
        self.assertIn('/things/ 200 ["thing 0", "thing 1"]', ran.stdout)
        mine = {name for name in databases_on(settings) - before if settings["NAME"] in name}
        self.assertEqual(mine, set())

    def test_postgresql(self) -> None:
        self.check(require_postgresql(self, "server"))

    def test_mariadb(self) -> None:
        self.check(require_mariadb(self, "server"))


class MistakesTest(unittest.TestCase):
    def refused(self, *arguments: str, settings: str = "") -> str:
        ran = Site(self, settings).run("--no-control", *arguments)
        self.assertEqual(ran.returncode, 2, ran.output)
        self.assertNotIn("Traceback", ran.stderr)
        self.assertLessEqual(len(ran.stderr.strip().splitlines()), 6, ran.output)
        return str(ran.stderr)

    def test_each_is_told_in_a_line(self) -> None:
        for arguments, message in (
            (("not:a:port",), "addrport 'not:a:port'"),
            (("70000",), "must be a port"),
            (("--database", "othr"), "unknown database 'othr'"),
        ):
            with self.subTest(arguments):
                self.assertIn(message, self.refused(*arguments))

    def test_a_port_that_is_in_use(self) -> None:
        running: Running = Site(self).start("0", "--no-control").wait_until_ready()
        port = running.url.rpartition(":")[2]
        told = self.refused(port)
        self.assertIn(f"cannot listen on 127.0.0.1:{port}", told)
        self.assertIn("Give another addrport", told)

    def test_a_database_without_the_mark(self) -> None:
        self.assertIn("does not carry the mark of this run", self.refused(settings=UNMARKED))
        site = Site(self, UNMARKED)
        self.assertEqual(site.execute("true", "--no-control", "--force").returncode, 0)

    def test_production_settings(self) -> None:
        settings = 'ALLOWED_HOSTS = ["shop.example.com"]\nDEBUG = False'
        told = self.refused(settings=settings)
        self.assertIn("These look like production settings", told)
        self.assertIn("shop.example.com", told)
        site = Site(self, settings)
        self.assertEqual(site.execute("true", "--no-control", "--force").returncode, 0)
