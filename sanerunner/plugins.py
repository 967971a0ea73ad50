"""The plugin interface: hooks as methods of one base class, and the manager that calls them.

The built-in behaviors (transactions, translations, caches…) are plugins of the same kind as a
project's own.
"""

from __future__ import annotations

import argparse
import inspect
import traceback
import unittest
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

from .events import Event, TestFinished
from .exceptions import UsageError, unknown

if TYPE_CHECKING:
    from .conf import Config
    from .reporting.summary import Summary

__unittest = True  # unittest leaves the frames of this module out of tracebacks

Hook = Callable[..., Any]  # only should_retry returns something
Pairs = list[tuple[Hook | None, Hook | None]]  # of set-up and tear-down
SCOPES = ("worker", "stage", "class", "test")


class Plugin:
    """Base class of plugins; every hook does nothing until it is overridden.

    List a plugin by dotted path in ``SANERUNNER["PLUGINS"]``. Plugins are called in the order
    of that list, after the built-in behaviors; hooks named ``…_teardown`` in the reverse order.
    A hook may leave out arguments that it does not need. Names of helper methods begin with an
    underscore: any other method that is no hook is an error when the run starts.

    ``name`` is what a test class writes into ``required_sane_plugins``. ``test_attributes`` are
    the attributes that ``test_setup`` looks for: with them, it is called only for tests one of
    whose attributes is set, on the class or on the method; None asks for every test.
    """

    name = ""
    test_attributes: Sequence[str] | None = None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare command line options of ``manage.py test``."""

    def configure(self, config: Config, options: dict[str, Any]) -> None:
        """Learn what the run was asked to do.

        ``options`` are the runner's keyword arguments, the plugin's own options among them.
        """

    def modify_collection(self, tests: list[unittest.TestCase]) -> None:
        """Remove, add or reorder collected tests, in place, after selection."""

    def stage_setup(self, stage: str) -> None:
        """A stage begins; ``stage`` is its name ("unit", "destructive,http")."""

    def stage_teardown(self, stage: str) -> None:
        """A stage has ended."""

    def worker_setup(self, worker: int) -> None:
        """A process that runs tests begins; 0 is the only one of a serial run."""

    def worker_teardown(self, worker: int) -> None:
        """A process that runs tests ends."""

    def class_setup(self, test_class: type) -> None:
        """Before ``setUpClass``. An exception errors the tests of the class; SkipTest skips."""

    def class_teardown(self, test_class: type) -> None:
        """After ``tearDownClass``."""

    def test_setup(self, test: unittest.TestCase) -> None:
        """Before ``setUp``. An exception errors the test; SkipTest skips it."""

    def test_teardown(self, test: unittest.TestCase) -> None:
        """After ``tearDown`` and clean-ups. An exception errors the test."""

    def should_retry(self, event: TestFinished) -> bool | None:
        """A test has failed and has attempts left; ``event`` tells how it ended.

        False makes this failure its verdict; anything else leaves it at ``--retries``.
        """
        return None

    def handle_event(self, event: Event) -> None:
        """Read the stream of events; see ``sanerunner.events``."""

    def report(self, summary: Summary) -> None:
        """The run has ended and the console has its summary."""


def _hooks_of(base: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in vars(base).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }


HOOKS = _hooks_of(Plugin)


def load_plugins(paths: Iterable[str]) -> list[Plugin]:
    """Import and instantiate the plugins named by dotted path.

    Raises UsageError, naming the plugin, for a path that cannot be imported, a class that is no
    Plugin, and a hook with a wrong name or signature.
    """
    return [_load(path) for path in paths]


def _load(path: str) -> Plugin:
    try:
        plugin_class = import_string(path)
    except Exception as error:
        what = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise UsageError(f'SANERUNNER["PLUGINS"]: {path!r} cannot be imported: {what}') from error
    if not (isinstance(plugin_class, type) and issubclass(plugin_class, Plugin)):
        raise UsageError(
            f'SANERUNNER["PLUGINS"]: {path!r} is not a subclass of sanerunner.Plugin.'
        )
    validate(plugin_class, path)
    try:
        return plugin_class()
    except Exception as error:
        raise UsageError(
            f'SANERUNNER["PLUGINS"]: {path}() raised {type(error).__name__}: {error}'
        ) from error


def validate(plugin_class: type[Plugin], path: str) -> None:
    """Raise UsageError where a method is no hook or takes arguments that its hook has not."""
    for base in plugin_class.__mro__:
        if base in (Plugin, object):
            continue
        for name, member in vars(base).items():
            if name in HOOKS:
                _validate_hook(path, name, member)
            elif inspect.isfunction(member) and not name.startswith("_"):
                raise UsageError(f"{path}: {unknown('hook', name, HOOKS)}.")


def _validate_hook(path: str, name: str, member: Any) -> None:
    allowed = [parameter for parameter in HOOKS[name].parameters if parameter != "self"]
    plain = inspect.isfunction(member) and not inspect.iscoroutinefunction(member)
    given = list(inspect.signature(member).parameters.values()) if plain else []
    if not given:
        wanted = ", ".join(["self", *allowed])
        raise UsageError(f"{path}.{name}() must be a plain method: def {name}({wanted}).")
    for parameter in given[1:]:
        optional = parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        by_place = parameter.kind is parameter.POSITIONAL_ONLY
        if by_place or (parameter.name not in allowed and not optional):
            raise UsageError(
                f"{path}.{name}() takes {parameter.name!r}, but the hook is "
                f"{name}({', '.join(allowed)})."
            )


def _adapted(plugin: Plugin, name: str) -> Hook | None:
    """The plugin's hook as a callable that takes all arguments; None where it has none."""
    if getattr(type(plugin), name) is getattr(Plugin, name):
        return None
    member: Hook = getattr(plugin, name)
    parameters = inspect.signature(member).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return member

    def hook(**arguments: Any) -> Any:
        return member(**{key: value for key, value in arguments.items() if key in parameters})

    return member if parameters.keys() >= HOOKS[name].parameters.keys() - {"self"} else hook


