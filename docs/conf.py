"""Sphinx configuration: ``sphinx-build -n -W -b html docs docs/_build/html``."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_ext")]

# autodoc imports the package, whose modules import Django's test classes.
import django  # noqa: E402
from django.conf import settings  # noqa: E402

settings.configure(
    INSTALLED_APPS=["sanerunner"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()

import sanerunner  # noqa: E402

project = "sanerunner"
author = "The sanerunner maintainers"
copyright = author
version = release = sanerunner.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "options_list", "plain_dataclasses"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

smartquotes = False  # "--list" is no dash

html_theme = "furo"
html_title = "sanerunner"
exclude_patterns = ["_build"]
templates_path: list[str] = []

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True

# Pages are built without a network, so there are no inventories of Python's and Django's own
# documentation to link to; and types that are internal to the package have no page.
nitpick_ignore_regex = [
    ("py:.*", r"(argparse|collections|enum|pathlib|typing|unittest|urllib)\b.*"),
    ("py:.*", r"django\b.*"),
    ("py:.*", r"(Any|Iterable|Sequence|TestCase|TestResult|TestSuite|ArgumentParser)"),
    ("py:.*", r"(sanerunner\.)?(conf|databases|options)\..*|Config|Layout|Event"),
]
