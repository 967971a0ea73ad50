"""What each test of Django's classes sees, under both runners: the same."""

from __future__ import annotations

import json
import unittest
from typing import Any

from django.db import connections

from ..support.projects import InnerProject, inner_project
from .test_behavior import MIGRATION

FIXTURE = """[{"model": "app.thing", "pk": 900, "fields": {"name": "fixture"}}]"""

# Each test writes down what it finds, when it begins and in the middle, and leaves rows behind.
TESTS = """
    import json
    import urllib.request
    from django.contrib.contenttypes.models import ContentType
    from django.db import connections
    from django.test import LiveServerTestCase, TestCase, TransactionTestCase
    from app.models import Thing

    def names(alias="default"):
        return sorted(Thing.objects.using(alias).values_list("name", flat=True))

    class Seeing:
        def see(self):
            seen = {alias: names(alias) for alias in sorted(self.databases)}
            if "default" in self.databases:
                seen["types"] = sorted(ContentType.objects.values_list("app_label", "model"))
            seen["atomic"] = [connections[alias].in_atomic_block for alias in self.databases]
            return seen

        def write(self):
            for alias in sorted(self.databases - {"replica"}):
                Thing.objects.using(alias).create(name="left behind")
                Thing.objects.using(alias).filter(name="migrated").delete()
            if "default" in self.databases:
                ContentType.objects.create(app_label="left", model="behind")

        def note(self, **more):
            seen = {"test": self.id(), **self.see()}
            self.write()
            with open("seen.jsonl", "a") as seen_file:
                seen_file.write(json.dumps({**seen, "after": self.see(), **more}) + "\\n")

        def test_1(self):
            self.note()

        def test_2(self):
            self.note()

    class A_Rolled(Seeing, TestCase):
        pass

    class B_First(Seeing, TransactionTestCase):
        pass

    class C_Second(Seeing, TransactionTestCase):
        pass

    class D_Apps(Seeing, TransactionTestCase):
        available_apps = ["app", "django.contrib.contenttypes"]

    class E_Sequences(Seeing, TransactionTestCase):
        reset_sequences = True

        def note(self):
            super().note(key=Thing.objects.create(name="counted").pk)

    class F_Fixtures(Seeing, TransactionTestCase):
        fixtures = ["thing.json"]

    class G_Databases(Seeing, TransactionTestCase):
        databases = {"default", "other", "replica"}

    class H_Other(Seeing, TransactionTestCase):
        databases = {"other"}

    class I_OwnTeardown(Seeing, TransactionTestCase):
        def _fixture_teardown(self):
            Thing.objects.all().delete()
            super()._fixture_teardown()

    class J_OwnSetup(Seeing, TransactionTestCase):
        @classmethod
        def _fixture_setup(cls):
            super()._fixture_setup()
            Thing.objects.create(name="set up")

    class K_OwnAll(Seeing, TransactionTestCase):
        @classmethod
        def _fixture_setup(cls):
            Thing.objects.create(name="set up")

        def _fixture_teardown(self):
            Thing.objects.all().delete()
            ContentType.objects.filter(app_label="left").delete()

    class L_Class(Seeing, TransactionTestCase):
        @classmethod
        def setUpClass(cls):
            Thing.objects.create(name="made before")
            super().setUpClass()
            Thing.objects.create(name="made after")

    class M_Live(Seeing, LiveServerTestCase):
        def note(self):
            with urllib.request.urlopen(f"{self.live_server_url}/") as answer:
                super().note(served=json.loads(answer.read()))

    class N_Last(Seeing, TransactionTestCase):
        pass
"""
SERIALIZED = """
    class O_Serialized(Seeing, TransactionTestCase):
        serialized_rollback = True
        # Django's own content types collide with those that it loads again.

        def write(self):
            Thing.objects.create(name="left behind")
            Thing.objects.filter(name="migrated").delete()
"""
URLS = """
    from django.http import JsonResponse
    from django.urls import path
    from app.models import Thing

    def index(request):
        names = sorted(Thing.objects.values_list("name", flat=True))
        return JsonResponse(names, safe=False)

    urlpatterns = [path("", index)]
"""


class ComparedTest(unittest.TestCase):
    """On the vendor that the suite itself runs on."""

    maxDiff = None

    def project(self, tests: str, apps: str = "") -> InnerProject:
        entry = {
            key: value
            for key, value in connections["default"].settings_dict.items()
            if key in {"ENGINE", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS"}
        }
        project = inner_project(
            self,
            tests,
            **{
                "app/migrations/__init__.py": "",
                "app/migrations/0001_initial.py": MIGRATION.replace(
                    "objects.create", "objects.using(schema_editor.connection.alias).create"
                ),
                "app/fixtures/thing.json": FIXTURE,
                "app/urls.py": URLS,
            },
        )
        name = f"inner_{project.folder.name.replace('-', '_').lower()}"
        names = [name, f"{name}_other"]
        if connections["default"].vendor == "sqlite":
            names = [str(project.folder / each) for each in names]
        project.write(
            "vendor_settings.py",
            f"""
            from settings import *
            ROOT_URLCONF = "app.urls"
            ALLOWED_HOSTS, STATIC_URL = ["*"], "/static/"
            ENTRY = {entry!r}
            DATABASES = {{
                "default": {{**ENTRY, "NAME": {names[0]!r}}},
                "other": {{**ENTRY, "NAME": {names[1]!r}}},
                "replica": {{**ENTRY, "NAME": {names[0]!r}, "TEST": {{"MIRROR": "default"}}}},
            }}
            SANERUNNER = {{"VERIFY_REWIND": True}}
            {apps}
            """,
        )
        return project

    def seen(self, project: InnerProject, *arguments: str) -> list[dict[str, Any]]:
        outcome = project.test("--settings=vendor_settings", *arguments)
        self.assertEqual(outcome.returncode, 0, outcome.output)
        path = project.folder / "seen.jsonl"
        lines = path.read_text().splitlines()
        path.unlink()
        return [json.loads(line) for line in lines]

    def assert_same(self, project: InnerProject, *labels: str) -> list[dict[str, Any]]:
        ours = self.seen(project, *labels)
        stock = self.seen(
            project, "--testrunner=django.test.runner.DiscoverRunner", "--keepdb", *labels
        )
        by_test = {each["test"]: each for each in stock}
        self.assertEqual(len(by_test), len(stock))
        for each in ours:
            with self.subTest(each["test"]):
                self.assertEqual(each, by_test.pop(each["test"]))
        self.assertEqual(by_test, {})
        return ours

    def test_all_kinds_of_classes(self) -> None:
        ours = self.assert_same(self.project(TESTS))
        self.assertGreaterEqual(len(ours), 28)
        key = {each["test"].rpartition(".")[0][10:]: each.get("key") for each in ours}
        self.assertEqual(key["E_Sequences"], 1)

    def test_serialized_rollback(self) -> None:
        apps = 'INSTALLED_APPS = ["sanerunner", "app"]'
        tests = TESTS.partition("    class A_Rolled")[0] + SERIALIZED
        tests = tests.replace(
            "    from django.contrib.contenttypes.models import ContentType\n", ""
        ).replace('if "default" in self.databases:', "if False:")
        ours = self.assert_same(self.project(tests, apps))
        self.assertEqual([each["default"] for each in ours], [["migrated"], ["migrated"]])
