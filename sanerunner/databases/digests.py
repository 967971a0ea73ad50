"""Digests of values and files that are the same in every process and in every checkout."""

from __future__ import annotations

import ast
import os
import re
from enum import Enum
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from django.utils.functional import Promise

_PLAIN = (type(None), bool, int, float, str, bytes)
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def digest_of(value: object) -> str:
    """Return the digest of a value, in hexadecimal, by what it says (see ``stable_text``)."""
    return _hexadecimal(stable_text(value).encode())


def digest_of_file(path: str | os.PathLike[str]) -> str:
    """Return the digest of a file's content. Raises OSError if it cannot be read."""
    with open(path, "rb") as file:
        return _hexadecimal(file.read())


def digest_of_code(path: str | os.PathLike[str]) -> str:
    """Return the digest of what a Python file does: without comments and layout.

    Raises OSError if it cannot be read.
    """
    content = Path(path).read_bytes()
    try:
        return _hexadecimal(ast.unparse(ast.parse(content)).encode())
    except SyntaxError:  # edited since it was imported
        return _hexadecimal(content)


def stable_text(value: Any) -> str:
    """Return a text for a value: equal for equal values, without addresses in memory.

    Sets and dictionaries are sorted, lists and tuples are alike. A lazy translation stands for
    its text in the active language, a function or class for its name, an object with
    ``deconstruct()`` (fields, indexes, constraints, expressions) for what that returns.
    """
    if type(value) in _PLAIN:  # as most are; others may inherit from these
        return repr(value)
    if isinstance(value, Enum):
        return f"{_name(type(value))}.{value.name}"
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, Promise):
        return repr(str(value))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(stable_text, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(stable_text, value)))}}}"
    if isinstance(value, dict):
        entries = sorted(f"{stable_text(key)}: {stable_text(value[key])}" for key in value)
        return f"{{{', '.join(entries)}}}"
    return _text_of_object(value)


def _text_of_object(value: Any) -> str:
    if isinstance(value, partial):
        return f"partial{stable_text([value.func, value.args, value.keywords])}"
    if hasattr(value, "__qualname__"):
        return _name(value)
    if hasattr(value, "deconstruct"):
        return f"{_name(type(value))}{stable_text(value.deconstruct())}"
    representation: Any = type(value).__repr__
    text = str(value) if representation is object.__repr__ else repr(value)
    return f"{_name(type(value))}:{_ADDRESS.sub('', text)}"


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _hexadecimal(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
