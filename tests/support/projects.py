"""Inner projects: a Django project in a temporary folder, whose tests run in a subprocess."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent.parent

MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""

SETTINGS = """
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "inner"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "sanerunner", "app"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "real.sqlite3"}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
TEST_RUNNER = "sanerunner.SaneRunner"
SANERUNNER = {}
"""

MODELS = """
from django.db import models

class Thing(models.Model):
    name = models.CharField(max_length=50)
"""


# Variables that would change what a run does.
NOT_INHERITED = {
    "DJANGO_SETTINGS_MODULE",
    "DST_PERSIST_TEST_DATABASE",
    "FORCE_COLOR",
    "GITLAB_CI",
    "JENKINS_URL",
}


@dataclass(frozen=True)
class Outcome:
    """What a command of an inner project did."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return f"exit {self.returncode}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


class InnerProject:
    """A project with one app, "app", that has the model ``Thing(name)``.

    ``files`` maps paths to sources (dedented); ``settings`` is appended to the settings.
    """

    def __init__(self, folder: Path, files: Mapping[str, str], settings: str = "") -> None:
        self.folder = folder
        self.write("manage.py", MANAGE)
        self.write("settings.py", SETTINGS + textwrap.dedent(settings))
        self.write("app/__init__.py", "")
        self.write("app/models.py", MODELS)
        for path, source in files.items():
            self.write(path, source)

    def write(self, path: str, source: str) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(source), encoding="utf-8")
        return target

    def run(self, *arguments: str, **options: Any) -> Outcome:
        """Run ``manage.py`` with ``arguments``; warnings are errors there as well."""
        return self.python("manage.py", *arguments, **options)

    def test(self, *arguments: str, **options: Any) -> Outcome:
        """Run ``manage.py test --noinput`` with ``arguments``."""
        return self.run("test", "--noinput", *arguments, **options)

    def python(
        self, *arguments: str, environment: Mapping[str, str] | None = None, answer: str = ""
    ) -> Outcome:
        """Run Python in the project's folder; ``answer`` is what a user types."""
        process = self.start(*arguments, environment=environment)
        stdout, stderr = process.communicate(answer, timeout=120)
        return Outcome(process.returncode, stdout, stderr)

    def start(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start Python in the project's folder."""
        kept = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
        return subprocess.Popen(
            [sys.executable, "-W", "error", *arguments],
            cwd=self.folder,
            env={**kept, "PYTHONPATH": str(ROOT), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def xml(self, path: str = "junit.xml") -> ElementTree.Element:
        return ElementTree.parse(self.folder / path).getroot()

    def verdicts(self, path: str = "junit.xml") -> dict[str, str]:
        """Return test name -> "passed" or the tag (failure, error, skipped) in the report."""
        found = {}
        for case in self.xml(path).iter("testcase"):
            tags = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
            found[case.get("name", "")] = tags[0] if tags else "passed"
        return found


def inner_project(
    test: unittest.TestCase, tests: str = "", settings: str = "", **files: str
) -> InnerProject:
    """Return a project that is removed after ``test``.

    ``tests`` is the source of ``app/tests.py``; other files are given by path in ``files``.
    """
    folder = tempfile.TemporaryDirectory(prefix="inner-")
    test.addCleanup(folder.cleanup)
    return InnerProject(Path(folder.name), {"app/tests.py": tests, **files}, settings)
