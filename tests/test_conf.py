"""Options and settings: what is valid, what wins, and what a mistake is told."""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.management.base import CommandError
from django.core.management.commands.test import Command
from django.test import SimpleTestCase, override_settings

from sanerunner import SaneRunner, conf
from sanerunner.checks import check_setting
from sanerunner.conf import Config
from sanerunner.events import Kind
from sanerunner.exceptions import UsageError
from sanerunner.options import OPTIONS
from sanerunner.options.integration import IntegrationSettings
from sanerunner.parsing import DEFAULT_STAGES, StageDefinition, parse_stages

from .support.projects import inner_project

UNIT, DATABASE = Kind.UNIT, Kind.DATABASE
REVERSED = "selenium/http,destructive/database/unit"

# key -> (value in the setting, what Config then holds, what is typed, what Config then holds)
EVERY_OPTION: dict[str, tuple[Any, Any, list[str], Any]] = {
    "SELECT": ("unit", (UNIT,), ["--select=database"], (DATABASE,)),
    "DESELECT": (["unit"], (UNIT,), ["--deselect", "database"], (DATABASE,)),
    "STAGES": (
        REVERSED,
        parse_stages(REVERSED),
        [f"--stages={'/'.join(Kind)}"],
        tuple(StageDefinition((kind,)) for kind in Kind),
    ),
    "KEEP_GOING": (True, True, ["--no-keep-going"], False),
    "LIST": ("json", "json", ["--list"], "text"),
    "JUNIT": ("a.xml", Path("a.xml"), ["--junit=b.xml"], Path("b.xml")),
    "JUNIT_STRICT": (True, True, ["--no-junit-strict"], False),
    "PROGRESS": ("live", "live", ["--progress=plain"], "plain"),
    "OUTPUT_LIMIT": (10, 10, ["--output-limit=20"], 20),
    "SHARD": ("1/3", (1, 3), ["--shard=2/2"], (2, 2)),
    "DURATIONS_FROM": ("a", Path("a"), ["--durations-from=b"], Path("b")),
    "RERUN_FAILED": (True, True, ["--no-rerun-failed"], False),
    "FAILED_FIRST": (True, True, ["--no-failed-first"], False),
    "STATE": (None, None, ["--state=a"], Path("a")),
    "DETECT_LEAKS": (True, True, ["--no-detect-leaks"], False),
    "FAIL_ON_LEAKS": (True, True, ["--no-fail-on-leaks"], False),
    "BISECT": ("a", "a", ["--bisect=b"], "b"),
    "PAIR": ("a", "a", ["--pair=b"], "b"),
    "ONLY_FROM": ("a", Path("a"), ["--only-from=b"], Path("b")),
    "FREEZE_GC": (False, False, ["--freeze-gc"], True),
    "CHECKS": (False, False, ["--checks"], True),
    "CHECKS_BESIDE": (True, True, ["--no-checks-beside"], False),
    "SPECULATE": (False, False, ["--speculate"], True),
    "TIMEOUT": (60, 60.0, ["--timeout=2.5"], 2.5),
    "RETRIES": (2, 2, ["--retries=1"], 1),
    "FAIL_ON_FLAKY": (True, True, ["--no-fail-on-flaky"], False),
    "MAX_FAILURES": (5, 5, ["--max-failures=1"], 1),
    "START_METHOD": ("fork", "fork", ["--start-method=spawn"], "spawn"),
    "DEBUG": ("keep", "keep", [], "keep"),
    "RESTORE": ("rewind", "rewind", ["--restore=flush"], "flush"),
    "BASELINE": ("migrated", "migrated", ["--baseline=flushed"], "flushed"),
    "VERIFY_REWIND": (True, True, ["--no-verify-rewind"], False),
    "CREATE_DB": (True, True, ["--no-create-db"], False),
    "DATABASE_SUFFIX": ("a", "a", ["--database-suffix=b"], "b"),
    "PRUNE_DATABASES": (True, True, ["--no-prune-databases"], False),
    "IMAGE_CACHE": ("a", Path("a"), ["--image-cache=b"], Path("b")),
    "FINGERPRINT_FILES": (["a/*.json"], ("a/*.json",), [], ("a/*.json",)),
    "BROWSER": ("Firefox", ("firefox", ""), ["--browser=chrome /a b"], ("chrome", "/a b")),
    "GRID": ("grid", "http://grid:4444", ["--grid=https://a/wd/hub/"], "https://a/wd/hub"),
    "BROWSER_URL_ROOT": ("http://a:1/", "http://a:1", [], "http://a:1"),
    "FORCE_BROWSERS": (False, False, ["--force-browsers"], True),
    "HEADED": (True, True, ["--no-headed"], False),
    "SLOWMO": (50, 50, ["--slowmo=100"], 100),
    "ARTIFACTS": (None, None, ["--artifacts=a"], Path("a")),
    "TRACE": (True, True, ["--no-trace"], False),
    "INTEGRATION": (
        {"POPULATE": ["a.b"]},
        IntegrationSettings(populate=("a.b",)),
        [],
        IntegrationSettings(populate=("a.b",)),
    ),
    "LIVE_SERVER": ("cheroot", "cheroot", ["--live-server=asgi"], "asgi"),
    "LIVE_SERVER_ADDRESS": ("::1", "::1", ["--live-server-address=localhost"], "localhost"),
    "LIVE_SERVER_PORT": (8000, 8000, ["--live-server-port=8001"], 8001),
    "LIVE_SERVER_GRACE": (0, 0.0, ["--live-server-grace=0.5"], 0.5),
    "URL_ROOT_SERVER_ADDRESS": ("web", "web", [], "web"),
    "URL_ROOT": ("https://web/", "https://web", [], "https://web"),
    "PLUGINS": ([], (), [], ()),
    "PATTERN": ("check*.py", "check*.py", ["-p", "t*.py"], "t*.py"),
    "TOP_LEVEL_DIRECTORY": ("a", "a", ["--top-level-directory=b"], "b"),
    "FAILFAST": (True, True, ["--no-failfast"], False),
    "KEEPDB": (True, True, ["--no-keepdb"], False),
    "SHUFFLE": (7, 7, ["--shuffle"], None),
    "REVERSE": (True, True, ["--no-reverse"], False),
    "DEBUG_MODE": (True, True, ["--no-debug-mode"], False),
    "DEBUG_SQL": (True, True, ["--no-debug-sql"], False),
    "PARALLEL": (1, 1, ["--parallel=0"], 0),
    "TAG": ("slow", ("slow",), ["--tag=a", "--tag", "b"], ("a", "b")),
    "EXCLUDE_TAG": (["slow"], ("slow",), ["--exclude-tag=a"], ("a",)),
    "K": (["a", "b"], ("a", "b"), ["-k", "c"], ("c",)),
    "PDB": (True, True, ["--no-pdb"], False),
    "BUFFER": (True, True, ["--no-buffer"], False),
    "NO_FAULTHANDLER": (True, True, ["--no-faulthandler"], True),
    "TIMING": (True, True, ["--no-timing"], False),
    "DURATIONS": (5, 5, ["--durations=0"], 0),
}
WRONG: dict[str, tuple[Any, str]] = {
    "SELECT": ("unti", "unknown kind 'unti' (did you mean 'unit'?); known: unit, "),
    "DESELECT": ([3], "must be a list of strings, but holds 3"),
    "STAGES": ("unit", "kind 'database' is in no stage; stages: unit"),
    "KEEP_GOING": ("yes", "must be True or False, not 'yes'"),
    "LIST": ("xml", "unknown value 'xml'; known: text, json"),
    "JUNIT": (5, "must be a path, not 5"),
    "JUNIT_STRICT": (1, "must be True or False, not 1"),
    "PROGRESS": ("dots", "unknown value 'dots'; known: auto, plain, live"),
    "OUTPUT_LIMIT": (-1, "must be a whole number, 0 or more, not -1"),
    "SHARD": ("3/2", "must be K/N, the K-th of N parts, not '3/2'"),
    "DURATIONS_FROM": (5, "must be a path, not 5"),
    "RERUN_FAILED": (1, "must be True or False, not 1"),
    "FAILED_FIRST": (1, "must be True or False, not 1"),
    "STATE": ("", "must be a path, not ''"),
    "DETECT_LEAKS": (1, "must be True or False, not 1"),
    "FAIL_ON_LEAKS": ("no", "must be True or False, not 'no'"),
    "BISECT": (5, "must be a string, not 5"),
    "PAIR": ([], "must be a string, not []"),
    "ONLY_FROM": (5, "must be a path, not 5"),
    "FREEZE_GC": (None, "must be True or False, not None"),
    "CHECKS": (0, "must be True or False, not 0"),
    "CHECKS_BESIDE": (0, "must be True or False, not 0"),
    "SPECULATE": ("no", "must be True or False, not 'no'"),
    "TIMEOUT": (0, "must be a number of seconds above 0, not 0"),
    "RETRIES": (-1, "must be a whole number, 0 or more, not -1"),
    "FAIL_ON_FLAKY": (1, "must be True or False, not 1"),
    "MAX_FAILURES": (None, "must be a whole number, 0 or more, not None"),
    "START_METHOD": ("thread", "unknown value 'thread'; known: fork, forkserver, spawn"),
    "DEBUG": (True, "unknown value 'True'; known: django, keep"),
    "RESTORE": ("undo", "unknown value 'undo'; known: rewind, flush"),
    "BASELINE": (1, "unknown value '1'; known: flushed, migrated"),
    "VERIFY_REWIND": ("yes", "must be True or False, not 'yes'"),
    "CREATE_DB": ("no", "must be True or False, not 'no'"),
    "DATABASE_SUFFIX": ("a-b", "must be at most 30 letters, digits and underscores, not 'a-b'"),
    "PRUNE_DATABASES": (1, "must be True or False, not 1"),
    "IMAGE_CACHE": ("", "must be a path, not ''"),
    "FINGERPRINT_FILES": (5, "must be a string or a list of strings, not 5"),
    "BROWSER": ("*iexplore", "unknown browser '*iexplore'; known: chrome, chromium, firefox"),
    "GRID": ("grid:many", "must be a URL or host:port, not 'grid:many'"),
    "BROWSER_URL_ROOT": (
        "testhost",
        "must be a URL, as http://www.example.com:8000, not 'testhost'",
    ),
    "FORCE_BROWSERS": ("yes", "must be True, False or 'ci', not 'yes'"),
    "HEADED": (1, "must be True or False, not 1"),
    "SLOWMO": ("slow", "must be a whole number, 0 or more, not 'slow'"),
    "ARTIFACTS": (5, "must be a path, not 5"),
    "TRACE": (1, "must be True or False, not 1"),
    "INTEGRATION": ([], "must be a dictionary, not []"),
    "LIVE_SERVER": ("nginx", "unknown value 'nginx'; known: wsgi, cheroot, asgi"),
    "LIVE_SERVER_ADDRESS": (
        "127.0.0.1:80",
        "must be the name or address of a host, without a port, not '127.0.0.1:80'",
    ),
    "LIVE_SERVER_PORT": (
        65536,
        "must be a port, 1 to 65535, or 0 for any free one, not 65536",
    ),
    "LIVE_SERVER_GRACE": (-1, "must be a number of seconds, 0 or more, not -1"),
    "URL_ROOT_SERVER_ADDRESS": (
        "http://web",
        "must be the name or address of a host, without a port, not 'http://web'",
    ),
    "URL_ROOT": ("web:80", "must be a URL, as http://www.example.com:8000, not 'web:80'"),
    "PLUGINS": ({"a": 1}, "must be a string or a list of strings, not {'a': 1}"),
    "PATTERN": (5, "must be a string, not 5"),
    "TOP_LEVEL_DIRECTORY": ([], "must be a string, not []"),
    "FAILFAST": (2, "must be True or False, not 2"),
    "KEEPDB": ("true", "must be True or False, not 'true'"),
    "SHUFFLE": ("x", "must be a whole number, not 'x'"),
    "REVERSE": (0, "must be True or False, not 0"),
    "DEBUG_MODE": ("", "must be True or False, not ''"),
    "DEBUG_SQL": ([], "must be True or False, not []"),
    "PARALLEL": ("many", "must be a number of processes or 'auto', not 'many'"),
    "TAG": ([None], "must be a list of strings, but holds None"),
    "EXCLUDE_TAG": (5, "must be a string or a list of strings, not 5"),
    "K": (5, "must be a string or a list of strings, not 5"),
    "PDB": ("no", "must be True or False, not 'no'"),
    "BUFFER": ("no", "must be True or False, not 'no'"),
    "NO_FAULTHANDLER": ("no", "must be True or False, not 'no'"),
    "TIMING": ("no", "must be True or False, not 'no'"),
    "DURATIONS": (1.5, "must be a whole number, 0 or more, not 1.5"),
}
OLDER_SETTINGS = (
    "TEST_OUTPUT_DIR",
    "TEST_OUTPUT_FILE_NAME",
    "TEST_OUTPUT_VERBOSE",
    "TEST_OUTPUT_DESCRIPTIONS",
    "DST_RUN_SOUTH_MIGRATIONS",
    "DST_FLUSH_DJANGO_CACHE",
    "LIVE_SERVER_ADDRESS",
    "LIVE_SERVER_PORT",
    "URL_ROOT_SERVER_ADDRESS",
    "URL_ROOT",
    "CHERRYPY_TEST_SERVER",
)