def _concerns(plugin: Plugin, test_class: type) -> bool:
    names = plugin.test_attributes
    return names is None or any(getattr(test_class, name, None) for name in names)


def _event_handler(plugin: Plugin, hook: Hook) -> Callable[[Event], None]:
    def handle_event(event: Event) -> None:
        hook(event=event)

    vars(handle_event)["__self__"] = plugin  # whom the bus names if it raises
    return handle_event


def tear_down(teardowns: Sequence[Hook], **arguments: Any) -> None:
    """Call tear-downs in their order; one that raises keeps no other from its turn."""
    with ExitStack() as stack:
        for teardown in reversed(teardowns):
            stack.callback(teardown, **arguments)


class PluginManager:
    """Calls the hooks of plugins: in order, or in reverse for tear-downs."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._hooks = {
            name: [hook for plugin in plugins if (hook := _adapted(plugin, name))]
            for name in HOOKS
        }
        self._scopes = {scope: self._pairs(scope, self.plugins) for scope in SCOPES}
        self._class: type | None = None  # whose tests get the hooks in the next attribute
        self._class_pairs: Pairs = []

    @staticmethod
    def _pairs(scope: str, plugins: Iterable[Plugin]) -> Pairs:
        pairs = [
            (_adapted(plugin, f"{scope}_setup"), _adapted(plugin, f"{scope}_teardown"))
            for plugin in plugins
        ]
        return [pair for pair in pairs if any(pair)]

    def _pairs_for(self, test: unittest.TestCase) -> Pairs:
        """Return the hooks around ``test``: without those that look for what it has not."""
        if type(test) is not self._class:
            test_class = self._class = type(test)
            concerned = [plugin for plugin in self.plugins if _concerns(plugin, test_class)]
            self._class_pairs = self._pairs("test", concerned)
        method = getattr(test, getattr(test, "_testMethodName", ""), None)
        own = getattr(method, "__dict__", None)  # attributes of the method
        return self._scopes["test"] if own else self._class_pairs

    @property
    def names(self) -> frozenset[str]:
        """The names that ``required_sane_plugins`` may hold and find active."""
        return frozenset(plugin.name for plugin in self.plugins if plugin.name)

    def event_handlers(self) -> list[Callable[[Event], None]]:
        """Return ``handle_event`` of the plugins that have it."""
        return [
            _event_handler(plugin, hook)
            for plugin in self.plugins
            if (hook := _adapted(plugin, "handle_event"))
        ]

    def has(self, scope: str) -> bool:
        """Whether any plugin has a hook of this scope ("stage": ``stage_setup``, …)."""
        return bool(self._scopes[scope])

    def call(self, name: str, **arguments: Any) -> None:
        """Call a hook on every plugin that has it; the first exception stops the rest."""
        for hook in self._hooks[name]:
            hook(**arguments)

    def call_all(self, name: str, **arguments: Any) -> list[str]:
        """Call a hook on every plugin that has it; return a text for each that raised."""
        return self.ask(name, **arguments)[1]

    def ask(self, name: str, **arguments: Any) -> tuple[list[Any], list[str]]:
        """Call a hook on every plugin that has it; return what they answer, and a text for each
        that raised.
        """
        answers, errors = [], []
        for plugin in self.plugins:
            hook = _adapted(plugin, name)
            try:
                if hook is not None:
                    answers.append(hook(**arguments))
            except Exception:
                path = f"{type(plugin).__module__}.{type(plugin).__qualname__}"
                errors.append(f"{path}.{name}() failed:\n{traceback.format_exc()}")
        return answers, errors

    def set_up(self, scope: str, **arguments: Any) -> list[Hook]:
        """Call ``<scope>_setup`` on the plugins; return the tear-downs to call, in their order.

        Where a set-up raises, what was set up before it is torn down again.
        """
        teardowns: list[Hook] = []
        pairs = self._pairs_for(arguments["test"]) if scope == "test" else self._scopes[scope]
        try:
            for setup, teardown in pairs:
                if setup is not None:
                    setup(**arguments)
                if teardown is not None:
                    teardowns.insert(0, teardown)
        except BaseException:
            tear_down(teardowns, **arguments)
            raise
        return teardowns

    def activate(self) -> None:
        """Make the plugins known to ``required_sane_plugins`` to the end of the process."""
        global _active_names
        _active_names = self.names

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the plugins known to ``required_sane_plugins`` while a run lasts."""
        global _active_names
        before, _active_names = _active_names, self.names
        try:
            yield
        finally:
            _active_names = before


_active_names: frozenset[str] = frozenset()


def missing_plugins(required: Iterable[str]) -> list[str]:
    """Return those of ``required`` (names, or one name) that are not active in this run."""
    names = [required] if isinstance(required, str) else required
    return [name for name in names if name not in _active_names]


def missing_reason(missing: Sequence[str]) -> str:
    """Return why a test is skipped that requires the plugins ``missing``."""
    return f"requires the sanerunner plugin{'s'[: len(missing) > 1]} {', '.join(missing)}"
