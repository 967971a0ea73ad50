"""Messages: whatever is sent arrives, and it is plain data."""

from __future__ import annotations

import json
import marshal
import struct
import typing
import unittest

from django.utils.safestring import mark_safe

from sanerunner import events
from sanerunner.events import (
    Attempt,
    DatabaseReady,
    Event,
    Failure,
    FixtureFailed,
    Outcome,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
    TestFinished,
    TestRetried,
    TestSlow,
    TestStarted,
    WorkerLost,
    WorkerStarted,
)
from sanerunner.execution.protocol import (
    PROTOCOL_VERSION,
    EventCodec,
    Frames,
    ProtocolError,
    pack,
    plain,
)

from ..event_streams import test_info

INFO = test_info()
FAILURE = Failure(True, "ValueError", "bad \ud800 \x00", "Traceback…\n", "(i=<object>)", "")
ATTEMPT = Attempt(
    Outcome.FAILED, 1.0, 0.5, (FAILURE,), "out", "err", "SELECT 1", 2, ("cwd: a → b",), ("a.png",)
)

EXAMPLES: tuple[Event, ...] = (
    RunStarted(1.5, 2, ("unit", "database"), {"unit": 2}),
    StageStarted("unit", 2, 1.5),
    DatabaseReady("default", "test_x", "created", 0.25),
    WorkerStarted(2, 4711),
    WorkerLost(2, "died (signal 11, SIGSEGV)", INFO.id),
    TestStarted(INFO, 2),
    TestSlow(INFO, 60.0, 2),
    TestFinished(INFO, Outcome.PASSED, 1.5, 0.001, worker=1),
    TestFinished(
        INFO,
        Outcome.ERRORED,
        1.5,
        0.5,
        reason="",
        failures=(FAILURE, FAILURE),
        stdout="out",
        stderr="err",
        sql="SELECT 1",
        worker=2,
        attachments=("artifacts/test/page.png", "/elsewhere/page.html"),
    ),
    TestRetried(INFO, 1, ATTEMPT),
    TestFinished(INFO, Outcome.PASSED, 1.0, 0.5, attempt=3, earlier=(ATTEMPT, ATTEMPT)),
    FixtureFailed("setUpClass", "shop.tests.CartTests", FAILURE, "unit", True, "o", "e", 2),
    StageFinished("unit", False, 1.0),
    RunFinished(False, 1.0, "interrupted"),
)


def sent(message: tuple[typing.Any, ...]) -> typing.Any:
    (received,) = Frames().feed(pack(message))
    return received


class EventsTest(unittest.TestCase):
    def test_there_is_an_example_of_every_event(self) -> None:
        self.assertEqual({type(event) for event in EXAMPLES}, set(typing.get_args(events.Event)))

    def test_every_event_arrives_as_it_was(self) -> None:
        for codec in (EventCodec(), EventCodec([INFO]), EventCodec([test_info("other")])):
            for event in EXAMPLES:
                with self.subTest(event=type(event).__name__):
                    arrived = codec.decode(sent(codec.encode(event)))
                    self.assertEqual(arrived, event)
                    self.assertIs(type(arrived), type(event))

    def test_what_is_sent_is_plain_data(self) -> None:
        for event in EXAMPLES:
            with self.subTest(event=type(event).__name__):
                data = EventCodec().encode(event)
                marshal.dumps(data)  # raises for anything but builtins
                json.dumps(data)

    def test_a_known_test_is_sent_as_its_place(self) -> None:
        codec = EventCodec([test_info("first"), INFO])
        data = codec.encode(TestStarted(INFO, 2))
        self.assertEqual(data, ("TestStarted", 1, 2))
        decoded = codec.decode(data)
        assert isinstance(decoded, TestStarted)
        self.assertIs(decoded.test, INFO)

    def test_an_outcome_arrives_as_the_member(self) -> None:
        codec = EventCodec()
        for outcome in Outcome:
            event = TestFinished(INFO, outcome, 1.0, 1.0)
            arrived = codec.decode(sent(codec.encode(event)))
            assert isinstance(arrived, TestFinished)
            self.assertIs(arrived.outcome, outcome)

    def test_text_of_a_subclass_is_sent_as_text(self) -> None:
        event = TestFinished(INFO, Outcome.SKIPPED, 1.0, 1.0, reason=mark_safe("why"))
        arrived = EventCodec().decode(sent(EventCodec().encode(event)))
        assert isinstance(arrived, TestFinished)
        self.assertIs(type(arrived.reason), str)
        self.assertEqual(arrived.reason, "why")


class FramesTest(unittest.TestCase):
    MESSAGES = (("run", [1, 2]), ("databases", {"default": {"image": b"\x00" * 1000}}), ("stop",))

    def test_bytes_in_any_portions(self) -> None:
        data = b"".join(map(pack, self.MESSAGES))
        for size in (1, 7, 100, len(data)):
            with self.subTest(size=size):
                frames = Frames()
                received = [
                    message
                    for start in range(0, len(data), size)
                    for message in frames.feed(data[start : start + size])
                ]
                self.assertEqual(tuple(received), self.MESSAGES)

    def test_another_version_is_an_error(self) -> None:
        frame = pack(("stop",))
        other = struct.pack("!H", PROTOCOL_VERSION + 1) + frame[2:]
        with self.assertRaisesRegex(ProtocolError, f"Version {PROTOCOL_VERSION + 1} "):
            list(Frames().feed(other))

    def test_plain(self) -> None:
        class Number(int): ...

        class Name(str): ...

        value = {Name("a"): [Number(3), (Name("b"), None, True, 1.5, b"x")], "c": object}
        got = plain(value)
        self.assertEqual(got, {"a": [3, ("b", None, True, 1.5, b"x")], "c": str(object)})
        self.assertEqual({type(key) for key in got}, {str})
        self.assertIs(type(got["a"][0]), int)
        self.assertIs(type(got["a"][1][0]), str)
