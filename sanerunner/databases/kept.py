"""Whether a database that an earlier run has kept may be used as it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .fingerprint import Comparison, Fingerprint, Freshness, compare
from .sites import this_run

#: To be raised whenever documents are written in another way.
FORMAT = 2


def new_document(*, project: str, fingerprint: Fingerprint, server: str) -> dict[str, Any]:
    """Return what is stored with a database that has just been made."""
    return {
        "format": FORMAT,
        "project": project,
        "fingerprint": fingerprint.to_json(),
        "created_at": time.time(),
        "server": server,
        "run": this_run(),
    }


def judge(
    document: Mapping[str, Any] | None, *, project: str, server: str, wanted: Fingerprint
) -> Comparison:
    """Compare the database with this ``document`` with the one that would be made now.

    ``server`` is what its site says of its identity now. Whatever cannot be trusted is
    different.
    """
    if document is None:
        return _different("nothing tells what it was made from")
    if document.get("format") != FORMAT:
        return _different("another version of sanerunner has made it")
    if document.get("project") != project:
        return _different(f"it was made by project {document.get('project')!r}")
    if document.get("server") != server:
        return _different("it is a copy of another database")
    try:
        kept = Fingerprint.from_json(document.get("fingerprint") or {})
    except ValueError:
        return _different("nothing tells what it was made from")
    return compare(kept, wanted)


def _different(reason: str) -> Comparison:
    return Comparison(Freshness.DIFFERENT, reason)
