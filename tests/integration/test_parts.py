"""The parts of the integration server that need no server."""

from __future__ import annotations

import os
import random
import signal
import stat
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

from django.test import SimpleTestCase, override_settings

from sanerunner.exceptions import ServerError, UnsafeDatabaseError, UsageError
from sanerunner.integration import memories, production
from sanerunner.integration.addresses import parse_address
from sanerunner.integration.announcing import ReadyFile, variables
from sanerunner.integration.folders import folder_of
from sanerunner.integration.interruption import Interrupted, Interruption
from sanerunner.integration.loop import MainLoop
from sanerunner.options.integration import IntegrationSettings, parse_integration


class AddressTest(unittest.TestCase):
    def test_what_is_understood(self) -> None:
        for text, expected in (
            (None, ("127.0.0.1", 8000)),
            ("", ("127.0.0.1", 8000)),
            ("8001", ("127.0.0.1", 8001)),
            ("0.0.0.0:0", ("0.0.0.0", 0)),
            ("localhost:80", ("localhost", 80)),
            ("[::1]:8000", ("::1", 8000)),
        ):
            with self.subTest(text):
                self.assertEqual(parse_address(text), expected)
        self.assertEqual(parse_address(None, default_port=0), ("127.0.0.1", 0))

    def test_what_is_not(self) -> None:
        for text in ("host", "host:", ":8000", "[::1]", "a b:1", "1:2:3", "65536", "-1"):
            with self.subTest(text), self.assertRaises(UsageError) as caught:
                parse_address(text)
            self.assertIn(repr(text), str(caught.exception))


class ProductionTest(SimpleTestCase):
    def test_what_looks_like_production(self) -> None:
        for name, value in (
            ("ALLOWED_HOSTS", ["shop.example.com"]),
            ("ALLOWED_HOSTS", ["*"]),
            ("SECURE_SSL_REDIRECT", True),
            ("SECURE_HSTS_SECONDS", 60),
            ("SESSION_COOKIE_SECURE", True),
        ):
            changed = {"DEBUG": False, "ALLOWED_HOSTS": [], name: value}
            with (
                self.subTest(name),
                override_settings(**changed),
                self.assertRaisesRegex(UnsafeDatabaseError, name),
            ):
                production.refuse()
            with self.subTest(name, DEBUG=True), override_settings(**{**changed, "DEBUG": True}):
                production.refuse()

    def test_what_does_not(self) -> None:
        for hosts in ([], ["localhost", "127.0.0.1", "testserver"], ["shop.localhost", "a.test"]):
            with self.subTest(hosts), override_settings(DEBUG=False, ALLOWED_HOSTS=hosts):
                production.refuse()


class RandomnessTest(unittest.TestCase):
    def draw(self) -> list[object]:
        import factory.random
        from faker import Faker

        return [random.random(), Faker().name(), factory.random.randgen.random()]

    def setUp(self) -> None:
        self.addCleanup(memories.Randomness().restore, memories.Randomness().take())

    def test_a_seed(self) -> None:
        memories.seed(5)
        first = self.draw()
        memories.seed(5)
        self.assertEqual(self.draw(), first)
        memories.seed(6)
        for one, other in zip(self.draw(), first, strict=True):
            self.assertNotEqual(one, other)

    def test_what_was_taken_comes_back(self) -> None:
        taken = memories.Randomness().take()
        first = self.draw()
        memories.Randomness().restore(taken)
        self.assertEqual(self.draw(), first)


