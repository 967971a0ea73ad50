"""What tests print, kept for the reports."""

from __future__ import annotations

import io
import logging
import sys
import unittest
from unittest import mock

from sanerunner.events import Outcome
from sanerunner.execution.capture import CappedText, OutputCapture

from .support.running import run_classes


class CappedTextTest(unittest.TestCase):
    def capped(self, limit: int, *parts: str) -> str:
        text = CappedText(limit)
        for part in parts:
            text.add(part)
        return text.take()

    def test_short_text_is_kept_as_it_is(self) -> None:
        self.assertEqual(self.capped(10, ""), "")
        self.assertEqual(self.capped(10), "")
        self.assertEqual(self.capped(10, "0123456789"), "0123456789")
        self.assertEqual(self.capped(10, *"0123456789"), "0123456789")
        self.assertEqual(self.capped(10, "0123", "456789"), "0123456789")

    def test_the_middle_of_long_text_is_left_out(self) -> None:
        expected = "abcde\n[16 characters left out]\nvwxyz"
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.assertEqual(self.capped(10, letters), expected)
        self.assertEqual(self.capped(10, *letters), expected)
        self.assertEqual(self.capped(10, "abc", letters[3:7], letters[7:]), expected)

    def test_an_odd_limit(self) -> None:
        self.assertEqual(self.capped(3, "abc"), "abc")
        self.assertEqual(self.capped(3, *"abcd"), "ab\n[1 characters left out]\nd")

    def test_limits_near_nothing(self) -> None:
        self.assertEqual(self.capped(1, "abc"), "a\n[2 characters left out]\n")
        self.assertEqual(self.capped(0, "abc"), "\n[3 characters left out]\n")
        self.assertEqual(self.capped(0), "")

    def test_taking_starts_afresh(self) -> None:
        text = CappedText(4)
        text.add("abcdefgh")
        text.take()
        self.assertEqual(text.take(), "")
        text.add("xy")
        self.assertEqual(text.take(), "xy")

    def test_memory_stays_within_the_limit(self) -> None:
        text = CappedText(1000)
        for _ in range(10_000):
            text.add("x" * 100)
            self.assertLessEqual(sum(map(len, text._head + text._tail)), 2100)
        taken = text.take()
        self.assertIn("[999,000 characters left out]", taken)

    def test_numbers_are_grouped(self) -> None:
        self.assertIn("[9,999,990 characters left out]", self.capped(10, "x" * 10_000_000))


