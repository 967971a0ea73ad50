"""Static and media files: what is served, and what never is."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.test import override_settings
from django.test.testcases import _StaticFilesHandler  # type: ignore[attr-defined]

from sanerunner.servers.application import wsgi_application

from .contract import ROOT, Client, ServerContract, for_each_server


class FilesContract(ServerContract):
    """The files of a folder: ``static/``, ``collected/`` and ``media/``, each with a.txt."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("static", "collected", "media"):
            (self.folder / name).mkdir()
            (self.folder / name / "a.txt").write_text(f"in {name}")
        (self.folder / "secret.txt").write_text("not to be served")

    def serving(self, **changes: object) -> Client:
        """Open a server with these settings; return a client."""
        override = override_settings(**changes)
        override.enable()
        self.addCleanup(override.disable)
        return self.open()

    def assert_missing(self, client: Client, *paths: str) -> None:
        for path in paths:
            with self.subTest(path):
                found = client.get(path)
                self.assertTrue(found.startswith("404 "), found[:200])

    def test_static_files_are_found_by_the_finders(self) -> None:
        client = self.serving(
            INSTALLED_APPS=[*settings.INSTALLED_APPS, "django.contrib.staticfiles"],
            STATIC_URL="/static/",
            STATIC_ROOT=None,
            STATICFILES_DIRS=[self.folder / "static"],
        )
        self.assertEqual(client.get("/static/a.txt"), "in static")
        self.assertEqual(client.get("/ping/"), "pong")
        self.assert_missing(client, "/static/b.txt", "/a.txt")
        self.assertNotIn("secret", client.get("/static/../secret.txt"))  # which Django refuses

    def test_without_the_app_those_that_are_collected(self) -> None:
        self.assertFalse(apps.is_installed("django.contrib.staticfiles"))
        client = self.serving(STATIC_URL="/static/", STATIC_ROOT=self.folder / "collected")
        self.assertEqual(client.get("/static/a.txt"), "in collected")
        self.assert_missing(client, "/static/b.txt", "/static/../secret.txt")

    def test_media(self) -> None:
        client = self.serving(MEDIA_URL="/ping/", MEDIA_ROOT=self.folder / "media")
        self.assertEqual(client.get("/ping/a.txt"), "in media")
        self.assertEqual(client.get("/ping/"), "pong")  # what is no file is the application's
        self.assert_missing(
            client,
            "/ping/b.txt",
            "/ping/../secret.txt",
            "/ping/%2e%2e/secret.txt",
            "/ping/..%2fsecret.txt",
            f"/ping/{self.folder}/secret.txt",
            "/ping/%00",
        )

    def test_nothing_is_served_without_media_root(self) -> None:
        """Django serves the current folder then: settings with their SECRET_KEY, databases…"""
        for media_url in ("", "/", "/media/"):
            with self.subTest(media_url):
                with override_settings(MEDIA_URL=media_url, MEDIA_ROOT="", STATIC_URL=None):
                    client = self.open()
                    for path in ("tests/settings/base.py", "setup.cfg"):
                        self.assertTrue((ROOT / path).is_file())
                        self.assert_missing(client, f"/{path}", f"/media/{path}")
                self.server.stop()
                self.server._application = None

    def test_media_at_the_root_of_the_site_is_not_served(self) -> None:
        client = self.serving(MEDIA_URL="", MEDIA_ROOT=self.folder)
        self.assert_missing(client, "/secret.txt")


class StaticHandlerTest(ServerContract):
    test_type = "destructive"

    def test_that_of_a_stock_class(self) -> None:
        with (
            tempfile.TemporaryDirectory() as folder,
            override_settings(STATIC_URL="/static/", STATIC_ROOT=folder),
        ):
            (Path(folder) / "a.txt").write_text("in the root")
            application = wsgi_application(static_handler=_StaticFilesHandler)
            self.server.open("x", application=application)
            client = self.client_of_server()
            self.assertEqual(client.get("/static/a.txt"), "in the root")
            self.assertEqual(client.get("/ping/"), "pong")


globals().update(for_each_server(FilesContract))
del FilesContract, ServerContract
