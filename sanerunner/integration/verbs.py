"""What the control API can be asked to do: each verb checks its data, and returns an action."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from . import clock, logins, mailbox
from .applying import Action, Doing
from .factories import Factories
from .problems import Problem, invalid, unknown_name
from .runtime import Integration
from .scenarios import Scenarios
from .states import POPULATED

Data = Mapping[str, Any]

#: How many commands one request may have.
MAXIMUM = 1000
_TYPES = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    list: "an array",
    dict: "an object",
}
_REQUIRED = object()


class Verbs:
    """The verbs of one integration server. Raises UsageError for what its settings offer."""

    def __init__(self, integration: Integration) -> None:
        self.integration = integration
        self.factories = Factories(integration.config.integration.factories)
        self.scenarios = Scenarios(integration.config.integration.scenarios)
        self._verbs: dict[str, Callable[[Data, set[str]], Action]] = {
            "reset": self._reset,
            "checkpoint": self._checkpoint,
            "rollback": self._rollback,
            "factory": self._factory,
            "scenario": self._scenario,
            "login": self._login,
            "time": self._time,
            "mail": self._mail,
            "state": self._state,
        }

    def one(self, verb: str, data: Any) -> Action:
        """Return the action of a request. Raises Problem."""
        if not isinstance(data, dict):
            raise Problem(422, "invalid-value", "The body must be an object.")
        return self._verbs[verb](data, self._states())

    def several(self, data: Any) -> list[Action]:
        """Return the actions of a list: ``[{"command": "factory", "factory": "order"}, …]``.

        Raises Problem, with the number of the command in ``command``.
        """
        if not isinstance(data, list) or not data or len(data) > MAXIMUM:
            raise Problem(
                422, "invalid-value", f"The body must be an array of 1 to {MAXIMUM} commands."
            )
        states = self._states()
        actions = []
        for number, each in enumerate(data):
            try:
                actions.append(self._command(each, states))
            except Problem as problem:
                problem.members["command"] = number
                raise
        return actions

    def told(self) -> dict[str, Any]:
        """Return what there is to know of the server."""
        return {
            **self.integration.state(),
            "factories": list(self.factories.names),
            "scenarios": list(self.scenarios.names),
            "time": clock.CLOCK.at,
        }

    def _states(self) -> set[str]:
        return set(self.integration.checkpoints)

    def _command(self, data: Any, states: set[str]) -> Action:
        if not isinstance(data, dict):
            raise Problem(422, "invalid-value", "Each command must be an object.")
        verb = data.get("command")
        if not isinstance(verb, str):
            raise invalid("command", f"must name one of {', '.join(self._verbs)}")
        if verb not in self._verbs:
            raise unknown_name(404, "command", verb, self._verbs)
        rest = {name: value for name, value in data.items() if name != "command"}
        return self._verbs[verb](rest, states)

    def _reset(self, data: Data, states: set[str]) -> Action:
        take(data)
        return self._rewinding(POPULATED)

    def _rewinding(self, name: str) -> Action:
        def run(doing: Doing) -> dict[str, Any]:
            self.integration.rollback(name)
            return {"checkpoint": name}

        return Action(run, moves=True)

    def _rollback(self, data: Data, states: set[str]) -> Action:
        (name,) = take(data, name=(str, _REQUIRED))
        if name not in states:
            raise unknown_name(404, "checkpoint", name, states)
        return self._rewinding(name)

    def _checkpoint(self, data: Data, states: set[str]) -> Action:
        (name,) = take(data, name=(str, _REQUIRED))
        if not re.fullmatch(r"[\w.:-][\w .:-]{0,99}", name):
            raise invalid("name", "must be 1 to 100 letters, digits, spaces, and of _ . : -")
        if name == POPULATED:
            raise invalid("name", f"must not be {POPULATED!r}: that is what a reset returns to")
        states.add(name)

        def run(doing: Doing) -> dict[str, Any]:
            self.integration.checkpoint(name)
            return {"checkpoint": name}

        return Action(run, moves=True)

    def _factory(self, data: Data, states: set[str]) -> Action:
        name, count, traits, attributes = take(
            data,
            factory=(str, _REQUIRED),
            count=(int, 1),
            traits=(list, []),
            attributes=(dict, {}),
        )
        if not all(isinstance(trait, str) for trait in traits):
            raise invalid("traits", "must be an array of strings")
        self.factories.check(name, count, traits, attributes)
        create = partial(self.factories.create, name, count, traits, attributes)
        return Action(lambda doing: {"objects": create()})

    def _scenario(self, data: Data, states: set[str]) -> Action:
        name, arguments = take(data, name=(str, _REQUIRED), arguments=(dict, {}))
        self.scenarios.check(name, arguments)
        return Action(lambda doing: {"result": self.scenarios.run(name, arguments)})

    def _login(self, data: Data, states: set[str]) -> Action:
        (user,) = take(data, user=(object, _REQUIRED))
        logins.check(user)

        def run(doing: Doing) -> dict[str, Any]:
            told, cookie, key = logins.log_in(user)
            doing.headers.append(("Set-Cookie", cookie))
            doing.undo.append(lambda: logins.log_out(key))
            return told

        return Action(run)

    def _time(self, data: Data, states: set[str]) -> Action:
        at, tick = take(data, at=(object, _REQUIRED), tick=(bool, False))
        if at is not None and not isinstance(at, str):
            raise invalid("at", "must be a time of ISO 8601, or null for the real one")
        when = None if at is None else clock.parse_time(at)
        if when is not None:
            clock.require()

        def run(doing: Doing) -> dict[str, Any]:
            clock.CLOCK.set(when, ticks=tick)
            return {"at": clock.CLOCK.at}

        return Action(run)

    def _mail(self, data: Data, states: set[str]) -> Action:
        take(data)
        return Action(lambda doing: {"messages": mailbox.messages()})

    def _state(self, data: Data, states: set[str]) -> Action:
        take(data)
        return Action(lambda doing: self.told())


def take(data: Data, **members: tuple[type, Any]) -> list[Any]:
    """Return the members of ``data`` in the order of ``members``: name -> type and default.

    Raises Problem for one that is missing, unknown, or of another type.
    """
    for name in data:
        if name not in members:
            raise unknown_name(422, "member", name, members, name=name)
    found = []
    for name, (expected, default) in members.items():
        value = data.get(name, default)
        if value is _REQUIRED:
            raise invalid(name, "is missing")
        wrong = not isinstance(value, expected)
        if wrong or (isinstance(value, bool) and expected is int):
            raise invalid(name, f"must be {_TYPES[expected]}")
        found.append(value)
    return found
