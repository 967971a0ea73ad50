"""What the site leaves beside its databases: caches, mail, sessions in files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache

from .environment import IN_FILES


def clear() -> None:
    """Empty the caches, the outbox, and sessions that are in neither database nor cache."""
    for alias in settings.CACHES:
        caches[alias].clear()
    if hasattr(mail, "outbox"):
        mail.outbox.clear()
    for path in _session_files():
        path.unlink(missing_ok=True)


@contextmanager
def kept() -> Iterator[None]:
    """Put back what there was if the block raises: of caches, those in this process's memory."""
    caches_before = [_remember(caches[alias]) for alias in settings.CACHES]
    files = {path: path.read_bytes() for path in _session_files()}
    with sent_mail_kept():
        try:
            yield
        except BaseException:
            for restore in caches_before:
                restore()
            for path in _session_files():
                if path not in files:
                    path.unlink(missing_ok=True)
            for path, content in files.items():
                path.write_bytes(content)
            raise


@contextmanager
def sent_mail_kept() -> Iterator[None]:
    """Put the outbox back if the block raises."""
    sent = list(getattr(mail, "outbox", ()))
    try:
        yield
    except BaseException:
        if hasattr(mail, "outbox"):
            mail.outbox[:] = sent
        raise


def _remember(cache: Any) -> Callable[[], None]:
    if not isinstance(cache, LocMemCache):
        return lambda: None
    parts: list[Any] = [cache._cache, cache._expire_info]  # type: ignore[attr-defined]
    with cache._lock:  # type: ignore[attr-defined]
        before = [part.copy() for part in parts]

    def restore() -> None:
        with cache._lock:  # type: ignore[attr-defined]
            for part, content in zip(parts, before, strict=True):
                part.clear()
                part.update(content)

    return restore


def _session_files() -> list[Path]:
    if getattr(settings, "SESSION_ENGINE", "") != IN_FILES:
        return []
    return list(Path(str(settings.SESSION_FILE_PATH)).iterdir())