def typed(*words: str) -> dict[str, Any]:
    """Return the options that ``manage.py test`` hands to the runner."""
    command = Command()
    command.test_runner = "sanerunner.SaneRunner"
    options = vars(command.create_parser("manage.py", "test").parse_args(words))
    options.pop("args")
    return options


def load(setting: dict[str, Any] | None = None, *words: str, **older: Any) -> Config:
    with override_settings(SANERUNNER=setting or {}, **older):
        return conf.load(typed(*words))


class ConfTestCase(SimpleTestCase):
    def setUp(self) -> None:
        patch = mock.patch.dict(os.environ)
        patch.start()
        for name in ("DST_PERSIST_TEST_DATABASE", "GITLAB_CI", "JENKINS_URL"):
            os.environ.pop(name, None)
        self.addCleanup(patch.stop)

    def assert_usage_error(self, message: str, setting: Any, *words: str, **older: Any) -> None:
        with self.assertRaises(UsageError) as caught:
            load(setting, *words, **older)
        text = str(caught.exception)
        self.assertNotIn("\n", text)
        self.assertTrue(text.startswith(message), text)
        self.assertEqual(caught.exception.returncode, 2)


class EveryOptionTest(ConfTestCase):
    def test_the_tables_here_are_complete(self) -> None:
        keys = [option.key for option in OPTIONS]
        self.assertEqual(sorted(EVERY_OPTION), sorted(keys))
        self.assertEqual(sorted(WRONG), sorted(keys))

    def test_config_has_a_field_for_each(self) -> None:
        fields = {field.name for field in dataclasses.fields(Config)}
        older = {
            "junit_directory",
            "junit_verbose",
            "junit_descriptions",
            "migrate",
            "flush_cache",
            "flush_command",
            "flush_after_creation",
        }
        self.assertEqual(fields, {option.field for option in OPTIONS} | older | {"project"})

    def test_defaults(self) -> None:
        config = load()
        for option in OPTIONS:
            expected = "test*.py" if option.key == "PATTERN" else option.default
            self.assertIn(getattr(config, option.field), (option.default, expected), option.key)
        self.assertEqual(config.stages, DEFAULT_STAGES)

    def test_setting_counts(self) -> None:
        for key, (value, expected, _, _) in EVERY_OPTION.items():
            with self.subTest(key):
                self.assertEqual(getattr(load({key: value}), key.lower()), expected)

    def test_command_line_wins(self) -> None:
        for key, (value, _, words, expected) in EVERY_OPTION.items():
            with self.subTest(key):
                self.assertEqual(getattr(load({key: value}, *words), key.lower()), expected)

    def test_keyword_argument_wins(self) -> None:
        with override_settings(SANERUNNER={"FAILFAST": True, "SELECT": "unit", "TAG": "a"}):
            config = conf.load({"failfast": False, "select": ["http"], "tags": {"b"}})
        self.assertEqual((config.failfast, config.select), (False, (Kind.HTTP,)))
        self.assertEqual(config.tag, ("b",))

    def test_wrong_value_in_the_setting(self) -> None:
        for key, (value, message) in WRONG.items():
            with self.subTest(key):
                self.assert_usage_error(f'SANERUNNER["{key}"]: {message}', {key: value})
                with override_settings(SANERUNNER={key: value}):
                    (problem,) = conf.problems()
                    (found,) = check_setting(None)
                self.assertEqual((found.id, found.msg), ("sanerunner.E001", problem))
                self.assertTrue(problem.startswith(f'SANERUNNER["{key}"]: '), problem)

    def test_wrong_value_on_the_command_line(self) -> None:
        for words, message in (
            (["--select=unti"], "--select: unknown kind 'unti' (did you mean 'unit'?); known: "),
            (["--select=unit,"], "--select: unknown kind ''; known: "),
            (["--deselect", "x"], "--deselect: unknown kind 'x'; known: "),
            (
                ["--stages=unit,unit/database/destructive,http/selenium"],
                "--stages: kind 'unit' is named twice",
            ),
            (
                ["--stages=unit/unit/database/destructive/http/selenium"],
                "--stages: kind 'unit' is named twice",
            ),
            (
                ["--stages=unit/database/http/selenium"],
                "--stages: kind 'destructive' is in no stage; stages: unit/database/http/selenium",
            ),
            (["--stages=unit//database/destructive/http/selenium"], "--stages: unknown kind ''"),
            (["--list=xml"], "--list: unknown value 'xml'; known: text, json"),
            (["--junit="], "--junit: must be a path, not ''"),
            (["--progress=x"], "--progress: unknown value 'x'; known: auto, plain, live"),
            (["--output-limit=x"], "--output-limit: must be a whole number, 0 or more, not 'x'"),
            (["--durations=-1"], "--durations: must be a whole number, 0 or more, not "),
        ):
            with self.subTest(words):
                self.assert_usage_error(message, {}, *words)

    def test_unknown_key(self) -> None:
        self.assert_usage_error(
            "SANERUNNER: unknown key 'KEEPGOING' (did you mean 'KEEP_GOING'?); known: ARTIFACTS, ",
            {"KEEPGOING": True},
        )
        self.assert_usage_error("SANERUNNER: unknown key '5'; known: ", {5: True})

    def test_setting_that_is_no_dictionary(self) -> None:
        for value in (["SELECT"], "unit", None, 5):
            with self.subTest(value), override_settings(SANERUNNER=value):
                with self.assertRaisesRegex(UsageError, "SANERUNNER must be a dictionary, not"):
                    conf.load({})
                self.assertEqual(len(check_setting(None)), 1)

    def test_every_problem_is_reported_by_check(self) -> None:
        with override_settings(SANERUNNER={"SELECT": "x", "JUNIT": 5, "NO_SUCH": 1, "TAG": "a"}):
            self.assertEqual(len(check_setting(None)), 3)
        with override_settings(SANERUNNER={"PLUGINS": ["no.such"]}):
            (found,) = check_setting(None)
        self.assertEqual(found.id, "sanerunner.E002")
        with override_settings(SANERUNNER={"KEEP_GOING": True}):
            self.assertEqual(check_setting(None), [])