class OutputCaptureTest(unittest.TestCase):
    """Between ``start`` and ``stop``, over streams made here in place of the process's own."""

    def setUp(self) -> None:
        self.out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        self.err = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
        for name, stream in (("stdout", self.out), ("stderr", self.err)):
            patch = mock.patch.object(sys, name, stream)
            patch.start()
            self.addCleanup(patch.stop)

    def capture(self, *, hide: bool, limit: int = 100) -> OutputCapture:
        capture = OutputCapture(limit=limit, hide=hide)
        capture.start()
        self.addCleanup(capture.stop)
        return capture

    def shown(self) -> tuple[str, str]:
        """What reached the streams behind."""
        return (
            self.out.buffer.getvalue().decode(),  # type: ignore[attr-defined]
            self.err.buffer.getvalue().decode(),  # type: ignore[attr-defined]
        )

    def test_passed_through_and_kept(self) -> None:
        capture = self.capture(hide=False)
        print("to out")
        print("to err", file=sys.stderr)
        self.assertEqual(capture.take(), ("to out\n", "to err\n"))
        self.assertEqual(self.shown(), ("to out\n", "to err\n"))
        self.assertEqual(capture.take(), ("", ""))

    def test_hidden_and_kept(self) -> None:
        capture = self.capture(hide=True)
        print("to out", flush=True)
        sys.stderr.write("to err")
        self.assertEqual(capture.take(), ("to out\n", "to err"))
        self.assertEqual(self.shown(), ("", ""))

    def test_show(self) -> None:
        capture = self.capture(hide=True)
        print("hidden")
        capture.show()
        print("shown")
        self.assertEqual(capture.take()[0], "hidden\nshown\n")
        self.assertEqual(self.shown()[0], "shown\n")

    def test_streams_are_put_back(self) -> None:
        capture = self.capture(hide=True)
        self.assertIsNot(sys.stdout, self.out)
        capture.stop()
        self.assertIs(sys.stdout, self.out)
        self.assertIs(sys.stderr, self.err)
        capture.stop()  # a second time does no harm
        self.assertEqual(capture.take(), ("", ""))

    def test_bytes(self) -> None:
        for hide in (True, False):
            with self.subTest(hide=hide):
                capture = self.capture(hide=hide)
                self.assertEqual(sys.stdout.buffer.write("é".encode()), 2)
                sys.stdout.buffer.write(memoryview(b"!"))
                sys.stdout.buffer.write(bytearray(b"\xff\x00"))
                sys.stdout.buffer.flush()
                self.assertEqual(capture.take()[0], "é!\\xff\x00")
                capture.stop()
        self.assertEqual(self.out.buffer.getvalue(), b"\xc3\xa9!\xff\x00")  # type: ignore[attr-defined]

    def test_wrong_types_are_refused_as_by_the_stream_behind(self) -> None:
        for hide in (True, False):
            with self.subTest(hide=hide):
                capture = self.capture(hide=hide)
                with self.assertRaises(TypeError):
                    sys.stdout.write(b"bytes")  # type: ignore[arg-type]
                with self.assertRaises(TypeError):
                    sys.stdout.buffer.write("text")  # type: ignore[arg-type]
                self.assertEqual(capture.take(), ("", ""))
                capture.stop()

    def test_what_the_terminal_cannot_show_is_an_error_only_where_it_is_shown(self) -> None:
        capture = self.capture(hide=True)
        sys.stderr.write("é")
        self.assertEqual(capture.take()[1], "é")
        capture.stop()
        self.capture(hide=False)
        with self.assertRaises(UnicodeEncodeError):
            sys.stderr.write("é")

    def test_a_handler_that_outlives_its_test_writes_on(self) -> None:
        capture = self.capture(hide=True)
        handler = logging.StreamHandler(sys.stdout)
        stream = sys.stdout
        capture.stop()
        handler.emit(logging.makeLogRecord({"msg": "late"}))
        print("later", file=stream)
        self.assertEqual(self.shown()[0], "late\nlater\n")
        self.assertEqual(capture.take(), ("", ""))

    def test_closing_is_left_to_the_process(self) -> None:
        capture = self.capture(hide=False)
        sys.stdout.close()
        print("still here")
        self.assertFalse(sys.stdout.closed)
        self.assertEqual(capture.take()[0], "still here\n")
        self.assertFalse(self.out.closed)

    def test_looks_like_the_stream_behind(self) -> None:
        self.capture(hide=True)
        self.assertEqual(sys.stdout.encoding, "utf-8")
        self.assertEqual(sys.stderr.encoding, "ascii")
        self.assertEqual(sys.stdout.errors, self.out.errors)
        self.assertTrue(sys.stdout.writable())
        self.assertFalse(sys.stdout.isatty())
        self.assertIs(sys.stdout.line_buffering, self.out.line_buffering)
        with self.assertRaises(AttributeError):
            sys.stdout.no_such_attribute  # noqa: B018
        with self.assertRaises(io.UnsupportedOperation):
            sys.stdout.fileno()
        sys.stdout.reconfigure(encoding="latin-1")  # type: ignore[attr-defined]
        self.assertEqual(self.out.encoding, "latin-1")

    def test_writelines(self) -> None:
        capture = self.capture(hide=True)
        sys.stdout.writelines(["a", "b"])
        self.assertEqual(capture.take()[0], "ab")

    def test_the_limit_is_for_each_stream(self) -> None:
        capture = self.capture(hide=True, limit=4)
        sys.stdout.write("abcdef")
        sys.stderr.write("ghij")
        self.assertEqual(capture.take(), ("ab\n[2 characters left out]\nef", "ghij"))


class OutputOfTestsTest(unittest.TestCase):
    def test_each_test_has_its_own(self) -> None:
        class Inner(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                print("set-up")

            def test_a(self) -> None:
                print("from a")
                print("err a", file=sys.stderr)

            def test_b(self) -> None:
                self.addCleanup(print, "clean-up of b")

            def test_c(self) -> None: ...

        before = sys.stdout
        ran = run_classes(Inner)
        self.assertIs(sys.stdout, before)
        self.assertEqual(ran.finished["test_a"].stdout, "from a\n")
        self.assertEqual(ran.finished["test_a"].stderr, "err a\n")
        self.assertEqual(ran.finished["test_b"].stdout, "clean-up of b\n")
        self.assertEqual(ran.finished["test_c"].stdout, "")

    def test_what_a_failed_fixture_printed_goes_with_it(self) -> None:
        class Inner(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                print("about to fail")
                raise ValueError

            def test_a(self) -> None: ...

        ran = run_classes(Inner)
        self.assertEqual(ran.fixtures[0].stdout, "about to fail\n")
        self.assertEqual(ran.outcomes, {"test_a": Outcome.ERRORED})

    def test_a_test_may_redirect_and_forget(self) -> None:
        class Inner(unittest.TestCase):
            def test_a(self) -> None:
                sys.stdout = io.StringIO()

            def test_b(self) -> None:
                print("of b")

        before = sys.stdout
        ran = run_classes(Inner)
        self.assertIs(sys.stdout, before)
        self.assertTrue(ran.result.wasSuccessful())
