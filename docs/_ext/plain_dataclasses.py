"""Leaves the long signatures of dataclasses out: their pages list the fields in tables."""

from __future__ import annotations

import dataclasses
from typing import Any

from sphinx.application import Sphinx


def _process_signature(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    return_annotation: str | None,
) -> tuple[str, str] | None:
    if what in {"class", "exception"} and dataclasses.is_dataclass(obj):
        return "", ""
    return None


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-signature", _process_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