class SpellingTest(ConfTestCase):
    def test_every_switch_can_be_turned_off(self) -> None:
        for option in OPTIONS:
            if option.flags and option.is_switch and option.key != "NO_FAULTHANDLER":
                with self.subTest(option.key):
                    off = option.flags[0].replace("--", "--no-", 1)
                    config = load({option.key: True}, off)
                    self.assertIs(getattr(config, option.field), False)
                    config = load({option.key: False}, option.flags[0])
                    self.assertIs(getattr(config, option.field), True)

    def test_old_spellings_of_select(self) -> None:
        for words, expected in (
            (["-u"], (UNIT,)),
            (["--select-unittests", "--select-databasetests"], (UNIT, DATABASE)),
            (["--select-destructivedatabasetests"], (Kind.DESTRUCTIVE,)),
            (["--select-httptests", "--select=unit"], (Kind.HTTP, UNIT)),
            (["--select-seleniumtests"], (Kind.SELENIUM,)),
        ):
            with self.subTest(words):
                self.assertEqual(load({"SELECT": "http"}, *words).select, expected)

    def test_kinds(self) -> None:
        self.assertEqual(load({}, "--select= Unit , DATABASE").select, (UNIT, DATABASE))
        self.assertEqual(load({}, "--select=unit,unit", "--select=unit").select, (UNIT,))
        self.assertEqual(
            load({}, "--select=destructivedatabase,browser").select,
            (Kind.DESTRUCTIVE, Kind.SELENIUM),
        )

    def test_stages(self) -> None:
        text = "unit,database/destructive,http/selenium"
        expected = (
            StageDefinition((UNIT, DATABASE)),
            StageDefinition((Kind.DESTRUCTIVE, Kind.HTTP)),
            StageDefinition((Kind.SELENIUM,)),
        )
        self.assertEqual(load({"STAGES": text}).stages, expected)
        self.assertEqual(load({"STAGES": text.split("/")}).stages, expected)
        as_lists = [["unit", "database"], ["destructive", "http"], "selenium"]
        self.assertEqual(load({"STAGES": as_lists}).stages, expected)
        self.assertEqual(load({}, f"--stages={text}").stages, expected)
        self.assertEqual(expected[1].name, "destructive,http")

    def test_shuffle(self) -> None:
        self.assertIs(load().shuffle, False)
        self.assertIs(load({"SHUFFLE": False}).shuffle, False)
        self.assertIsNone(load({"SHUFFLE": True}).shuffle)
        self.assertIsNone(load({}, "--shuffle").shuffle)
        self.assertEqual(load({}, "--shuffle=0").shuffle, 0)
        self.assertEqual(load({"SHUFFLE": 3}, "--shuffle", "5").shuffle, 5)

    def test_parallel(self) -> None:
        self.assertGreaterEqual(load({"PARALLEL": "auto"}).parallel, 1)
        self.assertGreaterEqual(load({}, "--parallel").parallel, 1)
        self.assertEqual(load({"PARALLEL": "auto"}, "--parallel=3").parallel, 3)

    def test_list(self) -> None:
        self.assertEqual(load({}, "--list").list, "text")
        self.assertEqual(load({}, "--list=json").list, "json")
        self.assertIsNone(load().list)

    def test_no_option_of_the_runner_leaves_a_default_behind(self) -> None:
        names = {option.name for option in OPTIONS}
        self.assertEqual(names & typed().keys(), set())

    def test_pdb_with_processes(self) -> None:
        with (
            override_settings(SANERUNNER={"PARALLEL": 2}),
            redirect_stdout(io.StringIO()) as printed,
        ):
            runner = SaneRunner(pdb=True)
        self.assertEqual(runner.parallel, 0)
        self.assertIn("--pdb: all tests run in one process", printed.getvalue())


