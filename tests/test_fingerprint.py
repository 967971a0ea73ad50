"""Fingerprints: every ingredient is seen and named, and nothing else is."""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import sys
import tempfile
import textwrap
import unittest
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import django
from django.apps import apps
from django.db.models.signals import post_migrate, pre_migrate
from django.db.utils import ConnectionHandler
from django.test import override_settings
from django.utils import translation

from sanerunner.databases.digests import digest_of, digest_of_code, stable_text
from sanerunner.databases.fingerprint import Fingerprint, Freshness, compare, take_fingerprint
from sanerunner.databases.ingredients import receivers

from .support.projects import InnerProject
from .support.services import databases_on, require_mariadb, require_postgresql

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "never-opened.sqlite3"}

# The app "orders" has migrations, "stock" has none.
FILES = {
    "orders/__init__.py": "",
    "orders/apps.py": """
        from django.apps import AppConfig
        from django.db.models.signals import post_migrate

        def fill(**kwargs): pass

        class OrdersConfig(AppConfig):
            name = "orders"
            def ready(self): post_migrate.connect(fill, sender=self)
        """,
    "orders/models.py": """
        from django.db import models

        class Order(models.Model):
            name = models.CharField(max_length=50)
        """,
    "orders/routers.py": """
        class Router:
            def allow_migrate(self, db, app_label, **hints): return None
        """,
    "orders/migrations/__init__.py": "",
    "orders/migrations/0001_initial.py": "1 / 0  # hashed, not imported\n",
    "orders/migrations/0002_price.py": "1 / 0\n",
    "orders/migrations/_helpers.py": "HELPER = 1\n",
    "orders/migrations/sql/view.sql": "CREATE VIEW v AS SELECT 1",
    "stock/__init__.py": "",
    "stock/models.py": """
        from django.db import models

        class Item(models.Model):
            name = models.CharField("name", max_length=50, help_text="of the item")
            tags = models.ManyToManyField("self")
        """,
    "data/rates.json": "[1]",
}


def connection(alias: str = "default", **settings: Any) -> Any:
    """A connection that is not opened; its settings are as Django completes them."""
    return ConnectionHandler({"default": SQLITE, alias: {**SQLITE, **settings}})[alias]