class LoopTest(unittest.TestCase):
    def test_work_is_done_in_the_thread_of_the_loop(self) -> None:
        loop = MainLoop()
        self.addCleanup(loop.close)
        found: list[object] = []

        def fail() -> None:
            raise KeyError("work")

        def others() -> None:
            found.append(loop.call(threading.get_ident))
            try:
                loop.call(fail)
            except KeyError as error:
                found.append(error.args)
            loop.stop()

        thread = threading.Thread(target=others)
        thread.start()
        loop.run()
        thread.join()
        self.assertEqual(found, [threading.get_ident(), ("work",)])

    def test_work_that_comes_too_late_is_refused(self) -> None:
        loop = MainLoop()
        loop.stop()
        loop.run()
        self.addCleanup(loop.close)
        failures: list[str] = []

        def ask() -> None:
            try:
                loop.call(lambda: None)
            except ServerError as error:
                failures.append(str(error))

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        self.assertEqual(failures, ["The integration server is being shut down."])


class InterruptionTest(unittest.TestCase):
    def setUp(self) -> None:
        if os.name != "posix":
            self.skipTest("a process cannot send itself these signals")
        self.interruption = Interruption()

    def test_the_three_times(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        reacted: list[int] = []
        with self.interruption.taken():
            with self.assertRaises(Interrupted) as caught:
                signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)  # it is ending already
            self.interruption.serving(reacted.append)
            signal.raise_signal(signal.SIGINT)
            self.interruption.ending()
            signal.raise_signal(signal.SIGTERM)
        self.assertEqual(caught.exception.number, signal.SIGTERM)
        self.assertEqual(reacted, [signal.SIGINT])
        self.assertEqual(signal.getsignal(signal.SIGTERM), before)


class ReadyFileTest(unittest.TestCase):
    def test_what_a_shell_reads(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "ready")
            file = ReadyFile(path)
            file.write(variables("http://127.0.0.1:1", "it's a secret"))
            lines = path.read_text().splitlines()
            self.assertIn("SANE_BASE_URL=http://127.0.0.1:1", lines)
            self.assertIn("""SANE_CONTROL_TOKEN='it'"'"'s a secret'""", lines)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertEqual(os.listdir(folder), ["ready"])
            file.remove()
            file.remove()
            self.assertEqual(os.listdir(folder), [])

    def test_one_that_cannot_be_written(self) -> None:
        with self.assertRaisesRegex(UsageError, "--ready-file: '/nowhere/at/all' cannot be"):
            ReadyFile(Path("/nowhere/at/all")).write({})


class FolderTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.temporary = Path(folder.name)
        patch = mock.patch.object(tempfile, "tempdir", folder.name)
        patch.start()
        self.addCleanup(patch.stop)

    def test_one_for_each_project(self) -> None:
        self.assertEqual(folder_of("shop"), folder_of("shop"))
        self.assertEqual(folder_of("a/../b").name, "a-..-b")
        self.assertEqual(folder_of("").name, "project")

    def test_others_may_not_write_there(self) -> None:
        if not hasattr(os, "getuid"):
            self.skipTest("files have no owners here")
        folder_of("shop").parent.chmod(0o777)
        with self.assertRaisesRegex(UnsafeDatabaseError, "is not this user's alone"):
            folder_of("shop")


class SettingsTest(unittest.TestCase):
    def test_what_is_understood(self) -> None:
        parsed = parse_integration({"POPULATE": "shop.fill", "SCENARIOS": {"paid": "shop.paid"}})
        self.assertEqual(parsed.populate, ("shop.fill",))
        self.assertEqual(parsed.scenarios, {"paid": "shop.paid"})
        self.assertEqual(parse_integration({}), IntegrationSettings())

    def test_what_is_not(self) -> None:
        for value, message in (
            ([], "must be a dictionary"),
            ({"POPULAT": []}, "unknown key 'POPULAT' .did you mean 'POPULATE'"),
            ({"POPULATE": 1}, '"POPULATE" must be a string'),
            ({"FACTORIES": ["a.b"]}, '"FACTORIES" must be a dictionary'),
            ({"FACTORIES": {"a": 1}}, '"FACTORIES" must hold names'),
        ):
            with self.subTest(value), self.assertRaisesRegex(ValueError, message):
                parse_integration(value)
