"""Every option of the runner, declared once."""

from __future__ import annotations

from ..events import Kind
from .browsers import BROWSERS
from .databases import DATABASES
from .django import DJANGO
from .integration import INTEGRATION
from .option import Option
from .reports import REPORTS
from .running import RUNNING
from .servers import SERVERS

__all__ = ["OLD_SELECTIONS", "OPTIONS", "Option"]

OPTIONS: tuple[Option, ...] = (
    *RUNNING,
    *REPORTS,
    *DATABASES,
    *SERVERS,
    *BROWSERS,
    *INTEGRATION,
    *DJANGO,
)

# django-sane-testing's spellings: --select-unittests is --select=unit.
OLD_SELECTIONS: dict[Kind, tuple[str, ...]] = {
    Kind.UNIT: ("-u", "--select-unittests"),
    Kind.DATABASE: ("--select-databasetests",),
    Kind.DESTRUCTIVE: ("--select-destructivedatabasetests",),
    Kind.HTTP: ("--select-httptests",),
    Kind.SELENIUM: ("--select-seleniumtests",),
}
