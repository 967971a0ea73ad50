"""What is around a run: the project, the CI server, the files of database clients."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.conf import settings

# Where jobs of a project run side by side on one machine, and a variable numbers these places:
# (a variable of this CI server alone, the number).
CI_SLOTS = (("GITLAB_CI", "CI_CONCURRENT_ID"), ("JENKINS_URL", "EXECUTOR_NUMBER"))


def ci_suffix() -> str:
    """Return what tells the test databases of CI jobs that run side by side, or ""."""
    for server, number in CI_SLOTS:
        if os.environ.get(server) and os.environ.get(number, "").isdecimal():
            return f"ci{os.environ[number]}"
    return ""


def in_ci() -> bool:
    """Whether this is a CI server: all of them set CI."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}


def in_djangos_suite() -> bool:
    """Whether these are Django's own tests, which database backends mark: see
    ``BaseDatabaseCreation.mark_expected_failures_and_skips()``.
    """
    return os.environ.get("RUNNING_DJANGOS_TEST_SUITE") == "true"


# Names of packages that tell nothing of the project.
_COMMON = {"app", "conf", "config", "core", "project", "settings", "site", "src", "test", "tests"}


def project_name() -> str:
    """Return what tells this project from others on the same server: the package of its
    settings, with the name of the folder around it where that is a common one. Settings
    without a module: the package of the URLs.
    """
    if not settings.configured:
        return ""
    module = settings.SETTINGS_MODULE or getattr(settings, "ROOT_URLCONF", None) or ""
    package = str(module).partition(".")[0]
    if package not in _COMMON and package:
        return package
    path = getattr(sys.modules.get(package), "__file__", None)
    file = Path(path) if path else Path.cwd() / "manage.py"
    folder = file.parent.parent if file.name == "__init__.py" else file.parent
    return f"{folder.name}/{package}"


def postgresql_service_files() -> tuple[Path, ...]:
    """Return the files in which PostgreSQL's client looks for services, the first that it reads
    first.
    """
    system = os.environ.get("PGSYSCONFDIR")
    own = Path(os.environ.get("PGSERVICEFILE") or "~/.pg_service.conf")
    return (own, Path(system) / "pg_service.conf") if system else (own,)


def settings_module() -> str | None:
    """Return the module that the settings were read from; None if there is none."""
    module: str | None = getattr(settings, "SETTINGS_MODULE", None)
    return module
