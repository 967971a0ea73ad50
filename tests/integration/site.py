"""A small site for the integration server, in an inner project, and ways to run it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import unittest
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..support.projects import InnerProject, inner_project

SETTINGS = """
ROOT_URLCONF = "app.urls"
STATIC_URL = "/static/"
INSTALLED_APPS += ["django.contrib.staticfiles", "django.contrib.sessions"]
import django
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
MEDIA_URL, MEDIA_ROOT = "/media/", BASE_DIR / "media"
"""
URLS = """
from django.core import mail
from django.db import connections
from django.http import HttpResponse, JsonResponse
from django.urls import path
from app.models import Thing

def things(request):
    alias = request.GET.get("alias", "default")
    rows = Thing.objects.using(alias).order_by("pk").values_list("name", flat=True)
    return JsonResponse(list(rows), safe=False)

def add(request):
    Thing.objects.create(name=request.GET["name"])
    return HttpResponse("added")

def send(request):
    mail.send_mail("subject", "body", "from@example.com", ["to@example.com"])
    return JsonResponse(len(mail.outbox), safe=False)

def journal(request):
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        return HttpResponse(cursor.fetchone()[0])

def fail(request):
    raise ValueError("the view is wrong")

urlpatterns = [
    path("things/", things), path("add/", add), path("send/", send), path("journal/", journal),
    path("fail/", fail),
]
"""
FACTORIES = """
import factory
from app.models import Thing

class ThingFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Thing
    name = factory.Sequence(lambda n: f"thing {n}")

class NamedFactory(ThingFactory):
    name = factory.Faker("first_name")

class AbstractFactory(ThingFactory):
    class Meta:
        abstract = True

def fill():
    Thing.objects.create(name="filled")

def spoil():
    Thing.objects.create(name="spoilt")
    raise ValueError("no more things")

not_callable = 1
"""
# So that conversions of the command's output need no tool beside Python.
FETCH = """
import os, sys, urllib.request
base = os.environ["SANE_BASE_URL"]
for path in sys.argv[1:]:
    with urllib.request.urlopen(base + path, timeout=30) as answer:
        print(path, answer.status, answer.read().decode())
"""
TIMEOUT = 120


def site(test: unittest.TestCase, settings: str = "", **files: str) -> InnerProject:
    """Return the project of the site. ``settings`` come after those of the site."""
    return inner_project(
        test,
        settings=SETTINGS + settings,
        **{
            "app/urls.py": URLS,
            "app/factories.py": FACTORIES,
            "app/static/hello.css": "hello {}",
            "media/picture.txt": "a picture",
            "fetch.py": FETCH,
            **files,
        },
    )


class Site:
    """Runs ``manage.py integrationserver`` in a project, with a folder for temporary files of
    its own.
    """

    def __init__(self, test: unittest.TestCase, settings: str = "", **files: str) -> None:
        self.test = test
        self.project = site(test, settings, **files)
        self.temporary = self.project.folder / "tmp"
        self.temporary.mkdir()
        self.environment = {"TMPDIR": str(self.temporary)}

    def run(self, *arguments: str, **environment: str) -> Any:
        """Run the command to its end."""
        return self.project.run(
            "integrationserver",
            "--noinput",
            *arguments,
            environment={**self.environment, **environment},
        )

    def execute(self, command: str, *arguments: str) -> Any:
        """Run it with ``--exec``."""
        return self.run("--exec", command, *arguments)

    def fetch(self, *paths: str) -> str:
        """Return a command that prints what is at ``paths``."""
        return f"python fetch.py {' '.join(paths)}"

    def start(self, *arguments: str) -> Running:
        """Start it, and return when it says that it is ready."""
        process = self.project.start(
            "manage.py", "integrationserver", "--noinput", *arguments, environment=self.environment
        )
        running = Running(process)
        self.test.addCleanup(running.end)
        return running

    def files(self) -> list[str]:
        """Return the names of the database files that are there."""
        return sorted(path.name for path in self.temporary.rglob("*") if ".sqlite3" in path.name)


class Running:
    """A server that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        self.url = ""

    def wait_until_ready(self) -> Running:
        """Read what it says until it is ready."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            found = re.match(r"(http://\S+)/ is ready", line)
            if found:
                self.url = found[1]
                return self
        raise AssertionError(f"it was never ready: {self.said}{self.end()}")

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def finish(self, number: int | None = None) -> tuple[int, str, str]:
        """Send a signal; return status, stdout and stderr of the whole."""
        if number is not None:
            self.send(number)
        stdout, stderr = self._rest()
        return self.process.wait(TIMEOUT), self.said + stdout, stderr

    def _rest(self) -> tuple[str, str]:
        """Return what was not read yet. ``communicate()`` would lose what is in a buffer."""
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self.process.stdin.close()
        with ThreadPoolExecutor(1) as reader, self.process.stdout, self.process.stderr:
            errors = reader.submit(self.process.stderr.read)
            return self.process.stdout.read(), errors.result()

    def end(self) -> str:
        """End it at once, if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(TIMEOUT)
        assert self.process.stdout is not None
        return "" if self.process.stdout.closed else "".join(self._rest())


def is_alive(pid: int) -> bool:
    """Whether there is such a process, which has not ended."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def variables_of(text: str) -> Mapping[str, str]:
    """Return the variables that stand in ``text``, a line each."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


__all__ = ["Running", "Site", "is_alive", "signal", "variables_of"]