class OlderSettingsTest(ConfTestCase):
    def test_reports(self) -> None:
        self.assertIsNone(load().junit_directory)
        config = load(TEST_OUTPUT_DIR="reports")
        self.assertEqual((config.junit, config.junit_directory), (None, Path("reports")))
        config = load(TEST_OUTPUT_DIR="reports", TEST_OUTPUT_FILE_NAME="all.xml")
        self.assertEqual((config.junit, config.junit_directory), (Path("reports/all.xml"), None))
        self.assertEqual(load(TEST_OUTPUT_FILE_NAME="all.xml").junit, Path("all.xml"))
        self.assertEqual(
            load({"JUNIT": "new.xml"}, TEST_OUTPUT_FILE_NAME="old.xml").junit, Path("new.xml")
        )

    def test_a_new_path_takes_the_place_of_an_old_directory(self) -> None:
        for config in (
            load({"JUNIT": "new.xml"}, TEST_OUTPUT_DIR="reports"),
            load({}, "--junit=new.xml", TEST_OUTPUT_DIR="reports"),
        ):
            self.assertEqual((config.junit, config.junit_directory), (Path("new.xml"), None))

    def test_details_of_reports(self) -> None:
        for value, expected in ((1, False), (2, True), (True, True), (False, False), (0, False)):
            with self.subTest(value):
                self.assertIs(load(TEST_OUTPUT_VERBOSE=value).junit_verbose, expected)
        self.assertIs(load(TEST_OUTPUT_DESCRIPTIONS=True).junit_descriptions, True)
        self.assertIs(load().junit_descriptions, False)

    def test_of_django_sane_testing(self) -> None:
        config = load()
        self.assertEqual((config.migrate, config.flush_cache), (True, False))
        config = load(DST_RUN_SOUTH_MIGRATIONS=False, DST_FLUSH_DJANGO_CACHE=True)
        self.assertEqual((config.migrate, config.flush_cache), (False, True))

    def test_live_servers(self) -> None:
        config = load(
            LIVE_SERVER_ADDRESS="0.0.0.0",
            LIVE_SERVER_PORT="8001",
            URL_ROOT_SERVER_ADDRESS="web",
            URL_ROOT="http://proxy:80/",
            CHERRYPY_TEST_SERVER=True,
        )
        self.assertEqual(
            (config.live_server_address, config.live_server_port, config.live_server),
            ("0.0.0.0", 8001, "cheroot"),
        )
        self.assertEqual(
            (config.url_root_server_address, config.url_root), ("web", "http://proxy:80")
        )
        self.assertEqual(load(LIVE_SERVER_PORT=None).live_server_port, 0)
        config = load({"LIVE_SERVER": "asgi"}, CHERRYPY_TEST_SERVER=True)
        self.assertEqual(config.live_server, "asgi")
        for name, value, message in (
            ("LIVE_SERVER_PORT", "8000-8010", "must be a port, 1 to 65535, or 0 for any free one"),
            ("LIVE_SERVER_ADDRESS", 5, "must be the name or address of a host, without a port"),
            ("URL_ROOT", "ftp://web", "must be a URL, as http://www.example.com:8000"),
            ("CHERRYPY_TEST_SERVER", "yes", "must be True or False"),
        ):
            with self.subTest(name):
                self.assert_usage_error(f"{name}: {message}, not {value!r}", {}, **{name: value})
                with override_settings(**{name: value}):
                    (problem,) = conf.problems()
                self.assertTrue(problem.startswith(f"{name}: "), problem)

    def test_persist_test_database(self) -> None:
        for value, expected in (
            ("1", True),
            ("yes", True),
            ("", False),
            ("0", False),
            ("False", False),
            ("no", False),
        ):
            with (
                self.subTest(value),
                mock.patch.dict(os.environ, {"DST_PERSIST_TEST_DATABASE": value}),
            ):
                self.assertIs(load().keepdb, expected)
        with mock.patch.dict(os.environ, {"DST_PERSIST_TEST_DATABASE": "1"}):
            self.assertIs(load({"KEEPDB": False}).keepdb, False)
            self.assertIs(load({}, "--no-keepdb").keepdb, False)
        self.assertIs(load({}, "--persist-test-database").keepdb, True)

    def test_browsers_of_django_sane_testing(self) -> None:
        config = load()
        self.assertEqual((config.browser, config.grid), (None, None))
        for value, expected in (
            ("firefox", ("firefox", "")),
            ("*firefox", ("firefox", "")),
            ("*firefox /opt/fire fox", ("firefox", "/opt/fire fox")),
            ("*chrome", ("firefox", "")),
            ("*googlechrome", ("chrome", "")),
            (" Chromium ", ("chromium", "")),
        ):
            with self.subTest(value):
                self.assertEqual(load(SELENIUM_BROWSER_COMMAND=value).browser, expected)
        self.assertEqual(load(SELENIUM_HOST="grid").grid, "http://grid:4444")
        self.assertEqual(load(SELENIUM_HOST="grid", SELENIUM_PORT="80").grid, "http://grid:80")
        self.assertEqual(load(SELENIUM_PORT=80).grid, "http://localhost:80")
        self.assertEqual(load(SELENIUM_URL_ROOT="http://a/").browser_url_root, "http://a")
        self.assertIs(load(FORCE_SELENIUM_TESTS=True).force_browsers, True)

    def test_browsers_are_forced_in_ci_where_the_setting_says_so(self) -> None:
        for value, expected in (("true", True), ("1", True), ("", False), ("false", False)):
            with self.subTest(value), mock.patch.dict(os.environ, {"CI": value}):
                self.assertIs(load({"FORCE_BROWSERS": "ci"}).force_browsers, expected)
                self.assertIs(load(FORCE_SELENIUM_TESTS="ci").force_browsers, expected)
                self.assertIs(load().force_browsers, False)

    def test_wrong_values_name_the_setting(self) -> None:
        for name, value, message in (
            ("TEST_OUTPUT_DIR", 5, "TEST_OUTPUT_DIR: must be a path, not 5"),
            ("TEST_OUTPUT_FILE_NAME", [], "TEST_OUTPUT_FILE_NAME: must be a path, not []"),
            ("TEST_OUTPUT_VERBOSE", "much", "TEST_OUTPUT_VERBOSE: must be a whole number"),
            ("SELENIUM_BROWSER_COMMAND", "fierfox", "SELENIUM_BROWSER_COMMAND: unknown browser "),
            ("SELENIUM_PORT", "many", "SELENIUM_PORT: must be a port"),
            ("SELENIUM_HOST", "a b:c", "SELENIUM_HOST: must be a URL or host:port"),
            ("FORCE_SELENIUM_TESTS", 1, "FORCE_SELENIUM_TESTS: must be True, False or 'ci'"),
        ):
            with self.subTest(name):
                self.assert_usage_error(message, {}, **{name: value})
                with override_settings(SANERUNNER={}, **{name: value}):
                    (found,) = check_setting(None)
                self.assertTrue(found.msg.startswith(message), found.msg)


