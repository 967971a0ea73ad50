"""One process that serves: from the first database to the last, and what it says meanwhile."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.core.signals import got_request_exception

from ..exceptions import ServerError
from .announcing import ReadyFile, variables
from .execute import Execution
from .interruption import Interrupted, Interruption
from .runtime import Integration

#: The exit status of a process that is to be started anew, as Django's autoreloader has it.
RELOAD = 3


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Who is told of the server. ``token`` is "" without control API; ``told`` is called with
    the URL when requests are answered. ``heeds_ctrl_c`` is False where another process does.
    """

    command: str = ""
    ready_file: Path | None = None
    token: str = ""
    heeds_ctrl_c: bool = True
    told: Callable[[str], object] = lambda url: None


class Serving:
    """Runs ``integration`` until a signal, the end of the command, or a change of the code.

    ``output`` and ``errors`` are streams for people.
    """

    def __init__(
        self, integration: Integration, offer: Offer, *, output: TextIO, errors: TextIO
    ) -> None:
        self._integration = integration
        self._offer = offer
        self._output = output
        self._errors = errors
        self._interruption = Interruption()
        self._execution: Execution | None = None
        self.changed: str | None = None
        self.kept: Mapping[str, Any] | None = None

    def run(self, watch: Callable[[Callable[[str], object]], object] | None = None) -> int:
        """Return the exit status, when everything has been taken down.

        ``watch(changed)`` starts to watch the code; ``changed(path)`` may be called by a thread.
        """
        try:
            with self._interruption.taken(), ExitStack() as stack:
                self._run(stack, watch)
        except Interrupted as error:
            return 128 + error.number
        if self.changed is not None:
            return RELOAD
        return self._execution.status or 0 if self._execution is not None else 0

    def _run(
        self, stack: ExitStack, watch: Callable[[Callable[[str], object]], object] | None
    ) -> None:
        integration, offer = self._integration, self._offer
        ready_file = ReadyFile(offer.ready_file) if offer.ready_file is not None else None
        if ready_file is not None:
            ready_file.remove()
        stack.enter_context(integration.running())
        stack.callback(self._interruption.ending)
        if not settings.DEBUG:  # else Django's logging tells
            got_request_exception.connect(self._tell_failure)
            stack.callback(got_request_exception.disconnect, self._tell_failure)
        values = variables(integration.url, offer.token)
        if ready_file is not None:
            stack.callback(ready_file.remove)
            ready_file.write(values)
        self._interruption.serving(self._interrupted)
        if watch is not None:
            watch(self._note_change)
        self._announce()
        if offer.command:
            self._execution = Execution(offer.command, values)
            stack.callback(self._execution.end)
            self._execution.start(integration.loop.stop, self._suspend)
        integration.loop.run()
        if self.changed is not None:
            self._say(f"{self.changed} has changed: starting anew, the databases stay.")
            self.kept = integration.keep()

    def _announce(self) -> None:
        integration, offer = self._integration, self._offer
        offer.told(integration.url)  # first: who reads that it is ready may end it at once
        if offer.command:
            if integration.wanted.verbosity >= 1:
                self._errors.write(f"{integration.url}/ is ready: {offer.command}\n")
                self._errors.flush()
        else:
            self._say(f"{integration.url}/ is ready; Ctrl-C ends it.")
            if offer.token:
                self._say(f"Control API: {integration.url}/__sane__/ token {offer.token}")

    def _say(self, line: str) -> None:
        self._output.write(f"{line}\n")
        self._output.flush()

    def _interrupted(self, number: int) -> None:
        if self._execution is not None and self._execution.status is None:
            self._execution.send(number)  # its end is the end of all
        elif number != signal.SIGINT or self._offer.heeds_ctrl_c:
            self._integration.loop.stop()

    def _suspend(self) -> None:
        """Ctrl-Z, in the thread that waits for the command."""
        assert self._execution is not None
        try:
            self._integration.call(self._execution.suspend)
        except ServerError:
            pass  # it is being shut down: the command is ended anyway

    def _note_change(self, path: str) -> None:
        self.changed = path
        self._integration.loop.stop()

    def _tell_failure(self, **kwargs: Any) -> None:
        request = kwargs.get("request")
        where = f"{request.method} {request.path}" if request is not None else "A request"
        self._errors.write(f"{where} has failed:\n{traceback.format_exc()}")
        self._errors.flush()
