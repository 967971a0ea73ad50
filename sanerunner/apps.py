"""The Django app: in INSTALLED_APPS, ``manage.py check`` reports configuration mistakes."""

from __future__ import annotations

from django.apps import AppConfig


class SaneRunnerConfig(AppConfig):
    name = "sanerunner"
    label = "sanerunner"
    verbose_name = "sanerunner"

    def ready(self) -> None:
        from . import checks

        checks.register_checks()
