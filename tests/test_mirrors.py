"""A mirror and its primary are one session, for reads, writes, transactions and threads."""

from __future__ import annotations

import threading
import unittest
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock
from urllib.request import urlopen

from django.db import IntegrityError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from django.http import HttpRequest, HttpResponse
from django.test import (
    LiveServerTestCase,
    SimpleTestCase,
    TestCase,
    TransactionTestCase,
    override_settings,
)
from django.test.testcases import DatabaseOperationForbidden  # type: ignore[attr-defined]
from django.urls import path

from sanerunner.databases import mirrors
from sanerunner.databases.mirrors import SESSION_ATTRIBUTES, Mirrors

from .shop.models import Category
from .support.projects import inner_project

BOTH = {"default", "replica"}


def names(alias: str) -> list[str]:
    found = Category.objects.using(alias).filter(name__startswith="m-").order_by("name")
    return list(found.values_list("name", flat=True))


def add(name: str, alias: str = "default") -> None:
    Category.objects.using(alias).create(name=f"m-{name}")


def in_thread(function: Callable[[], Any]) -> Any:
    """Return what ``function`` returns in a thread of its own; raise what it raises."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)
        finally:
            for each in connections.all(initialized_only=True):
                BaseDatabaseWrapper.close(each)  # SQLite's leaves those in memory open

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    for error in errors:
        raise error
    return results[0]


class UncommittedTest(TestCase):
    """Inside a TestCase, which commits nothing."""

    databases = BOTH

    @classmethod
    def setUpTestData(cls) -> None:
        add("class")

    def test_rows_are_seen_both_ways(self) -> None:
        self.assertEqual(names("replica"), ["m-class"])
        add("a")
        self.assertEqual(names("replica"), ["m-a", "m-class"])
        add("b", "replica")
        self.assertEqual(names("default"), ["m-a", "m-b", "m-class"])

    def test_rows_of_other_tests_are_gone(self) -> None:
        self.assertEqual(names("replica"), ["m-class"])
        self.assertEqual(names("default"), ["m-class"])
        add("b", "replica")

    def test_rollback_inside_the_other(self) -> None:
        for outer, inner in (("default", "replica"), ("replica", "default")):
            with self.subTest(outer):
                with transaction.atomic(using=outer):
                    add("outer", outer)
                    with self.assertRaises(ZeroDivisionError), transaction.atomic(using=inner):
                        add("inner", inner)
                        1 / 0  # noqa: B018
                    self.assertEqual(names(outer), ["m-class", "m-outer"])
                    transaction.set_rollback(True, using=outer)
                self.assertEqual(names(inner), ["m-class"])

    def test_savepoints(self) -> None:
        default: Any = connections["default"]
        replica: Any = connections["replica"]
        first = replica.savepoint()
        add("a")
        second = default.savepoint()
        self.assertNotEqual(first, second)
        add("b", "replica")
        replica.savepoint_rollback(second)
        self.assertEqual(names("default"), ["m-a", "m-class"])
        default.savepoint_rollback(first)
        self.assertEqual(names("replica"), ["m-class"])

    def test_broken_transaction_is_broken_for_both(self) -> None:
        with transaction.atomic(using="default"):
            with self.assertRaises(IntegrityError):
                add("class", "replica")
            connections["replica"].needs_rollback = True
            with self.assertRaises(transaction.TransactionManagementError):
                names("default")
            transaction.set_rollback(True, using="replica")
        self.assertEqual(names("default"), ["m-class"])

    def test_durable(self) -> None:
        for outer, inner in (("default", "replica"), ("replica", "default")):
            with transaction.atomic(using=outer, durable=True):
                add("durable", inner)
                with (
                    self.assertRaisesRegex(RuntimeError, "durable"),
                    transaction.atomic(using=inner, durable=True),
                ):
                    self.fail("a durable block inside another")
                transaction.set_rollback(True, using=outer)

    def test_on_commit(self) -> None:
        for using in sorted(BOTH):
            called: list[str] = []
            with (
                self.subTest(using),
                self.captureOnCommitCallbacks(using=using, execute=True) as found,
            ):
                with transaction.atomic(using="replica"):
                    transaction.on_commit(partial(called.append, "replica"), using="replica")
                    with transaction.atomic(using="default"):
                        transaction.on_commit(partial(called.append, "default"), using="default")
                with self.assertRaises(ZeroDivisionError), transaction.atomic(using="default"):
                    transaction.on_commit(partial(called.append, "lost"), using="replica")
                    1 / 0  # noqa: B018
            self.assertEqual(called, ["replica", "default"])
            self.assertEqual(len(found), 2)

    def test_queries_are_counted_apart(self) -> None:
        with self.assertNumQueries(2, using="replica"), self.assertNumQueries(1):
            names("replica")
            names("default")
            names("replica")

    def test_wrapper_is_the_alias_own(self) -> None:
        mirror = connections["replica"]
        self.assertEqual(mirror.alias, "replica")
        self.assertIsNot(mirror, connections["default"])
        self.assertEqual(mirror.settings_dict["NAME"], connection.settings_dict["NAME"])
        self.assertEqual(mirror.settings_dict["TEST"]["MIRROR"], "default")
        self.assertEqual(mirror.vendor, connection.vendor)
        self.assertIs(mirror.connection, connection.connection)

    def test_iterator_and_raw_cursor(self) -> None:
        add("a")
        rows = Category.objects.using("replica").filter(name__startswith="m-").iterator()
        self.assertEqual(len(list(rows)), 2)
        with connections["replica"].cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM shop_category WHERE name LIKE 'm-%'")
            self.assertEqual(cursor.fetchone(), (2,))
        self.assertIn("shop_category", connections["replica"].introspection.table_names())

    def test_session_lent_to_a_thread(self) -> None:
        """What LiveServerTestCase does with databases in memory."""
        lent = {alias: connections[alias] for alias in BOTH}
        add("lent")

        def borrow() -> list[str]:
            for alias, wrapper in lent.items():
                connections[alias] = wrapper
            try:
                add("back", "replica")
                return names("default")
            finally:
                for alias in lent:
                    del connections[alias]

        for wrapper in lent.values():
            wrapper.inc_thread_sharing()
        try:
            self.assertEqual(in_thread(borrow), ["m-back", "m-class", "m-lent"])
        finally:
            for wrapper in lent.values():
                wrapper.dec_thread_sharing()
        self.assertEqual(names("replica"), ["m-back", "m-class", "m-lent"])
        self.assertFalse(connection.allow_thread_sharing)

    def test_mirror_made_in_a_thread_leaves_a_lent_session_alone(self) -> None:
        """The thread makes its own wrapper of the mirror over the lent one of the primary."""
        lent = connections["default"]

        def borrow() -> list[str]:
            connections["default"] = lent
            try:
                states = {name: getattr(lent, name) for name in SESSION_ATTRIBUTES}
                mirror = connections["replica"]
                for name, state in states.items():
                    self.assertIs(getattr(lent, name), state, name)
                    self.assertIs(getattr(mirror, name), state, name)
                return names("replica")
            finally:
                del connections["default"]
                del connections["replica"]

        add("lent")
        lent.inc_thread_sharing()
        try:
            self.assertEqual(in_thread(borrow), ["m-class", "m-lent"])
        finally:
            lent.dec_thread_sharing()


class ReplicaOnlyTest(TestCase):
    databases = {"replica"}

    def test_rows(self) -> None:
        add("a", "replica")
        self.assertEqual(names("replica"), ["m-a"])
        self.assertTrue(connections["replica"].in_atomic_block)

    def test_rows_of_other_tests_are_gone(self) -> None:
        self.assertEqual(names("replica"), [])
        add("b", "replica")

    def test_default_is_refused(self) -> None:
        connections["replica"].ensure_connection()
        with self.assertRaisesRegex(DatabaseOperationForbidden, "'default'"):
            names("default")


class DefaultOnlyTest(TestCase):
    databases = {"default"}

    def test_replica_is_refused(self) -> None:
        add("a")
        with self.assertRaisesRegex(DatabaseOperationForbidden, "'replica'"):
            names("replica")
        self.assertEqual(names("default"), ["m-a"])


class NoneTest(SimpleTestCase):
    def test_both_are_refused(self) -> None:
        for alias in BOTH:
            with self.assertRaises(DatabaseOperationForbidden):
                names(alias)


class AllTest(TestCase):
    databases = "__all__"

    def test_rows(self) -> None:
        add("a")
        self.assertEqual(names("replica"), ["m-a"])


class CommittedTest(TransactionTestCase):
    """Where the test's own blocks are the outermost ones."""

    databases = BOTH

    def test_commit_and_rollback_through_the_mirror(self) -> None:
        with transaction.atomic(using="replica"):
            add("a", "replica")
            with transaction.atomic(using="default"):
                add("b", "default")
        self.assertEqual(in_thread(lambda: names("default")), ["m-a", "m-b"])
        with transaction.atomic(using="default"):
            add("c", "replica")
            transaction.set_rollback(True, using="replica")
        self.assertEqual(in_thread(lambda: names("default")), ["m-a", "m-b"])

    def test_on_commit_runs_after_the_outermost_block(self) -> None:
        called: list[str] = []
        with transaction.atomic(using="replica"):
            with transaction.atomic(using="default"):
                transaction.on_commit(lambda: called.append("default"), using="default")
            self.assertEqual(called, [])
        self.assertEqual(called, ["default"])

    def test_durable(self) -> None:
        with (
            transaction.atomic(using="replica", durable=True),
            self.assertRaisesRegex(RuntimeError, "durable"),
            transaction.atomic(using="default", durable=True),
        ):
            self.fail("a durable block inside another")

    def test_autocommit(self) -> None:
        transaction.set_autocommit(False, using="replica")
        try:
            self.assertFalse(transaction.get_autocommit(using="default"))
            add("a", "default")
            transaction.rollback(using="replica")
        finally:
            transaction.set_autocommit(True, using="default")
        self.assertTrue(transaction.get_autocommit(using="replica"))
        self.assertEqual(names("replica"), [])

    def test_close_and_open_again(self) -> None:
        add("a")
        connections["replica"].close()
        self.assertEqual(names("replica"), ["m-a"])
        self.assertIs(connections["replica"].connection, connections["default"].connection)
        connections["default"].close()
        self.assertEqual(names("default"), ["m-a"])
        self.assertIs(connections["replica"].connection, connections["default"].connection)

    def test_a_thread_has_a_session_of_its_own_that_both_share(self) -> None:
        def work() -> list[str]:
            with transaction.atomic(using="default"):
                add("thread")
                self.assertIsNot(connections["default"].connection, mine)
                return names("replica")

        mine = connection.connection
        self.assertEqual(in_thread(work), ["m-thread"])
        self.assertEqual(names("replica"), ["m-thread"])

    def test_copy_is_a_connection_of_its_own(self) -> None:
        if connection.vendor == "sqlite":
            self.skipTest("locks the whole database")
        with transaction.atomic(using="replica"):
            add("a", "replica")
            copy = connections["replica"].copy()
            try:
                with copy.cursor() as cursor:
                    cursor.execute("SELECT COUNT(*) FROM shop_category WHERE name LIKE 'm-%'")
                    self.assertEqual(cursor.fetchone(), (0,))
            finally:
                copy.close()

    def test_server_cursor_of_a_mirror(self) -> None:
        if connection.vendor == "sqlite":
            self.skipTest("has no server")
        with connections["replica"]._nodb_cursor() as cursor:
            cursor.execute("SELECT 1")
            self.assertEqual(cursor.fetchone(), (1,))


