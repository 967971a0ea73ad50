"""The documentation: nothing is missing, what it quotes works, its links lead somewhere."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
import unittest
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import sanerunner
from sanerunner import cases, events, exceptions
from sanerunner.options import OLD_SELECTIONS, OPTIONS
from sanerunner.options.integration import KEYS
from sanerunner.plugins import HOOKS

from .support.projects import inner_project

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"

OLDER_SETTINGS = (
    "TEST_OUTPUT_DIR",
    "TEST_OUTPUT_FILE_NAME",
    "TEST_OUTPUT_VERBOSE",
    "TEST_OUTPUT_DESCRIPTIONS",
    "DST_RUN_SOUTH_MIGRATIONS",
    "DST_FLUSH_DJANGO_CACHE",
    "DST_PERSIST_TEST_DATABASE",
    "TEST_DATABASE_FLUSH_COMMAND",
    "FLUSH_TEST_DATABASE_AFTER_INITIAL_SYNCDB",
    "LIVE_SERVER_ADDRESS",
    "LIVE_SERVER_PORT",
    "URL_ROOT_SERVER_ADDRESS",
    "URL_ROOT",
    "CHERRYPY_TEST_SERVER",
)


def text_of(*paths: str) -> str:
    return "\n".join((ROOT / path).read_text(encoding="utf-8") for path in paths)


def pages() -> list[Path]:
    built = DOCS / "_build"
    found = [path for path in DOCS.rglob("*.md") if built not in path.parents]
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *found]


def example(path: str) -> str:
    return (EXAMPLES / path).read_text(encoding="utf-8")


class ReferenceTest(unittest.TestCase):
    """Every name that users may need is in the reference."""

    def assert_mentioned(self, names: typing.Iterable[str], *paths: str) -> None:
        """Each name stands in the text of ``paths`` as code, alone or at the start of it."""
        text = text_of(*paths)
        missing = [
            name for name in names if not re.search(rf"`[~\w.]*{re.escape(name)}(?![\w-])", text)
        ]
        self.assertEqual(missing, [], f"not in {', '.join(paths)}")

    def test_readme_has_every_option(self) -> None:
        flags = [
            # Of what is on by default the table has what turns it off.
            flag.replace("--", "--no-", 1) if option.default is True else flag
            for option in OPTIONS
            for flag in option.flags
        ]
        old_flags = [flag for flags in OLD_SELECTIONS.values() for flag in flags]
        self.assert_mentioned([*flags, *old_flags], "README.md")
        self.assert_mentioned([option.key for option in OPTIONS], "README.md")

    def test_reference_makes_its_lists_from_the_options(self) -> None:
        text = text_of("docs/reference/options.md")
        self.assertIn("{options-list} own", text)
        self.assertIn("{options-list} django", text)

    def test_old_spellings(self) -> None:
        old_flags = [flag for flags in OLD_SELECTIONS.values() for flag in flags]
        self.assert_mentioned([*old_flags, "--persist-test-database"], "docs/reference/options.md")

    def test_older_settings(self) -> None:
        source = text_of(*map(str, Path(sanerunner.conf.__file__).parent.glob("*.py")))
        read = set(
            re.findall(
                r'"((?:TEST_OUTPUT|DST|TEST_DATABASE|FLUSH|LIVE_SERVER|URL_ROOT|CHERRYPY)_?\w*)"',
                source,
            )
        )
        self.assertEqual(read, set(OLDER_SETTINGS), "conf reads other settings than these")
        self.assert_mentioned(
            OLDER_SETTINGS, "docs/reference/settings.md", "docs/reference/options.md"
        )

    def test_hooks(self) -> None:
        self.assert_mentioned(HOOKS, "docs/reference/plugins.md")

    def test_events_and_their_fields(self) -> None:
        for event in [*typing.get_args(events.Event), events.TestInfo, events.Failure]:
            with self.subTest(event=event.__name__):
                section = self.section_of(event.__name__)
                fields = [field.name for field in dataclasses.fields(event)]
                missing = [name for name in fields if f"`{name}`" not in section]
                self.assertEqual(missing, [])

    def section_of(self, event: str) -> str:
        """The table that follows the event's directive."""
        _, directive, after = text_of("docs/reference/events.md").partition(
            f".. autoclass:: {event}\n"
        )
        self.assertTrue(directive, f"{event} has no place in the reference")
        return after.partition(".. autoclass::")[0]

    def test_outcomes_and_kinds(self) -> None:
        names = [member.name for enum in (events.Outcome, events.Kind) for member in enum]
        self.assert_mentioned(names, "docs/reference/events.md")

    def test_case_classes(self) -> None:
        classes = [
            name
            for name, value in vars(cases).items()
            if inspect.isclass(value) and value.__module__.startswith(f"{cases.__name__}.")
            if not name.startswith("_")
        ]
        self.assertGreater(len(classes), 7)
        self.assert_mentioned(classes, "docs/reference/classes.md")

    def test_attributes(self) -> None:
        own = {*vars(cases.SaneTestCase), *cases.SaneTestCase.__annotations__}
        inherited = {"run", "setUpClass"}
        attributes = [name for name in own - inherited if not name.startswith("_")]
        self.assertIn("test_type", attributes)
        self.assert_mentioned(attributes, "docs/reference/classes.md")

    def test_exceptions_and_public_names(self) -> None:
        errors = [
            name
            for name, value in vars(exceptions).items()
            if inspect.isclass(value) and value.__module__ == exceptions.__name__
        ]
        text = text_of("docs/reference/runner.md")
        self.assertEqual([name for name in errors if f"autoexception:: {name}" not in text], [])
        self.assert_mentioned(
            sanerunner.__all__,
            *(str(path.relative_to(ROOT)) for path in DOCS.glob("reference/*.md")),
        )

    def test_architecture_has_every_module(self) -> None:
        modules = {path.name for path in (ROOT / "sanerunner").rglob("*.py")}
        modules -= {"__init__.py", "_version.py"}
        self.assert_mentioned(sorted(modules), "docs/architecture.md")

    def test_keys_in_examples_exist(self) -> None:
        known = {option.key for option in OPTIONS} | set(KEYS)
        for page in pages():
            text = page.read_text(encoding="utf-8")
            for setting in re.findall(r"^SANERUNNER = \{(.*?)\}$", text, re.M | re.S):
                with self.subTest(page=page.name, setting=setting):
                    self.assertLessEqual(set(re.findall(r'"([A-Z_]+)":', setting)), known)


