"""Every way in which a test can end that Django's own, healthy tests do not show."""

import unittest

from django.contrib.auth.models import Permission, User
from django.test import (
    LiveServerTestCase,
    SimpleTestCase,
    TestCase,
    TransactionTestCase,
    skipIfDBFeature,
)


class Plain(unittest.TestCase):
    def test_passes(self):
        pass

    def test_fails(self):
        self.fail("as meant")

    def test_errors(self):
        raise RuntimeError("as meant")

    def test_exits(self):
        raise SystemExit(3)

    def test_skips(self):
        self.skipTest("as meant")

    @unittest.skip("as meant")
    def test_is_skipped(self):
        pass

    @unittest.expectedFailure
    def test_fails_as_expected(self):
        self.fail("as meant")

    @unittest.expectedFailure
    def test_succeeds_unexpectedly(self):
        pass

    @unittest.expectedFailure
    def test_subtest_fails_as_expected(self):
        with self.subTest(i=1):
            self.fail("as meant")

    def test_failing_message_is_odd(self):
        self.fail("\x00 \ud800 ]]>")


class Subtests(unittest.TestCase):
    def test_pass(self):
        for i in range(3):
            with self.subTest(i=i):
                pass

    def test_one_fails(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertNotEqual(i, 1)

    def test_one_errors(self):
        for i in range(3):
            with self.subTest(i=i):
                _ = 1 / (i - 1)

    def test_one_fails_one_errors(self):
        with self.subTest("failing"):
            self.fail("as meant")
        with self.subTest("erring"):
            raise RuntimeError("as meant")

    def test_one_skips(self):
        for i in range(3):
            with self.subTest(i=i):
                if i == 1:
                    self.skipTest("as meant")

    def test_one_skips_one_fails(self):
        with self.subTest("skipping"):
            self.skipTest("as meant")
        with self.subTest("failing"):
            self.fail("as meant")

    def test_fails_after_a_subtest(self):
        with self.subTest("passing"):
            pass
        self.fail("as meant")


class SetUp(unittest.TestCase):
    def setUp(self):
        raise RuntimeError("as meant")

    def test_never_runs(self):
        pass

    @unittest.expectedFailure
    def test_is_expected_to_fail(self):
        pass


class SkippingSetUp(unittest.TestCase):
    def setUp(self):
        self.skipTest("as meant")

    def test_never_runs(self):
        pass


class TearDown(unittest.TestCase):
    def tearDown(self):
        raise RuntimeError("as meant")

    def test_passes(self):
        pass

    def test_fails(self):
        self.fail("as meant")

    def test_skips(self):
        self.skipTest("as meant")


class FailingTearDown(unittest.TestCase):
    def tearDown(self):
        self.fail("as meant")

    def test_passes(self):
        pass

    def test_errors(self):
        raise RuntimeError("as meant")


class CleanUp(unittest.TestCase):
    def test_passes(self):
        self.addCleanup(self._fail)

    def test_skips(self):
        self.addCleanup(self._fail)
        self.skipTest("as meant")

    def _fail(self):
        self.fail("as meant")


class SetUpClass(SimpleTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        raise RuntimeError("as meant")

    def test_one(self):
        pass

    def test_two(self):
        pass

    class Inner(unittest.TestCase):
        """A class inside one that fails is not discovered and must not appear."""

        def test_one(self):
            pass


class SkippingSetUpClass(SimpleTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        raise unittest.SkipTest("as meant")

    def test_one(self):
        pass

    def test_two(self):
        pass


class SetUpClassWithFailingCleanUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(lambda: 1 / 0)
        raise RuntimeError("as meant")

    def test_one(self):
        pass


class TearDownClass(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        raise RuntimeError("as meant")

    def test_passes(self):
        pass


class SkippingTearDownClass(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        raise unittest.SkipTest("as meant")

    def test_passes(self):
        pass


class ClassCleanUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(lambda: 1 / 0)

    def test_passes(self):
        pass


@unittest.skip("as meant")
class SkippedClass(TestCase):
    def test_one(self):
        pass


@skipIfDBFeature("supports_foreign_keys")
class FeatureClass(TestCase):
    def test_one(self):
        pass


class Features(TestCase):
    @skipIfDBFeature("supports_foreign_keys")
    def test_one(self):
        pass


class Asynchronous(SimpleTestCase):
    async def test_passes(self):
        pass

    async def test_fails(self):
        self.fail("as meant")


class Isolated(unittest.IsolatedAsyncioTestCase):
    async def asyncTearDown(self):
        raise RuntimeError("as meant")

    async def test_errors(self):
        pass


class ForbiddenQueries(SimpleTestCase):
    def test_errors(self):
        User.objects.count()


class ForbiddenAlias(TestCase):
    def test_errors(self):
        User.objects.using("other").count()


class SetUpTestData(TestCase):
    @classmethod
    def setUpTestData(cls):
        raise RuntimeError("as meant")

    def test_one(self):
        pass


class MissingFixture(TestCase):
    fixtures = ("no_such_fixture",)

    def test_one(self):
        pass


class MissingFixtureInTransactions(TransactionTestCase):
    """Errors before the test is started."""

    available_apps = ()
    fixtures = ("no_such_fixture",)

    def test_one(self):
        pass

    def test_two(self):
        pass


class BrokenConstraint(TestCase):
    """Errors after the test has ended, where foreign keys are checked late."""

    def test_passes_itself(self):
        Permission.objects.create(content_type_id=987654, codename="zoo", name="zoo")

    def test_fails_itself(self):
        Permission.objects.create(content_type_id=987654, codename="zoo", name="zoo")
        self.fail("as meant")


class BrokenTransaction(TestCase):
    def test_errors(self):
        try:
            User.objects.create(pk=1, username="zoo")
            User.objects.create(pk=1, username="zoo")
        except Exception:
            User.objects.count()


class UnclosedWrite(TransactionTestCase):
    available_apps = ("django.contrib.auth", "django.contrib.contenttypes")

    def test_a_writes(self):
        User.objects.create(username="zoo")

    def test_b_sees_nothing(self):
        self.assertEqual(User.objects.count(), 0)


class LiveServer(LiveServerTestCase):
    available_apps = ()

    def test_passes(self):
        self.assertTrue(self.live_server_url)

    def test_fails(self):
        self.fail("as meant")


class WrongHostLiveServer(LiveServerTestCase):
    """Named to come last: Django leaves available_apps set after a setUpClass() like this."""

    available_apps = ()
    host = "256.256.256.256"

    def test_one(self):
        pass
