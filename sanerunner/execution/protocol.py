"""What coordinator and workers say to each other: frames of plain data.

A message is a tuple that begins with its name; all that it holds is text, numbers, bytes, None,
booleans, tuples, lists and dictionaries. No exception and no test is ever sent, so that nothing
can fail to be pickled. A frame is a header (the protocol's version, the length) and the message
in the format of ``marshal``, in the version of it that all supported Pythons read and write.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, get_args

from ..events import Attempt, Event, Failure, Outcome, TestInfo

PROTOCOL_VERSION = 1
_FORMAT = 4  # of marshal
_HEADER = struct.Struct("!HQ")

Message = tuple[Any, ...]


class ProtocolError(Exception):
    """The other side speaks another version of the protocol."""


def pack(message: Message) -> bytes:
    """Return the frame of a message."""
    try:
        body = marshal.dumps(message, _FORMAT)
    except ValueError:
        body = marshal.dumps(plain(message), _FORMAT)
    return _HEADER.pack(PROTOCOL_VERSION, len(body)) + body


class Frames:
    """Takes bytes as they come and gives whole messages.

    Raises ProtocolError for a frame of another version.
    """

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Add ``data``; yield each message that is complete now."""
        pending = self._pending
        pending += data
        start = 0
        try:
            while len(pending) - start >= _HEADER.size:
                version, length = _HEADER.unpack_from(pending, start)
                if version != PROTOCOL_VERSION:
                    raise ProtocolError(
                        f"Version {version} of the protocol, not {PROTOCOL_VERSION}: "
                        "coordinator and workers must run the same sanerunner."
                    )
                end = start + _HEADER.size + length
                if len(pending) < end:
                    return
                with memoryview(pending) as view, view[start + _HEADER.size : end] as body:
                    message = marshal.loads(body)
                start = end
                yield message
        finally:
            del pending[:start]


def plain(value: Any) -> Any:
    """Return ``value`` with instances of subclasses (Django's SafeString) as builtins; what is
    no plain data becomes its text.
    """
    if value is None or isinstance(value, (bool, bytes)):
        return value
    for base in (str, int, float):
        if isinstance(value, base):
            return str.__str__(value) if base is str else base(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return str.__str__(str(value))


class EventCodec:
    """Events to and from plain data.

    ``tests`` are what both sides know of the tests of the plan: a test of these is sent as its
    place in the list.
    """

    def __init__(self, tests: Sequence[TestInfo] = ()) -> None:
        self._tests = tests
        self._places = {info.id: place for place, info in enumerate(tests)}

    def encode(self, event: Event) -> Message:
        """Return ``event`` as a tuple of its name and the values of its fields."""
        shape = _SHAPES[type(event).__name__]
        values = list(shape.values(event))
        for place, encode, _ in shape.converted:
            values[place] = encode(self, values[place])
        return (shape.name, *values)

    def decode(self, data: Message) -> Event:
        """Return the event that ``encode`` has made ``data`` of."""
        shape = _SHAPES[data[0]]
        values = list(data[1:])
        for place, _, decode in shape.converted:
            values[place] = decode(self, values[place])
        event: Event = shape.event_type(*values)
        return event

    def _encode_test(self, info: TestInfo) -> int | Message:
        place = self._places.get(info.id)
        return _info_values(info) if place is None else place

    def _decode_test(self, data: int | Message) -> TestInfo:
        return self._tests[data] if isinstance(data, int) else TestInfo(*data)


def _values_of(data_type: type) -> Callable[[Any], tuple[Any, ...]]:
    names = [field.name for field in fields(data_type)]
    return attrgetter(*names)


_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_OUTCOME_VALUES = {outcome: outcome.value for outcome in Outcome}
_info_values = _values_of(TestInfo)
_failure_values = _values_of(Failure)


def _encode_attempt(attempt: Attempt) -> Message:
    return (
        attempt.outcome.value,
        attempt.started_at,
        attempt.duration,
        tuple(map(_failure_values, attempt.failures)),
        attempt.stdout,
        attempt.stderr,
        attempt.sql,
        attempt.worker,
        attempt.leaks,
        attempt.attachments,
    )


def _decode_attempt(data: Message) -> Attempt:
    outcome, started_at, duration, failures, *rest = data
    failures = tuple(Failure(*values) for values in failures)
    return Attempt(Outcome(outcome), started_at, duration, failures, *rest)


_CONVERTERS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "TestInfo": (EventCodec._encode_test, EventCodec._decode_test),
    "Outcome": (
        lambda codec, outcome: _OUTCOME_VALUES[outcome],
        lambda codec, value: _OUTCOMES[value],
    ),
    "Failure": (
        lambda codec, failure: _failure_values(failure),
        lambda codec, values: Failure(*values),
    ),
    "tuple[Failure, ...]": (
        lambda codec, failures: tuple(map(_failure_values, failures)) if failures else (),
        lambda codec, data: tuple(Failure(*values) for values in data) if data else (),
    ),
    "Attempt": (
        lambda codec, attempt: _encode_attempt(attempt),
        lambda codec, data: _decode_attempt(data),
    ),
    "tuple[Attempt, ...]": (
        lambda codec, attempts: tuple(map(_encode_attempt, attempts)) if attempts else (),
        lambda codec, data: tuple(map(_decode_attempt, data)) if data else (),
    ),
    "Mapping[str, int]": (lambda codec, counts: dict(counts), lambda codec, counts: counts),
}


class _Shape:
    """How events of one class are encoded."""

    def __init__(self, event_type: Any) -> None:
        self.event_type = event_type
        self.name: str = event_type.__name__
        self.values = _values_of(event_type)
        self.converted = [
            (place, *_CONVERTERS[str(field.type)])
            for place, field in enumerate(fields(event_type))
            if str(field.type) in _CONVERTERS
        ]


_SHAPES = {event_type.__name__: _Shape(event_type) for event_type in get_args(Event)}