class CommandTest(ConfTestCase):
    def test_help_names_every_option(self) -> None:
        command = Command()
        command.test_runner = "sanerunner.SaneRunner"
        text = command.create_parser("manage.py", "test").format_help()
        for option in OPTIONS:
            for flag in option.flags:
                self.assertIn(flag, text)
        self.assertNotIn("--no-keep-going", text)

    def test_a_mistake_is_one_line_and_exit_2(self) -> None:
        """Where the command reads the setting for its parser, and where the runner does."""
        project = inner_project(self, "import nothing", 'SANERUNNER = {"KEEPGOING": 1}')
        outcome = project.test()
        self.assertEqual(outcome.returncode, 2, outcome.output)
        self.assertRegex(outcome.stderr, r"\A[^\n]*SANERUNNER: unknown key 'KEEPGOING'[^\n]*\n\Z")
        checked = project.run("check")
        self.assertEqual(checked.returncode, 1)
        self.assertIn("(sanerunner.E001) SANERUNNER: unknown key 'KEEPGOING'", checked.stderr)

    def test_a_mistake_in_what_the_parser_needs(self) -> None:
        for setting, message in (
            ('SANERUNNER = {"PLUGINS": ["app.nothing.Plugin"]}', "'app.nothing.Plugin' cannot"),
            ('SANERUNNER = {"PLUGINS": 5}', 'SANERUNNER["PLUGINS"]: must be'),
            ("SANERUNNER = 5", "SANERUNNER must be a dictionary, not 5"),
        ):
            with self.subTest(setting):
                outcome = inner_project(self, "", setting).test()
                self.assertEqual(outcome.returncode, 2, outcome.output)
                self.assertIn(message, outcome.stderr)
                self.assertEqual(outcome.stderr.count("\n"), 1, outcome.output)

    def test_call_command_gets_an_exception(self) -> None:
        command = Command()
        command.test_runner = "sanerunner.SaneRunner"
        with (
            override_settings(SANERUNNER={"PLUGINS": ["no.such.Plugin"]}),
            self.assertRaises(CommandError),
        ):
            command.create_parser("manage.py", "test")

    def test_other_parsers(self) -> None:
        """Django hands its own parser in; a project may hand in any."""
        parser = argparse.ArgumentParser()
        with override_settings(SANERUNNER={}):
            SaneRunner.add_arguments(parser)
        self.assertEqual(vars(parser.parse_args(["--keep-going"])), {"keep_going": True})


