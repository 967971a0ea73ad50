"""What the control API answers where it cannot do what was asked: problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """The answer to a request that was refused or has failed: nothing of it was applied.

    ``kind`` is a short name for programs, ``detail`` a sentence for people; ``members`` are
    added to the JSON object, ``headers`` to the answer.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = headers
        self.members = members

    def as_json(self) -> dict[str, Any]:
        return {
            "type": f"urn:sanerunner:problem:{self.kind}",
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }


def unknown_name(
    status: int, what: str, given: str, known: Iterable[str], **members: Any
) -> Problem:
    """Return the problem of a name that nothing has: near matches, and all names."""
    names = sorted(known)
    near = get_close_matches(given, names, n=3)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    listed = ", ".join(names) or "none"
    return Problem(
        status,
        f"unknown-{what.replace(' ', '-')}",
        f"There is no {what} {given!r}.{hint} Known: {listed}.",
        matches=near,
        known=names,
        **members,
    )


def invalid(name: str, why: str, **members: Any) -> Problem:
    """Return the problem of a member of the body, ``name``, that cannot be taken as it is."""
    return Problem(422, "invalid-value", f"{name!r} {why}.", name=name, **members)
