"""What is around the site while an integration server runs: settings, mail, sessions, caches.

Django's own settings are read and changed right here; sanerunner's are passed in.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings
from django.test.utils import setup_test_environment, teardown_test_environment

#: Names of this machine, which no other machine has.
LOCAL = ("localhost", ".localhost", "127.0.0.1", "[::1]")

#: The engine of sessions that are in files.
IN_FILES = "django.contrib.sessions.backends.file"


@contextmanager
def environment(host: str) -> Iterator[None]:
    """Mail goes to ``mail.outbox``, ``host`` is allowed, sessions are this server's own.

    DEBUG stays as the settings have it.
    """
    with ExitStack() as stack:
        setup_test_environment(debug=settings.DEBUG)
        stack.callback(teardown_test_environment)
        # setup_test_environment() has saved the list, and puts it back.
        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, *LOCAL, _bracketed(host)]
        if getattr(settings, "SESSION_ENGINE", "") == IN_FILES:
            _own_session_files(stack)
        yield


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _own_session_files(stack: ExitStack) -> None:
    from django.contrib.sessions.backends.file import SessionStore

    before = settings.SESSION_FILE_PATH
    settings.SESSION_FILE_PATH = stack.enter_context(tempfile.TemporaryDirectory())

    def restore() -> None:
        settings.SESSION_FILE_PATH = before
        if "_storage_path" in vars(SessionStore):
            del SessionStore._storage_path  # type: ignore[attr-defined]

    stack.callback(restore)
