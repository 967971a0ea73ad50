"""Fills the databases before the first request: ``--populate dotted.path[:count]``."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.module_loading import import_string

from ..exceptions import PopulateError, UsageError


@dataclass(frozen=True)
class Source:
    """What one entry asks for: ``make`` is called ``count`` times."""

    text: str
    make: Callable[[], Any]
    count: int


def parse(text: str) -> Source:
    """Return what "shop.factories.OrderFactory:25" or "shop.demo.fill" means.

    Raises UsageError for anything that is neither a factory nor a function.
    """
    match = re.fullmatch(r"(?P<path>\w+(?:\.\w+)+)(?::(?P<count>\d+))?", text.strip())
    if match is None:
        raise UsageError(
            f"--populate: {text!r} is no dotted.path[:count], as shop.factories.OrderFactory:25."
        )
    path, count = match["path"], int(match["count"] or 1)
    try:
        found = import_string(path)
    except ImportError as error:
        raise UsageError(
            f"--populate: cannot import {path!r}: {error}".rstrip(".") + "."
        ) from error
    if not callable(found):
        raise UsageError(f"--populate: {path!r} is neither a factory nor a function.")
    if _is_factory(found) and found._meta.abstract:
        raise UsageError(f"--populate: {path!r} is an abstract factory.")
    return Source(text, found, count)


def _is_factory(found: Any) -> bool:
    from factory.base import BaseFactory

    return isinstance(found, type) and issubclass(found, BaseFactory)


def populate(texts: Iterable[str], aliases: Sequence[str]) -> None:
    """Do what each text asks for, in their order, in one transaction of each database.

    Raises UsageError where a text means nothing, PopulateError where it fails: then nothing was
    written.
    """
    sources = [parse(text) for text in texts]
    with ExitStack() as stack:
        for alias in aliases:
            stack.enter_context(transaction.atomic(using=alias))
        for source in sources:
            _make(source)


def _make(source: Source) -> None:
    for number in range(1, source.count + 1):
        try:
            source.make()
        except Exception as error:
            which = f", object {number}" if source.count > 1 else ""
            raise PopulateError(
                f"--populate {source.text}{which}: {type(error).__name__}: "
                f"{_first_line(error)}{_place(error)}. Nothing was populated."
            ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0].rstrip(".")


def _place(error: Exception) -> str:
    """Return where the project's own code has raised it, or called what has."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames[1:] if "site-packages" not in frame.filename]
    if not own:
        return ""
    path = Path(own[-1].filename)
    try:
        path = path.relative_to(Path.cwd())
    except ValueError:
        pass
    return f" ({path}:{own[-1].lineno})"