class Project:
    """Apps in a temporary folder, the current one, that are imported anew for each fingerprint."""

    def __init__(self, test: unittest.TestCase) -> None:
        folder = tempfile.TemporaryDirectory(prefix="fingerprint-")
        test.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.receivers: list[Any] = []
        for path, source in FILES.items():
            self.write(path, source)
        before = os.getcwd()
        os.chdir(self.folder)
        test.addCleanup(os.chdir, before)

    def write(self, path: str, source: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(source), encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        source = (self.folder / path).read_text(encoding="utf-8")
        assert old in source
        self.write(path, source.replace(old, new))

    def remove(self, path: str) -> None:
        (self.folder / path).unlink()

    def take(
        self,
        connection: Any = None,
        *,
        migrate: bool = True,
        files: tuple[str, ...] = (),
        **settings: Any,
    ) -> Fingerprint:
        with self._installed(settings):
            for receiver in self.receivers:
                post_migrate.connect(receiver)
            return take_fingerprint(
                connection or globals()["connection"](), migrate=migrate, files=files
            )

    @contextlib.contextmanager
    def _installed(self, settings: dict[str, Any]) -> Iterator[None]:
        installed = ["django.contrib.contenttypes", "django.contrib.auth", "orders", "stock"]
        with contextlib.ExitStack() as stack:
            # Bytecode is told by size and second, which edits here may leave as they were.
            stack.enter_context(mock.patch.object(sys, "dont_write_bytecode", True))
            stack.enter_context(mock.patch.object(sys, "path", [str(self.folder), *sys.path]))
            for signal in (pre_migrate, post_migrate):
                stack.enter_context(mock.patch.object(signal, "receivers", list(signal.receivers)))
            stack.callback(self._forget)
            importlib.invalidate_caches()
            values = {"INSTALLED_APPS": installed, "DATABASE_ROUTERS": [], **settings}
            stack.enter_context(override_settings(**values))
            yield

    def _forget(self) -> None:
        for label in ("orders", "stock"):
            apps.all_models.pop(label, None)
        for name in list(sys.modules):
            if name.partition(".")[0] in {"orders", "stock", "elsewhere"}:
                del sys.modules[name]
        apps.clear_cache()


class FingerprintTest(unittest.TestCase):
    def setUp(self) -> None:
        self.project = Project(self)

    def assert_different(self, kept: Fingerprint, wanted: Fingerprint, reason: str) -> None:
        comparison = compare(kept, wanted)
        self.assertEqual((comparison.freshness, comparison.reason), (Freshness.DIFFERENT, reason))
        self.assertNotEqual(kept.digest, wanted.digest)

    def assert_current(self, kept: Fingerprint, wanted: Fingerprint) -> None:
        self.assertEqual(kept, wanted)
        self.assertEqual(kept.digest, wanted.digest)
        comparison = compare(kept, wanted)
        self.assertEqual((comparison.freshness, comparison.reason), (Freshness.CURRENT, ""))

    def assert_behind(self, kept: Fingerprint, wanted: Fingerprint, reason: str) -> None:
        comparison = compare(kept, wanted)
        self.assertEqual((comparison.freshness, comparison.reason), (Freshness.BEHIND, reason))


class MigrationsTest(FingerprintTest):
    def test_edited_even_if_only_a_comment(self) -> None:
        kept = self.project.take()
        self.project.replace("orders/migrations/0002_price.py", "\n", "  # why\n")
        self.assert_different(kept, self.project.take(), "migration orders.0002_price changed")

    def test_removed(self) -> None:
        kept = self.project.take()
        self.project.remove("orders/migrations/0002_price.py")
        self.assert_different(kept, self.project.take(), "migration orders.0002_price was removed")

    def test_modules_and_data_beside_them(self) -> None:
        kept = self.project.take()
        for path in ("_helpers.py", "sql/view.sql", "__init__.py"):
            with self.subTest(path):
                self.project.write(f"orders/migrations/{path}", "X = 2")
                taken = self.project.take()
                self.assert_different(kept, taken, f"migration file orders/{path} changed")
                kept = taken
        self.project.write("orders/migrations/rows.json", "[]")
        self.assert_different(
            kept, self.project.take(), "migration file orders/rows.json was added"
        )

    def test_where_the_settings_have_them(self) -> None:
        self.project.write("elsewhere/__init__.py", "")
        self.project.write("elsewhere/steps/__init__.py", "")
        self.project.write("elsewhere/steps/0001_first.py", "")
        modules = {"orders": "elsewhere.steps"}
        kept = self.project.take(MIGRATION_MODULES=modules)
        self.assertIn("migration orders.0001_first", kept.ingredients)
        self.assertNotIn("migration orders.0002_price", kept.ingredients)
        self.project.write("elsewhere/steps/0001_first.py", "\n")
        self.assert_different(
            kept,
            self.project.take(MIGRATION_MODULES=modules),
            "migration orders.0001_first changed",
        )

    def test_none_for_an_app(self) -> None:
        kept = self.project.take()
        without = self.project.take(MIGRATION_MODULES={"orders": None})
        self.assertNotIn("migration orders.0001_initial", without.ingredients)
        self.assertNotEqual(
            kept.ingredients["model orders.Order"], without.ingredients["model orders.Order"]
        )
        self.assertRegex(
            compare(kept, without).reason, r"^setting MIGRATION_MODULES changed, and \d+ more$"
        )

    def test_folder_that_is_no_package_has_none(self) -> None:
        self.project.remove("orders/migrations/__init__.py")
        taken = self.project.take()
        self.assertEqual([name for name in taken.ingredients if "migration orders" in name], [])
        self.project.write("stock/migrations.py", "")
        self.assertEqual(self.project.take(), taken)

    def test_turned_off(self) -> None:
        kept = self.project.take()
        for without in (
            self.project.take(migrate=False),
            self.project.take(connection(TEST={"MIGRATE": False})),
        ):
            self.assertRegex(compare(kept, without).reason, r"^migrations on → off, and \d+ more$")
            self.assertEqual(
                [name for name in without.ingredients if name.startswith("migration ")], []
            )
        self.project.write("orders/migrations/0001_initial.py", "")
        self.assert_current(without, self.project.take(migrate=False))

    def test_what_is_no_migration(self) -> None:
        kept = self.project.take()
        for path in (
            "orders/migrations/__pycache__/0001_initial.cpython-311.pyc",
            "orders/migrations/max_migration.txt",
            "orders/migrations/README.md",
            "orders/migrations/.#0002_price.py",
            "orders/migrations/0002_price.py~",
        ):
            self.project.write(path, "anything")
        self.assert_current(kept, self.project.take())


class ModelsTest(FingerprintTest):
    def test_meta_of_a_model_with_migrations(self) -> None:
        kept = self.project.take()
        for line in (
            'verbose_name = "purchase"',
            'permissions = [("ship", "Can ship")]',
            'default_permissions = ("add",)',
            'db_table = "purchases"',
            "managed = False",
            'required_db_vendor = "sqlite"',
            'required_db_features = ["supports_transactions"]',
        ):
            with self.subTest(line):
                source = FILES["orders/models.py"] + f"    class Meta: {line}\n"
                self.project.write("orders/models.py", source)
                self.assert_different(kept, self.project.take(), "model orders.Order changed")

    def test_fields_of_a_model_with_migrations_are_in_these(self) -> None:
        kept = self.project.take()
        self.project.replace("orders/models.py", "max_length=50", "max_length=60")
        self.assert_current(kept, self.project.take())

    def test_proxy(self) -> None:
        def order(base: str, meta: str) -> Fingerprint:
            source = FILES["orders/models.py"]
            source += f"\n        class Gift({base}):\n            class Meta: {meta}\n"
            self.project.write("orders/models.py", source)
            return self.project.take()

        kept = order("models.Model", 'db_table = "orders_order"')
        self.assertIn("model orders.Gift", kept.ingredients)
        self.assert_different(kept, order("Order", "proxy = True"), "model orders.Gift changed")

    def test_swapped(self) -> None:
        source = FILES["orders/models.py"] + '    class Meta: swappable = "ORDER_MODEL"\n'
        self.project.write("orders/models.py", source)
        kept = self.project.take(ORDER_MODEL="orders.Order")
        swapped = self.project.take(ORDER_MODEL="stock.Item")
        self.assert_different(kept, swapped, "model orders.Order changed")

    def test_tables_of_a_model_without_migrations(self) -> None:
        kept = self.project.take()
        path, source = "stock/models.py", FILES["stock/models.py"]
        for old, new in (
            ("max_length=50", "max_length=60"),
            ("max_length=50", 'max_length=50, db_column="title"'),
            ("max_length=50", "max_length=50, null=True"),
            ("max_length=50", 'max_length=50, default="none"'),
            ("models.CharField", "models.TextField"),
            ('ManyToManyField("self")', 'ManyToManyField("self", db_table="labels")'),
            ('"self")\n', '"self")\n    class Meta: unique_together = [("name",)]\n'),
            ('"self")\n', '"self")\n    class Meta: db_table_comment = "all"\n'),
            ('"self")\n', '"self")\n    class Meta: db_tablespace = "slow"\n'),
            (
                '"self")\n',
                '"self")\n    class Meta: indexes = [models.Index(fields=["name"], name="n")]\n',
            ),
            (
                '"self")\n',
                '"self")\n    class Meta: constraints = '
                '[models.UniqueConstraint(fields=["name"], name="n")]\n',
            ),
        ):
            with self.subTest(new):
                changed = textwrap.dedent(source).replace(old, new)
                self.project.write(path, changed)
                self.assert_different(kept, self.project.take(), "model stock.Item changed")

    def test_what_no_table_depends_on(self) -> None:
        kept = self.project.take()
        self.project.replace("stock/models.py", "of the item", "of it")
        self.project.replace("stock/models.py", '"name", max', '"title", max')
        self.project.replace("stock/models.py", "class Item", "# a comment\nclass Item")
        self.assert_current(kept, self.project.take())

    def test_added_and_removed(self) -> None:
        kept = self.project.take()
        source = textwrap.dedent(FILES["stock/models.py"])
        self.project.write("stock/models.py", source + "\nclass Shelf(models.Model): pass\n")
        more = self.project.take()
        self.assert_different(kept, more, "model stock.Shelf was added")
        self.assert_different(more, kept, "model stock.Shelf was removed")


class SettingsTest(FingerprintTest):
    def test_each(self) -> None:
        kept = self.project.take()
        for name, value in {
            "DEFAULT_AUTO_FIELD": "django.db.models.SmallAutoField",
            "SITE_ID": 7,
            "USE_TZ": False,
            "TIME_ZONE": "Europe/Vienna",
            "LANGUAGE_CODE": "de",
            "DEFAULT_TABLESPACE": "fast",
            "DEFAULT_INDEX_TABLESPACE": "fast",
            "TEST_NON_SERIALIZED_APPS": ["orders"],
            "MIGRATION_MODULES": {"nowhere": "nowhere"},
        }.items():
            with self.subTest(name):
                reason = compare(kept, self.project.take(**{name: value})).reason
                self.assertRegex(reason, rf"^setting {name} changed(, and \d more)?$")

    def test_user_model(self) -> None:
        kept = self.project.take()
        taken = self.project.take(AUTH_USER_MODEL="orders.Order")
        self.assertIn("setting AUTH_USER_MODEL changed", compare(kept, taken).reason)

    def test_apps_and_their_order(self) -> None:
        installed = ["django.contrib.contenttypes", "django.contrib.auth", "stock", "orders"]
        self.assert_different(
            self.project.take(),
            self.project.take(INSTALLED_APPS=installed),
            "setting INSTALLED_APPS changed",
        )

    def test_caches_in_the_database_only(self) -> None:
        def caches(backend: str, location: str) -> dict[str, Any]:
            return {"default": {"BACKEND": backend, "LOCATION": location}}

        memory = "django.core.cache.backends.locmem.LocMemCache"
        self.assert_current(
            self.project.take(CACHES=caches(memory, "a")),
            self.project.take(CACHES=caches(memory, "b")),
        )
        table = "django.core.cache.backends.db.DatabaseCache"
        self.assert_different(
            self.project.take(CACHES=caches(table, "a")),
            self.project.take(CACHES=caches(table, "b")),
            'setting CACHES["default"] changed',
        )

    def test_code_of_routers(self) -> None:
        routers = ["orders.routers.Router"]
        kept = self.project.take(DATABASE_ROUTERS=routers)
        self.project.replace("orders/routers.py", "None", "None  # whatever")
        self.assert_current(kept, self.project.take(DATABASE_ROUTERS=routers))
        self.project.replace("orders/routers.py", "None", "False")
        self.assert_different(
            kept,
            self.project.take(DATABASE_ROUTERS=routers),
            "router orders.routers.Router changed",
        )

    def test_order_of_routers(self) -> None:
        routers = ["orders.routers.Router", "tests.shop.routers.AuditRouter"]
        self.assert_different(
            self.project.take(DATABASE_ROUTERS=routers),
            self.project.take(DATABASE_ROUTERS=routers[::-1]),
            "setting DATABASE_ROUTERS changed",
        )

    def test_unrelated_ones(self) -> None:
        self.assert_current(
            self.project.take(), self.project.take(DEBUG=True, SECRET_KEY="other", MEDIA_ROOT="x")
        )


class DatabaseTest(FingerprintTest):
    def take(self, **settings: Any) -> Fingerprint:
        return self.project.take(connection(**settings))

    def test_settings_of_the_database(self) -> None:
        kept = self.take(OPTIONS={"timeout": 5}, TEST={"CHARSET": "utf8"})
        for settings, reason in (
            ({"OPTIONS": {"timeout": 6}}, "database option timeout changed"),
            ({"OPTIONS": {}}, "database option timeout was removed"),
            ({"TEST": {"CHARSET": "latin1"}}, "test setting CHARSET changed"),
            (
                {"TEST": {"CHARSET": "utf8", "COLLATION": "de"}},
                "test setting COLLATION was added",
            ),
            ({"TEST": {"CHARSET": "utf8", "TEMPLATE": "t"}}, "test setting TEMPLATE was added"),
            ({"TIME_ZONE": "Europe/Vienna"}, "database TIME_ZONE changed"),
            ({"alias": "audit"}, "alias default → audit"),
        ):
            with self.subTest(reason):
                given = {"OPTIONS": {"timeout": 5}, "TEST": {"CHARSET": "utf8"}, **settings}
                self.assert_different(kept, self.take(**given), reason)

    def test_which_database_and_order_of_making(self) -> None:
        self.assert_current(
            self.take(),
            self.take(
                NAME="other",
                USER="u",
                PASSWORD="hunter2",
                HOST="h",
                TEST={"NAME": "other", "DEPENDENCIES": ["audit"]},
            ),
        )

    def test_secrets(self) -> None:
        taken = self.take(
            PASSWORD="hunter1",
            OPTIONS={"init_command": "SET x = 'hunter2'", "sslpassword": "hunter3"},
            TEST={"PASSWORD": "hunter4", "CHARSET": "hunter5"},
        )
        self.assertNotIn("hunter", json.dumps(taken.to_json()))
        self.assertEqual([name for name in taken.ingredients if "assword" in name.lower()], [])

    def test_folders_in_options(self) -> None:
        def take(folder: str) -> Fingerprint:
            return self.take(OPTIONS={"ssl": {"ca": f"{folder}/ca.pem", "x": [Path(folder, "y")]}})

        self.assert_current(take("/one"), take("/two"))

    def test_versions(self) -> None:
        kept = self.project.take()
        with mock.patch.object(django, "get_version", return_value="7.3"):
            self.assert_different(kept, self.project.take(), f"Django {django.__version__} → 7.3")
        wrapper = connection()
        wrapper.get_database_version = lambda: (99, 1)
        before = kept.ingredients["server"]
        self.assertRegex(before, r"^SQLite 3\.\d+\.\d+$")
        self.assert_different(kept, self.project.take(wrapper), f"server {before} → 99.1")
        wrapper.display_name = "Other"
        self.assert_different(kept, self.project.take(wrapper), f"server {before} → Other 99.1")
        wrapper = connection()
        wrapper.settings_dict["ENGINE"] = "other.backend"
        self.assert_different(
            kept, self.project.take(wrapper), "engine django.db.backends.sqlite3 → other.backend"
        )


class ServersTest(unittest.TestCase):
    """The server is asked without its database, which may not exist."""

    def check(self, settings: dict[str, Any], expected: str) -> None:
        wrapper = ConnectionHandler({"default": settings})["default"]
        taken = take_fingerprint(wrapper)
        self.assertRegex(taken.ingredients["server"], expected)
        self.assertIsNone(wrapper.connection)
        self.assertNotIn(settings["NAME"], databases_on(settings))

    def test_postgresql(self) -> None:
        self.check(require_postgresql(self), r"^PostgreSQL \d+\.\d+$")

    def test_mariadb(self) -> None:
        self.check(require_mariadb(self), r"^(MariaDB|MySQL) \d+\.\d+\.\d+$")


class ReceiversTest(FingerprintTest):
    def test_code_of_their_module_but_not_comments(self) -> None:
        kept = self.project.take()
        self.assertIn("post_migrate receiver orders.apps.fill", kept.ingredients)
        self.project.replace("orders/apps.py", "pass", "pass  # nothing")
        self.assert_current(kept, self.project.take())
        self.project.replace("orders/apps.py", "pass", "return 1")
        self.assert_different(
            kept, self.project.take(), "post_migrate receiver orders.apps.fill changed"
        )

    def test_without_a_source_file(self) -> None:
        kept = self.project.take()
        names: dict[str, Any] = {"__name__": "console"}
        exec("def typed(**kwargs): pass", names)
        self.project.receivers = [names["typed"]]
        taken = self.project.take()
        self.assert_different(kept, taken, "post_migrate receiver console.typed was added")
        self.assertEqual(taken.ingredients["post_migrate receiver console.typed"], "console.typed")

    def test_before_migrating(self) -> None:
        kept = self.project.take()
        self.project.replace("orders/apps.py", "import post_migrate", "import pre_migrate")
        self.project.replace("orders/apps.py", "post_migrate.connect", "pre_migrate.connect")
        self.assert_different(
            kept,
            self.project.take(),
            "pre_migrate receiver orders.apps.fill was added, and 1 more",
        )

    def test_methods_partials_and_objects(self) -> None:
        class Receiver:
            def method(self, **kwargs: Any) -> None: ...
            def __call__(self, **kwargs: Any) -> None: ...

        receiver = Receiver()
        partial = functools.partial(receiver.method)
        for each, name in (
            (receiver, f"{__name__}.{Receiver.__qualname__}"),
            (receiver.method, f"{__name__}.{Receiver.__qualname__}.method"),
            (partial, f"{__name__}.{Receiver.__qualname__}.method"),
        ):
            self.project.receivers = [each]
            taken = self.project.take().ingredients[f"post_migrate receiver {name}"]
            self.assertEqual(taken, digest_of_code(__file__))

    def test_that_are_gone(self) -> None:
        class Receiver:
            def method(self, **kwargs: Any) -> None: ...

        receiver = Receiver()
        gone = weakref.WeakMethod(receiver.method)
        del receiver
        first = post_migrate.receivers[0]
        with mock.patch.object(post_migrate, "receivers", [first]):
            kept = list(receivers())
        with mock.patch.object(post_migrate, "receivers", [first, (first[0], gone, *first[2:])]):
            self.assertEqual(list(receivers()), kept)

    def test_of_django_are_known_by_its_version(self) -> None:
        taken = self.project.take().ingredients
        name = "django.contrib.auth.management.create_permissions"
        self.assertEqual(taken[f"post_migrate receiver {name}"], name)


class FilesTest(FingerprintTest):
    def test_changed_added_removed(self) -> None:
        files = ("data/**/*.json",)
        kept = self.project.take(files=files)
        self.assertIn("file data/rates.json", kept.ingredients)
        self.project.write("data/deep/er/more.json", "")
        self.project.write("data/other.txt", "")
        more = self.project.take(files=files)
        self.assert_different(kept, more, "file data/deep/er/more.json was added")
        self.assert_different(more, kept, "file data/deep/er/more.json was removed")
        self.project.write("data/rates.json", "[2]")
        self.assert_different(more, self.project.take(files=files), "file data/rates.json changed")

    def test_absolute_globs_give_relative_names(self) -> None:
        self.assert_current(
            self.project.take(files=(f"{os.getcwd()}/data/*.json",)),
            self.project.take(files=("./data/*.json",)),
        )

    def test_glob_without_a_match(self) -> None:
        kept = self.project.take(files=("data/none.*",))
        self.assertEqual(kept.ingredients["file data/none.*"], "missing")
        self.project.write("data/none.json", "")
        taken = self.project.take(files=("data/none.*",))
        self.assert_different(kept, taken, "file data/none.json was added, and 1 more")

    def test_file_that_was_missing(self) -> None:
        kept = self.project.take(files=("data/none.json",))
        self.project.write("data/none.json", "")
        taken = self.project.take(files=("data/none.json",))
        self.assert_different(kept, taken, "file data/none.json changed")

    def test_bytecode(self) -> None:
        kept = self.project.take(files=("data/**",))
        self.project.write("data/__pycache__/helper.cpython-311.pyc", "")
        self.assert_current(kept, self.project.take(files=("data/**",)))


class UnchangedTest(FingerprintTest):
    def test_times_comments_and_unrelated_files(self) -> None:
        files = ("data/*.json",)
        kept = self.project.take(files=files)
        for path in FILES:
            os.utime(path, (1, 1))
        for path in ("orders/apps.py", "orders/models.py", "orders/routers.py", "stock/models.py"):
            self.project.write(path, FILES[path] + "\n        # a comment\n")
        for path in ("orders/views.py", "stock/tests.py", "README.md", "data/notes.md"):
            self.project.write(path, "anything")
        self.assert_current(kept, self.project.take(files=files))

    def test_active_language(self) -> None:
        self.project.replace(
            "orders/models.py",
            "max_length=50)",
            "max_length=50)\n"
            "    class Meta: verbose_name = __import__('django.utils.translation').utils."
            "translation.gettext_lazy('user')",
        )
        with translation.override("de"):
            german = self.project.take()
        self.assert_current(german, self.project.take())

    def test_other_process_in_another_folder(self) -> None:
        script = """
            import json, os
            os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
            import django
            django.setup()
            from django.db import connection
            from sanerunner.databases.fingerprint import take_fingerprint
            files = [os.getcwd() + "/data/*", "app/../data/*.json"]
            print(json.dumps(take_fingerprint(connection, files=files).to_json()))
        """
        models = """
            from django.db import models
            from django.utils.translation import gettext_lazy as _

            class Color(models.TextChoices):
                RED = "r", _("red")

            def where(instance, name): return name

            class Thing(models.Model):
                name = models.CharField(default=lambda: "x", max_length=5, choices=Color.choices)
                color = models.CharField(default=Color.RED, max_length=5)
                file = models.FileField(upload_to=where)
                path = models.FilePathField(path=__file__)

                class Meta:
                    verbose_name = _("thing")
                    required_db_features = {"supports_transactions", "has_bulk_insert"}
                    constraints = [
                        models.CheckConstraint(condition=~models.Q(name="y"), name="not_y"),
                        models.UniqueConstraint(models.functions.Lower("name"), name="low"),
                    ]
        """
        settings = """
            DATABASE_ROUTERS = ["app.routers.Router"]
            DATABASES["default"]["OPTIONS"] = {"a": BASE_DIR / "ca.pem", "b": {"c", "d", "e"}}
            MIGRATION_MODULES = {"app": None}
            LANGUAGE_CODE = "de"
        """
        files = {
            "app/models.py": models,
            "app/routers.py": "class Router: pass",
            "data/rows.json": "[]",
            "taken.py": script,
        }
        printed = []
        for seed in ("1", "2"):
            with tempfile.TemporaryDirectory(prefix=f"inner-{seed}") as folder:
                project = InnerProject(Path(folder), files, settings)
                outcome = project.python("taken.py", environment={"PYTHONHASHSEED": seed})
                self.assertEqual(outcome.returncode, 0, outcome.output)
                self.assertNotIn(folder, outcome.stdout)
                printed.append(Fingerprint.from_json(json.loads(outcome.stdout)))
        for name in ("model app.Thing", "router app.routers.Router", "file data/rows.json"):
            self.assertIn(name, printed[0].ingredients)
        self.assert_current(*printed)


class NewMigrationsTest(FingerprintTest):
    def test_on_top(self) -> None:
        kept = self.project.take()
        self.project.write("orders/migrations/0003_gift.py", "")
        taken = self.project.take()
        self.assert_behind(kept, taken, "1 new migration: orders.0003_gift")
        self.assert_different(taken, kept, "migration orders.0003_gift was removed")

    def test_with_models_and_files_of_their_app(self) -> None:
        kept = self.project.take()
        self.project.write("orders/migrations/0003_gift.py", "")
        self.project.write("orders/migrations/0004_rows.py", "")
        self.project.write("orders/migrations/rows.json", "[]")
        source = textwrap.dedent(FILES["orders/models.py"])
        self.project.write("orders/models.py", source + "\nclass Gift(models.Model): pass\n")
        self.assert_behind(
            kept, self.project.take(), "2 new migrations: orders.0003_gift, orders.0004_rows"
        )

    def test_many_are_not_all_named(self) -> None:
        kept = self.project.take()
        for number in range(3, 8):
            self.project.write(f"orders/migrations/000{number}_x.py", "")
        self.assert_behind(
            kept,
            self.project.take(),
            "5 new migrations: orders.0003_x, orders.0004_x, orders.0005_x, and 2 more",
        )

    def test_with_a_model_of_another_app(self) -> None:
        kept = self.project.take()
        self.project.write("orders/migrations/0003_gift.py", "")
        source = textwrap.dedent(FILES["stock/models.py"])
        self.project.write("stock/models.py", source + "\nclass Shelf(models.Model): pass\n")
        self.assert_different(
            kept, self.project.take(), "migration orders.0003_gift was added, and 1 more"
        )

    def test_with_another_name_for_a_model(self) -> None:
        """Permissions get their names when they are made, and no others later."""
        kept = self.project.take()
        self.project.write("orders/migrations/0003_alter.py", "")
        source = FILES["orders/models.py"] + '    class Meta: verbose_name = "purchase"\n'
        self.project.write("orders/models.py", source)
        self.assert_different(
            kept, self.project.take(), "migration orders.0003_alter was added, and 1 more"
        )

    def test_not_above_those_that_were_there(self) -> None:
        """What was applied already would run after it in a database that is built anew."""
        kept = self.project.take()
        for name in ("0001_squashed_0002_price", "0002_other", "added_later"):
            with self.subTest(name):
                path = f"orders/migrations/{name}.py"
                self.project.write(path, "")
                self.assert_different(
                    kept, self.project.take(), f"migration orders.{name} was added"
                )
                self.project.remove(path)

    def test_numbers_are_compared_as_numbers(self) -> None:
        self.project.write("orders/migrations/9999_last.py", "")
        kept = self.project.take()
        self.project.write("orders/migrations/10000_next.py", "")
        self.assert_behind(kept, self.project.take(), "1 new migration: orders.10000_next")

    def test_first_of_an_app_that_had_none(self) -> None:
        kept = self.project.take()
        self.project.write("stock/migrations/__init__.py", "")
        self.project.write("stock/migrations/0001_initial.py", "")
        self.assert_different(
            kept, self.project.take(), "migration stock.0001_initial was added, and 2 more"
        )


class StoringTest(unittest.TestCase):
    def test_there_and_back(self) -> None:
        taken = take_fingerprint(connection())
        stored = json.loads(json.dumps(taken.to_json(), sort_keys=True))
        self.assertEqual(Fingerprint.from_json(stored), taken)
        self.assertEqual(Fingerprint.from_json(stored).digest, taken.digest)
        self.assertRegex(taken.digest, r"^[0-9a-f]{32}$")

    def test_malformed(self) -> None:
        whole = take_fingerprint(connection()).to_json()
        content: Any
        for content in ({}, [], None, "text", {**whole, "server": 3}, {**whole, 3: "server"}):
            with self.subTest(content=content), self.assertRaises(ValueError) as caught:
                Fingerprint.from_json(content)
            self.assertIn("no fingerprint of a database", str(caught.exception))

    def test_another_format(self) -> None:
        taken = take_fingerprint(connection())
        older = Fingerprint.from_json({**taken.to_json(), "fingerprint format": "0"})
        self.assertEqual(compare(older, taken).reason, "fingerprint format 0 → 1")


class StableTextTest(unittest.TestCase):
    def test_no_addresses(self) -> None:
        class Plain: ...

        class Shown:
            def __repr__(self) -> str:
                return f"<shown {object.__repr__(self)}>"

        for value in (Plain(), Shown(), lambda: None, functools.partial(print, Plain())):
            self.assertNotIn("0x", stable_text([value]))
        self.assertEqual(stable_text(Plain()), stable_text(Plain()))

    def test_objects_that_say_what_they_are(self) -> None:
        class Rule:  # as Django's DB_CASCADE
            def __init__(self, name: str) -> None:
                self.name = name

            def __str__(self) -> str:
                return self.name

        self.assertNotEqual(stable_text(Rule("cascade")), stable_text(Rule("null")))
        self.assertEqual(stable_text(Rule("null")), stable_text(Rule("null")))

    def test_equal_and_unequal(self) -> None:
        self.assertEqual(stable_text({"a": 1, "b": {3, 2}}), stable_text({"b": {2, 3}, "a": 1}))
        self.assertEqual(stable_text([1, (2,)]), stable_text((1, [2])))
        self.assertNotEqual(stable_text("1"), stable_text(1))
        self.assertNotEqual(stable_text(["a, b"]), stable_text(["a", "b"]))
        self.assertNotEqual(digest_of("a"), digest_of("b"))
