"""Text that any XML 1.0 parser reads: cleaned, capped and written the same on every Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TextIO
from xml.dom.minidom import Comment, Element, Text
from xml.sax.saxutils import quoteattr

# What XML 1.0 forbids (C0 controls, surrogates, U+FFFE and U+FFFF) and what it advises against
# (C1 controls, the other non-characters), which unittest-xml-reporting would drop unseen.
_NON_CHARACTERS = "".join(
    chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF)
)
_UNWRITABLE = re.compile(
    f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef{_NON_CHARACTERS}]"
)


def clean(text: str) -> str:
    r"""Return the text with every character that XML cannot hold as its Python escape: ``\x1b``.

    An escape keeps what was printed visible; dropping it, or writing it raw, would not.
    """
    return _UNWRITABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def cap(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of the text: its head, a note, its tail.

    The note says how many characters were left out, and is not counted in the limit.
    """
    left_out = len(text) - limit
    if left_out <= 0:
        return text
    head = limit // 2
    tail = text[head + left_out :]
    return f"{text[:head]}\n[... {left_out} characters left out ...]\n{tail}"


def comment(text: str) -> str:
    """Return the cleaned text fit for an XML comment: no two hyphens together, none at the end."""
    return re.sub(r"-(?=-|$)", "- ", clean(text))


def write_xml(elements: Iterable[Element], stream: TextIO, *, root: Element | None = None) -> None:
    """Write a document, indented, with no white space added to any text: the one element, or
    all in ``root``, which is empty. Each is asked for when the one before it was written.

    minidom's own ``toprettyxml`` pads text that is held in several sections, and before Python
    3.13 writes line breaks in attributes so that a parser turns them into spaces.
    """
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    indent = "" if root is None else "  "
    is_empty = True
    for element in elements:
        if is_empty and root is not None:
            stream.write(f"<{_start(root)}>\n")
        is_empty = False
        _write_element(element, stream, indent=indent)
    if root is not None:
        stream.write(f"<{_start(root)}/>\n" if is_empty else f"</{root.tagName}>\n")


def _start(element: Element) -> str:
    """Return the element's name and attributes, as they stand in its tag."""
    attributes = (f" {name}={quoteattr(value)}" for name, value in element.attributes.items())
    return "".join([element.tagName, *attributes])


def _write_element(element: Element, stream: TextIO, *, indent: str) -> None:
    children = element.childNodes
    if not children:
        stream.write(f"{indent}<{_start(element)}/>\n")
        return
    stream.write(f"{indent}<{_start(element)}>")
    if isinstance(children[0], Text):
        for child in children:
            child.writexml(stream)
        stream.write(f"</{element.tagName}>\n")
        return
    stream.write("\n")
    for child in children:
        if isinstance(child, Element):
            _write_element(child, stream, indent=indent + "  ")
        elif isinstance(child, Comment):
            child.writexml(stream, indent=indent + "  ", newl="\n")
    stream.write(f"{indent}</{element.tagName}>\n")
