"""Tests that ran more than once in a JUnit XML report, as Maven's Surefire writes them.

A flaky test is a passed testcase with a ``<flakyFailure>`` for each attempt that failed. A test
that failed in all its attempts tells of the first as every failed test does, of each further one
in a ``<rerunFailure>``. Errors have the same elements: Jenkins does not read ``<flakyError>``.
"""

from __future__ import annotations

from dataclasses import replace

from ..events import Attempt, TestFinished
from .junitcase import MESSAGE_LIMIT, Rerun, attachments_text, verdict_of
from .xmltext import cap, clean


def as_reported(event: TestFinished) -> TestFinished:
    """Return the attempt that the testcase itself tells of: one that passed, or the first."""
    if not event.earlier or event.flaky:
        return event
    return _finished(event, event.earlier[0])


def reruns_of(event: TestFinished, *, limit: int) -> tuple[Rerun, ...]:
    """Return the other attempts; ``limit`` is in characters, for each text."""
    if event.flaky:
        return tuple(_rerun("flakyFailure", _finished(event, one), limit) for one in event.earlier)
    if not event.earlier:
        return ()
    later = [*(_finished(event, attempt) for attempt in event.earlier[1:]), event]
    return tuple(_rerun("rerunFailure", attempt, limit) for attempt in later)


def _finished(event: TestFinished, attempt: Attempt) -> TestFinished:
    return replace(
        event,
        outcome=attempt.outcome,
        started_at=attempt.started_at,
        duration=attempt.duration,
        reason="",
        failures=attempt.failures,
        stdout=attempt.stdout,
        stderr=attempt.stderr,
        leaks=attempt.leaks,
        attachments=attempt.attachments,
    )


def _rerun(tag: str, attempt: TestFinished, limit: int) -> Rerun:
    verdict = verdict_of(attempt)
    return Rerun(
        tag,
        clean(verdict.type),
        clean(cap(verdict.message, MESSAGE_LIMIT)),
        clean(cap(verdict.text, limit)),
        clean(cap(attempt.stdout + attachments_text(attempt), limit)),
        clean(cap(attempt.stderr, limit)),
    )
