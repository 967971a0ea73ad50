"""What is known of a test before it runs: its names, its file and line."""

from __future__ import annotations

import inspect
import os
import sys
import types
import unittest
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from ..events import Kind, TestInfo
from .kinds import is_failed_import, test_method


class Ids:
    """Gives each test its id; ids that occur more than once get a number."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def __call__(self, test: unittest.TestCase) -> str:
        return self.unique(test.id())

    def unique(self, test_id: str) -> str:
        seen = self._seen.get(test_id, 0) + 1
        self._seen[test_id] = seen
        return test_id if seen == 1 else f"{test_id}[{seen}]"


def unique_ids(tests: Iterable[unittest.TestCase]) -> list[str]:
    """Return the ids that a plan of these tests gives them."""
    return list(map(Ids(), tests))


class Describer:
    """Makes the TestInfo of tests."""

    def __init__(self) -> None:
        self._id_of = Ids()

    def __call__(self, test: unittest.TestCase, kind: Kind, stage: str) -> TestInfo:
        test_class: Any = type(test)  # mypy takes the class for unhashable: its tests' __hash__
        if _has_usual_names(test_class):
            return self._usual(test, dotted_name(test_class), kind, stage)
        test_id = self._id_of(test)
        class_name, method_name = _names(test)
        file, line = _location(test)
        return TestInfo(
            test_id,
            class_name,
            method_name,
            kind.value,
            stage,
            file,
            line,
            str(test),
            _description(test),
            _label(test, test_id, class_name),
        )

    def _usual(self, test: unittest.TestCase, class_name: str, kind: Kind, stage: str) -> TestInfo:
        """The same for a test whose names are made by unittest, which are almost all."""
        method_name = test._testMethodName
        name = f"{class_name}.{method_name}"
        test_id = self._id_of.unique(name)
        doc = test._testMethodDoc
        file, line = _method_location(test)
        return TestInfo(
            test_id,
            class_name,
            method_name,
            kind.value,
            stage,
            file,
            line,
            str(test),
            doc.strip().split("\n")[0].strip() if doc else "",
            name if test_id is name else "",
        )


@cache
def _has_usual_names(test_class: type[unittest.TestCase]) -> bool:
    """Whether the names of its tests are those of unittest, and lead to them."""
    usual = unittest.TestCase
    return (
        test_class.id is usual.id
        and test_class.shortDescription is usual.shortDescription
        and test_class.__module__ != "unittest.loader"
        and "<locals>" not in test_class.__qualname__
    )


def _dotted_name(test_class: type) -> str:
    return f"{test_class.__module__}.{test_class.__qualname__}"


#: The dotted path of a class. (mypy takes test classes for unhashable: their tests' __hash__.)
dotted_name: Callable[[type], str] = cache(_dotted_name)


def _names(test: unittest.TestCase) -> tuple[str, str]:
    test_class = type(test)
    method_name = getattr(test, "_testMethodName", "") or "runTest"
    doctest = getattr(test, "_dt_test", None)
    if doctest is not None:  # its id is its name: that of the module, and an object's in it
        module = doctest.globs.get("__name__", "")
        inside = test.id().startswith(f"{module}.") and module
        return module or dotted_name(test_class), (
            test.id()[len(module) + 1 :] if inside else test.id()
        )
    return dotted_name(test_class), method_name


def _description(test: unittest.TestCase) -> str:
    """The first line of the docstring, as unittest shows it."""
    if type(test).shortDescription is unittest.TestCase.shortDescription:
        doc = getattr(test, "_testMethodDoc", None)
        return doc.strip().split("\n")[0].strip() if doc else ""
    try:
        return test.shortDescription() or ""
    except Exception:
        # A project's own method may need what setUp() makes; a description is only shown.
        return ""


def _label(test: unittest.TestCase, test_id: str, class_name: str) -> str:
    if is_failed_import(test):
        name = str(test._testMethodName)
        return name if "." in name else ""
    name = f"{class_name}.{getattr(test, '_testMethodName', '')}"
    if hasattr(test, "_dt_test") or "<locals>" in name or test_id != name:
        return ""
    return name


def _location(test: unittest.TestCase) -> tuple[str, int]:
    """File and line of the method where it stands in its class's file, else of the class."""
    if is_failed_import(test):
        return "", 0
    doctest = getattr(test, "_dt_test", None)
    if doctest is not None:
        return _relative(doctest.filename or ""), (doctest.lineno or 0) + 1
    return _method_location(test)


def _method_location(test: unittest.TestCase) -> tuple[str, int]:
    test_class: Any = type(test)  # mypy takes the class for unhashable: its tests' __hash__
    class_file = _class_file(test_class)
    code = _code_of(test_method(test))
    if code is not None and _relative(code.co_filename) == class_file:
        return class_file, code.co_firstlineno
    return class_file, _class_line(test_class)


def _code_of(function: Any) -> types.CodeType | None:
    """The code of a test method beneath its decorators."""
    plain = getattr(function, "__func__", function)
    if type(plain) is types.FunctionType and not plain.__dict__:
        return plain.__code__
    for _ in range(50):  # decorators may be circular
        function = getattr(function, "__wrapped__", None) or getattr(function, "func", function)
        if not hasattr(function, "__wrapped__") and not hasattr(function, "func"):
            break
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code if isinstance(code, types.CodeType) else None


@cache
def _relative(path: str) -> str:
    """``path`` relative to the current directory if it lies below it."""
    if not path:
        return ""
    absolute = os.path.abspath(path)
    below = os.getcwd().rstrip(os.sep) + os.sep
    return absolute[len(below) :] if absolute.startswith(below) else absolute


@cache
def _class_file(test_class: type) -> str:
    module = sys.modules.get(test_class.__module__)
    return _relative(getattr(module, "__file__", None) or "")


@cache
def _class_line(test_class: type) -> int:
    try:
        return inspect.getsourcelines(test_class)[1]
    except (OSError, TypeError):  # made at run time: there is no source
        return 0
