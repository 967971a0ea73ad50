"""What ``manage.py integrationserver`` does with its arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import conf
from ..databases.served import served
from ..exceptions import ServerError, UsageError
from ..servers.registry import server_class
from .addresses import DEFAULT_PORT, parse_address
from .announcing import new_token
from .folders import folder_of
from .reload import READY, Handover, Supervisor
from .runtime import Integration, Wanted
from .serving import Offer, Serving
from .states import States
from .watching import Watcher


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The command line; ``options`` are those that the runner has as well, if they were typed."""

    addrport: str = ""
    populate: Sequence[str] = ()
    command: str = ""
    server: str = ""
    databases: Sequence[str] = ()
    seed: int = 0
    reload: bool = False
    ready_file: Path | None = None
    control: bool = True
    force: bool = False
    interactive: bool = True
    verbosity: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)


def run(arguments: Arguments, *, output: Any, errors: Any) -> int:
    """Serve, and return the exit status. ``output`` and ``errors`` are Django's streams of a
    command. Raises RunnerErrors.
    """
    handover = Handover.given()
    config = _config(arguments)
    if arguments.reload and handover is None:
        return _supervise(arguments, config, errors)
    return _serve(arguments, config, handover, output=output, errors=errors)


def _config(arguments: Arguments) -> conf.Config:
    config = conf.load(arguments.options)
    if not arguments.options.get("database_suffix"):
        # A server may be up for hours: tests have their own databases meanwhile.
        suffix = "_".join(filter(None, (config.database_suffix, "integration")))
        config = replace(config, database_suffix=suffix)
    return config


def _supervise(arguments: Arguments, config: conf.Config, errors: Any) -> int:
    if arguments.command and os.name != "posix":
        raise UsageError("--exec with --reload needs a POSIX system: leave one of them out.")

    def clean_up() -> None:
        if config.keepdb:
            return
        states = States(config, arguments.databases, verbosity=arguments.verbosity)
        with served(folder_of(config.project)), states.provisioner.guarded():
            states.remove()

    token = new_token() if arguments.control else ""
    return Supervisor(token, arguments.command, clean_up=clean_up, errors=errors).run()


def _serve(
    arguments: Arguments,
    config: conf.Config,
    handover: Handover | None,
    *,
    output: Any,
    errors: Any,
) -> int:
    given = handover.read() if handover is not None else {}
    token = given.get("token", "") if handover is not None else ""
    if handover is None and arguments.control:
        token = new_token()
    wanted = _wanted(arguments, config, given)
    if handover is not None:
        again = wanted.kept is not None
        config = replace(config, keepdb=True, create_db=config.create_db and not again)
    integration = Integration(
        config, wanted, control=_control(token) if token else None, log=output.write
    )
    offer = Offer(
        command="" if handover is not None else arguments.command,
        ready_file=arguments.ready_file,
        token=token,
        heeds_ctrl_c=not given.get("executes"),
        told=lambda url: _tell_parent(handover, integration),
    )
    serving = Serving(integration, offer, output=output, errors=errors)
    try:
        status = serving.run(None if handover is None else _watch)
    except ServerError as error:
        raise _about_address(error, wanted) from error
    if handover is not None:
        handover.update(kept=serving.kept, over=serving.kept is None)
    return status


def _wanted(arguments: Arguments, config: conf.Config, given: Mapping[str, Any]) -> Wanted:
    default_port = 0 if arguments.command else DEFAULT_PORT
    host, port = parse_address(arguments.addrport, default_port=default_port)
    server = arguments.server or config.live_server
    server_class(server)  # before databases are made
    return Wanted(
        databases=arguments.databases,
        populate=arguments.populate or config.integration.populate,
        seed=arguments.seed,
        server=server,
        host=host,
        port=given.get("port", port),
        keepdb=config.keepdb,
        verbosity=arguments.verbosity,
        interactive=arguments.interactive,
        force=arguments.force,
        kept=given.get("kept"),
    )


def _control(token: str) -> Callable[[Integration, str], Any]:
    from .control import mount  # not without the control API

    return lambda integration, interface: mount(integration, token, interface=interface)


def _watch(changed: Callable[[str], object]) -> None:
    Watcher(changed).start()


def _tell_parent(handover: Handover | None, integration: Integration) -> None:
    if handover is None:
        return
    handover.update(port=integration.server.port)
    descriptor = os.environ.pop(READY, "")
    if descriptor:
        with open(int(descriptor), "w", encoding="utf-8") as pipe:
            pipe.write(integration.url)


def _about_address(error: ServerError, wanted: Wanted) -> Exception:
    """Name what to change on this command line, not in settings."""
    if not isinstance(error.__cause__, OSError):
        return error
    reason = error.__cause__.strerror or error.__cause__
    return UsageError(
        f"The server cannot listen on {wanted.host}:{wanted.port}: {reason}. Give another "
        "addrport; 0 is any free port."
    )
