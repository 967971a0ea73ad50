"""A plugin that records SaneRunner's verdicts from its events. Runs in our side's process."""

from __future__ import annotations

from django.conf import settings
from recording import RecordWriter

from sanerunner.events import Event, FixtureFailed, RunFinished, TestFinished
from sanerunner.plugins import Plugin


class RecordingPlugin(Plugin):
    """Writes each verdict, and each failed tear-down fixture, as its event arrives."""

    def __init__(self) -> None:
        self._record: RecordWriter | None = None

    @property
    def _writer(self) -> RecordWriter:
        """Opened by the first event: workers load the plugin, too, but get no events."""
        if self._record is None:
            self._record = RecordWriter(settings.CONFORMANCE_RECORD)
        return self._record

    def handle_event(self, event: Event) -> None:
        if isinstance(event, TestFinished):
            self._write_verdict(event)
        elif isinstance(event, FixtureFailed) and not event.before_tests:
            failure = event.failure
            self._writer.fixture(
                f"{event.fixture} ({event.owner})",
                "errored",
                f"{failure.type}: {failure.message}",
            )
        elif isinstance(event, RunFinished):
            self._writer.finished()

    def _write_verdict(self, event: TestFinished) -> None:
        reason = event.reason
        if event.failures:
            reason = f"{event.failures[0].type}: {event.failures[0].message}"
        self._writer.verdict(event.test.id, event.outcome.value, reason, event.test.class_name)