class LinksTest(unittest.TestCase):
    def links(self) -> Iterator[tuple[Path, str]]:
        for page in pages():
            text = page.read_text(encoding="utf-8")
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                yield page, target

    def test_local_links_lead_to_files(self) -> None:
        checked = 0
        for page, target in self.links():
            if re.match(r"[a-z]+:|#", target):
                continue
            checked += 1
            with self.subTest(page=str(page.relative_to(ROOT)), target=target):
                self.assertTrue((page.parent / target.partition("#")[0]).exists())
        self.assertGreater(checked, 20)


class RecordingTest(unittest.TestCase):
    def test_shows_a_failed_stage_and_no_path_of_a_machine(self) -> None:
        path = DOCS / "images" / "run.svg"
        words = "".join(ElementTree.parse(path).getroot().itertext()).replace("\xa0", " ")
        self.assertIn("$ python manage.py test", words)
        self.assertIn("stage 'unit' failed", words)
        self.assertNotRegex(words, r'File "(/|[A-Z]:)')


class QuotedCodeTest(unittest.TestCase):
    """The code that the documentation quotes runs."""

    def test_plugin_that_counts_queries(self) -> None:
        project = inner_project(
            self,
            """
            from django.test import TestCase
            from app.models import Thing

            class Queries(TestCase):
                @classmethod
                def setUpTestData(cls):
                    Thing.objects.create(name="not counted")

                def test_one(self): Thing.objects.count()
                def test_three(self):
                    for _ in range(3): Thing.objects.count()
                def test_four(self):
                    for _ in range(4): Thing.objects.count()
            """,
            'SANERUNNER = {"PLUGINS": ["app.query_count.QueryCount"]}',
            **{"app/query_count.py": example("query_count.py")},
        )
        outcome = project.test("--max-queries=2")
        self.assertEqual(outcome.returncode, 0, outcome.output)
        _, _, told = outcome.stderr.partition("Tests with more than 2 queries\n")
        self.assertEqual(
            told.splitlines()[:2],
            ["     4  app.tests.Queries.test_four", "     3  app.tests.Queries.test_three"],
        )
        self.assertNotIn("test_one", told)
        self.assertNotIn("Tests with more than", project.test().stderr)

    def test_plugin_that_reads_events(self) -> None:
        project = inner_project(
            self,
            """
            from unittest import TestCase
            from app.slow_tests import SlowTests

            class Times(TestCase):
                def test_slow(self):
                    SlowTests.seconds = 0

                def test_quick(self):
                    SlowTests.seconds = 3600
            """,
            'SANERUNNER = {"PLUGINS": ["app.slow_tests.SlowTests"]}',
            **{"app/slow_tests.py": example("slow_tests.py")},
        )
        outcome = project.test()
        self.assertEqual(outcome.returncode, 0, outcome.output)
        written = (project.folder / "slow-tests.txt").read_text(encoding="utf-8")
        self.assertRegex(written, r"\A\d+\.\d{3} app\.tests\.Times\.test_slow\n\Z")

    def test_tutorial(self) -> None:
        names = ("models", "pricing", "test_pricing", "test_stock", "test_orders")
        files = {f"plants/{name}.py": example(f"tutorial/{name}.py") for name in names}
        project = inner_project(
            self,
            settings="""
            INSTALLED_APPS += ["plants"]
            # Projects that startproject of Django 6.1 makes have this.
            MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
            """,
            **{"plants/__init__.py": "", **files},
        )
        listed = project.test("--list")
        tutorial = text_of("docs/tutorial.md")
        for line in listed.stdout.splitlines()[1:]:  # Django says first how many were found
            self.assertIn(line, tutorial)
        passed = project.test()
        self.assertEqual(passed.returncode, 0, passed.output)
        self.assertIn("Ran 5 tests", passed.stderr)

        broken = files["plants/pricing.py"].replace("0.9", "0.8")
        project.write("plants/pricing.py", broken)
        failed = project.test()
        self.assertEqual(failed.returncode, 1, failed.output)
        self.assertNotIn("Creating test database", failed.stderr)
        self.assertIn("python manage.py test plants.test_pricing", failed.stderr)
        self.assertIn("FAILED (failures=1, not run=3)", failed.stderr)

    def test_script_of_a_reusable_app(self) -> None:
        project = inner_project(
            self,
            **{
                "runtests.py": example("reusable/runtests.py"),
                "polls/__init__.py": "",
                "polls/models.py": "",
                "tests/__init__.py": "",
                "tests/settings.py": example("reusable/settings.py"),
                "tests/other.py": "from .settings import *\nUSE_TZ = False",
                "tests/test_polls.py": """
                    from django.conf import settings
                    from django.test import SimpleTestCase, TestCase

                    class Unit(SimpleTestCase):
                        def test_time_zones(self): self.assertTrue(settings.USE_TZ)

                    class Rows(TestCase):
                        def test_rows(self): pass
                """,
            },
        )
        everything = project.python("runtests.py")
        self.assertEqual(everything.returncode, 0, everything.output)
        self.assertIn("Ran 2 tests", everything.stderr)
        selected = project.python("runtests.py", "tests.test_polls", "--select=database")
        self.assertIn("Ran 1 test ", selected.stderr)
        other = project.python("runtests.py", "--settings=tests.other")
        self.assertEqual(other.returncode, 1, other.output)
        self.assertIn(
            "python runtests.py --settings=tests.other tests.test_polls.Unit.test_time_zones",
            other.stderr,
        )