class SuffixTest(SimpleTestCase):
    """The suffix of test databases under CI servers that number what runs side by side."""

    def suffix(self, setting: dict[str, Any] | None = None, **environment: str) -> str:
        cleared = {"GITLAB_CI": "", "JENKINS_URL": "", **environment}
        with mock.patch.dict(os.environ, cleared):
            return load(setting or {}).database_suffix

    def test_suffix(self) -> None:
        self.assertEqual(self.suffix(), "")
        self.assertEqual(self.suffix(GITLAB_CI="true", CI_CONCURRENT_ID="2"), "ci2")
        self.assertEqual(self.suffix(JENKINS_URL="http://ci", EXECUTOR_NUMBER="0"), "ci0")
        self.assertEqual(self.suffix(EXECUTOR_NUMBER="0"), "")
        self.assertEqual(self.suffix(GITLAB_CI="true", CI_CONCURRENT_ID="x"), "")

    def test_given_one_wins(self) -> None:
        ci = {"GITLAB_CI": "true", "CI_CONCURRENT_ID": "2"}
        self.assertEqual(self.suffix({"DATABASE_SUFFIX": "mine"}, **ci), "mine")


class ProjectTest(SimpleTestCase):
    """What marks the test databases of a project."""

    def project(self, **values: Any) -> str:
        with override_settings(**values):
            return conf.load({}).project

    def test_package_of_the_settings(self) -> None:
        self.assertEqual(self.project(SETTINGS_MODULE="shop.settings.test"), "shop")

    def test_common_name(self) -> None:
        folder = Path(__file__).resolve().parent.parent.name
        self.assertEqual(self.project(SETTINGS_MODULE="tests.settings.x"), f"{folder}/tests")

    def test_settings_without_module(self) -> None:
        self.assertEqual(self.project(SETTINGS_MODULE=None, ROOT_URLCONF="shop.urls"), "shop")
        self.assertEqual(
            self.project(SETTINGS_MODULE=None, ROOT_URLCONF=None), f"{Path.cwd().name}/"
        )