def both_counts(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{len(names('default'))} {len(names('replica'))}")


urlpatterns = [path("counts/", both_counts)]


@override_settings(ROOT_URLCONF=__name__, STATIC_URL="/static/")
class LiveServerTest(LiveServerTestCase):
    databases = BOTH

    def test_server_sees_both(self) -> None:
        add("a", "replica")
        for _ in range(3):
            with urlopen(f"{self.live_server_url}/counts/") as response:
                self.assertEqual(response.read(), b"1 1")
            self.assertEqual(names("replica"), ["m-a"])


class RestoredTest(SimpleTestCase):
    """Away from the suite's own connections."""

    def setUp(self) -> None:
        sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        self.connections = ConnectionHandler(
            {
                "default": dict(sqlite),
                "replica": {**sqlite, "TEST": {"MIRROR": "default"}},
                "far": {**sqlite, "TEST": {"MIRROR": "replica"}},
            }
        )
        patch = mock.patch.object(mirrors, "connections", self.connections)
        patch.start()
        self.addCleanup(patch.stop)

    def test_wrappers_and_handler(self) -> None:
        before = {alias: self.connections[alias] for alias in self.connections}
        attributes = set(vars(self.connections))
        redirected = Mirrors()
        redirected.redirect({"replica": "default", "far": "default"})
        self.assertIn("create_connection", vars(self.connections))
        self.assertIsNot(self.connections["replica"], before["replica"])
        self.assertIs(self.connections["default"], before["default"])
        redirected.restore()
        self.assertEqual(set(vars(self.connections)), attributes)
        for alias, wrapper in before.items():
            self.assertIs(self.connections[alias], wrapper)
        redirected.restore()

    def test_handler_that_was_changed_before(self) -> None:
        original = self.connections.create_connection
        made: list[str] = []

        def create(alias: str) -> Any:
            made.append(alias)
            return original(alias)

        self.connections.create_connection = create  # type: ignore[method-assign]
        redirected = Mirrors()
        redirected.redirect({"replica": "default"})
        del self.connections["default"]
        self.assertEqual(self.connections["default"].alias, "default")
        self.assertIn("default", made)
        redirected.restore()
        self.assertIs(vars(self.connections)["create_connection"], create)

    def test_nothing_to_mirror(self) -> None:
        redirected = Mirrors()
        redirected.redirect({})
        self.assertNotIn("create_connection", vars(self.connections))
        redirected.restore()


class WholeRunTest(unittest.TestCase):
    def test_mirrors_of_a_plain_test_and_after_the_run(self) -> None:
        """Undeclared use makes the primary's database; afterwards all is as it was."""
        project = inner_project(
            self,
            """
            import unittest
            from django.db import connections, transaction
            from app.models import Thing

            class Plain(unittest.TestCase):
                def test_replica(self):
                    with transaction.atomic(using="far"):
                        Thing.objects.using("replica").create(name="a")
                        self.assertEqual(Thing.objects.using("far").count(), 1)
                        self.assertEqual(Thing.objects.count(), 1)
                    self.assertIs(
                        connections["far"].connection, connections["default"].connection
                    )
            """,
            """
            for alias, primary in (("replica", "default"), ("far", "replica")):
                DATABASES[alias] = {**DATABASES["default"], "TEST": {"MIRROR": primary}}
            """,
            **{
                "script.py": """
                    import copy, django
                    django.setup()
                    from django.conf import settings
                    from django.db import connections
                    from django.db.backends.base.base import BaseDatabaseWrapper
                    from sanerunner import SaneRunner

                    def state():
                        return {
                            "wrappers": [connections[alias] for alias in connections],
                            "classes": [type(connections[alias]) for alias in connections],
                            "settings": copy.deepcopy(settings.DATABASES),
                            "names": [connections[a].settings_dict["NAME"] for a in connections],
                            "handler": sorted(vars(connections)),
                            "sessions": [
                                (
                                    connections[alias].connection,
                                    connections[alias].in_atomic_block,
                                    connections[alias].execute_wrappers,
                                    hasattr(connections[alias], "_test_serialized_contents"),
                                )
                                for alias in connections
                            ],
                            "methods": [
                                vars(BaseDatabaseWrapper)[name]
                                for name in ("connect", "cursor", "_cursor", "chunked_cursor")
                            ],
                            "creations": ["create_test_db" in vars(connections[a].creation)
                                          for a in connections],
                        }

                    before = state()
                    for _ in range(2):
                        assert SaneRunner(verbosity=0, interactive=False).run_tests([]) == 0
                    after = state()
                    for key in before:
                        assert before[key] == after[key], (key, before[key], after[key])
                    """
            },
        )
        outcome = project.python("script.py", environment={"DJANGO_SETTINGS_MODULE": "settings"})
        self.assertEqual(outcome.returncode, 0, outcome.output)
        self.assertFalse((project.folder / "real.sqlite3").exists())
