"""``--reload``: the code changes, the databases stay."""

from __future__ import annotations

import os
import signal
import unittest

from sanerunner.integration import Client

from .site import URLS, Running, Site, variables_of

VERSION = """

def version(request):
    return HttpResponse("version %s")

urlpatterns.append(path("version/", version))
"""


class ReloadTest(unittest.TestCase):
    def setUp(self) -> None:
        if os.name != "posix":
            self.skipTest("signals and groups of processes are POSIX's")
        self.site = Site(self, **{"app/urls.py": URLS + VERSION % 1})

    def write(self, source: str) -> None:
        """Change the URLs; some file systems tell the time of a change in whole seconds."""
        path = self.site.project.folder / "app" / "urls.py"
        later = path.stat().st_mtime + 2
        self.site.project.write("app/urls.py", source)
        os.utime(path, (later, later))

    def start(self, *arguments: str) -> Running:
        return self.site.start(
            "0",
            "--no-control",
            "--reload",
            "--populate",
            "app.factories.ThingFactory:2",
            *arguments,
        ).wait_until_ready()

    def test_what_was_written_stays(self) -> None:
        running = self.start()
        url = running.url
        self.assertEqual(running.get("/version/"), "version 1")
        running.get("/add/?name=typed")
        self.write(URLS + VERSION % 2)
        running.wait_until_ready()
        self.assertEqual(running.url, url)
        self.assertEqual(running.get("/version/"), "version 2")
        self.assertEqual(running.get("/things/"), '["thing 0", "thing 1", "typed"]')
        status, stdout, stderr = running.finish(signal.SIGTERM)
        self.assertEqual(status, 0, stderr)
        self.assertIn("app/urls.py has changed", stdout)
        self.assertEqual(self.site.files(), [])

    def test_the_control_api_goes_on(self) -> None:
        path = self.site.project.folder / "ready.env"
        running = self.site.start(
            "0", "--reload", "--ready-file", str(path), "--populate", "app.factories.fill"
        ).wait_until_ready()
        known = variables_of(path.read_text())
        client = Client(known["SANE_BASE_URL"], known["SANE_CONTROL_TOKEN"])
        client.create("thing", name="made")
        self.write(URLS + VERSION % 2)
        running.wait_until_ready()
        self.assertEqual(running.get("/things/"), '["filled", "made"]')
        client.create("thing", name="made too")
        client.reset()
        self.assertEqual(running.get("/things/"), '["filled"]')
        self.assertEqual(running.finish(signal.SIGTERM)[0], 0)

    def test_code_that_cannot_be_imported_is_waited_for(self) -> None:
        running = self.start()
        self.write("this is no Python")
        assert running.process.stderr is not None
        while "waiting for a change" not in (line := running.process.stderr.readline()):
            self.assertTrue(line, "it has ended")
        self.write(URLS + VERSION % 3)
        running.wait_until_ready()
        self.assertEqual(running.get("/version/"), "version 3")
        self.assertEqual(running.finish(signal.SIGINT)[0], 0)
        self.assertEqual(self.site.files(), [])

    def test_databases_of_a_killed_process_are_removed(self) -> None:
        self.site.project.write("app/kill.py", "")
        self.write(URLS + 'urlpatterns.append(path("kill/", lambda r: __import__("os")._exit(9)))')
        running = self.start()
        with self.assertRaises(OSError):
            running.get("/kill/")
        assert running.process.stderr is not None
        while "waiting for a change" not in (line := running.process.stderr.readline()):
            self.assertTrue(line, "it has ended")
        self.assertNotEqual(self.site.files(), [])
        self.assertEqual(running.finish(signal.SIGTERM)[0], 0)
        self.assertEqual(self.site.files(), [])

    def test_keepdb_keeps_them(self) -> None:
        running = self.start("--keepdb")
        self.assertEqual(running.finish(signal.SIGTERM)[0], 0)
        self.assertNotEqual(self.site.files(), [])

    def test_a_command_beside_it(self) -> None:
        ran = self.site.run(
            "--no-control", "--reload", "--exec", f"{self.site.fetch('/version/')}; exit 6"
        )
        self.assertEqual(ran.returncode, 6, ran.output)
        self.assertIn("/version/ 200 version 1", ran.stdout)
        self.assertEqual(self.site.files(), [])

    def test_a_mistake_at_the_start_ends_it(self) -> None:
        ran = self.site.run("0", "--no-control", "--reload", "--populate", "app.nothing")
        self.assertEqual(ran.returncode, 2, ran.output)
        self.assertIn("--populate: cannot import 'app.nothing'", ran.stderr)
        self.assertEqual(self.site.files(), [])
