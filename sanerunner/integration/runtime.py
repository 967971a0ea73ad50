"""The running integration server: databases, their states, the server, and who may use them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..conf import Config
from ..databases.served import served
from ..databases.sites import this_run
from ..exceptions import UnsafeDatabaseError
from ..execution.systemchecks import SystemChecks
from ..servers.epochs import Closed
from ..servers.process import LOOPBACK, ProcessServer
from . import leftovers, memories, populate, production
from .environment import environment
from .folders import folder_of
from .loop import MainLoop
from .memories import Memory
from .states import POPULATED, States

T = TypeVar("T")

Application = Callable[..., Any]
Middleware = Callable[[Application], Application]

#: Who the server's epochs belong to, in messages.
OWNER = "the time before the last reset"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an integration server was asked to be.

    ``databases`` are aliases, all if there are none. ``populate`` holds "dotted.path[:count]".
    ``port`` 0 is any free one. ``kept`` is what an earlier process has left for ``--reload``
    (``Integration.kept()``); None for a new beginning.
    """

    databases: Sequence[str] = ()
    populate: Sequence[str] = ()
    seed: int = 0
    server: str = "wsgi"
    host: str = LOOPBACK
    port: int = 0
    verbosity: int = 1
    interactive: bool = True
    force: bool = False
    keepdb: bool = False
    kept: dict[str, Any] | None = None


class Integration:
    """One integration server. It is used by the thread that has made it, the main thread; the
    methods below "Used by the control API" may be called by all.

    ``control(integration, interface)`` returns a middleware of that interface ("wsgi" or "asgi"),
    which is put in front of the gate; it is called at once, and may add to ``memories``. ``log``
    takes lines for the user.
    """

    def __init__(
        self,
        config: Config,
        wanted: Wanted,
        *,
        control: Callable[[Integration, str], Middleware] | None = None,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.config = config
        self.wanted = wanted
        self._log = log
        self.loop = MainLoop()
        self.server = ProcessServer(
            wanted.server,
            host=wanted.host,
            port=wanted.port,
            grace=config.live_server_grace,
            wrap=self._mount if control is not None else None,
            renews=False,  # clients keep their connections across resets
        )
        self._states = States(
            config,
            wanted.databases,
            verbosity=wanted.verbosity,
            interactive=wanted.interactive,
            continued=wanted.kept is not None,
            log=log,
        )
        self._lock = threading.Lock()
        self._holders: set[int] = set()  # threads that are in exclusive()
        self._started = time.time()
        self._keeps = False
        self._checks = SystemChecks(wanted.verbosity)
        self._middleware: Middleware | None = None
        if control is not None:
            self._middleware = control(self, self.server.interface)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make and populate the databases and start the server; take all down after the block.

        When the block begins, requests are answered. Raises RunnerErrors.
        """
        with ExitStack() as stack:
            if not self.wanted.force:
                production.refuse()
            stack.enter_context(environment(self.server.host))
            stack.enter_context(served(folder_of(self.config.project)))
            stack.callback(self.loop.close)
            stack.callback(self._end)
            try:
                self._start()
            except BaseException:
                self._keeps = self.wanted.kept is not None  # for when the code is right again
                raise
            yield

    def _start(self) -> None:
        provisioner = self._states.provisioner
        provisioner.start()
        if self.config.checks:
            self._checks.leave()  # to what follows, without the summary
            self._checks.take(replace(self._checks.examine(), output=""))
        if self.config.prune_databases and self.wanted.kept is None:
            for line in provisioner.prune():
                self._log(line)
        self._make()
        self.server.start()
        self.server.open(OWNER)

    def _mount(self, application: Application) -> Application:
        assert self._middleware is not None
        return self._middleware(application)

    def _make(self) -> None:
        states, kept = self._states, self.wanted.kept
        states.make()
        if self.config.checks:
            self._checks.run(states.aliases)
        unmarked = states.unmarked()
        if unmarked and not self.wanted.force:
            raise UnsafeDatabaseError(
                f"Database {unmarked[0]!r} does not carry the mark of this run, so nothing tells "
                "that it may be written to. If you are sure that it is a test database, --force."
            )
        if kept is not None and states.resume(kept):
            return
        if kept is not None:
            states.migrated()
        states.prepare()
        memories.seed(self.wanted.seed)
        populate.populate(self.wanted.populate, states.aliases)
        states.capture(POPULATED)
        states.rewind(POPULATED)  # makes what only the first one needs; fails now if at all

    def _end(self) -> None:
        """Stop the server; drop the databases, or keep them."""
        with ExitStack() as stack:
            stack.callback(self._states.provisioner.stop)
            stack.callback(self._drop)
            stack.callback(self.server.stop)

    def _drop(self) -> None:
        self._states.provisioner.teardown(keepdb=self._keeps or self.wanted.keepdb)

    def keep(self) -> dict[str, Any]:
        """Leave the databases as they are at the end; return what the next process needs."""
        self._keeps = True
        return self._states.remembered()

    # Used by the control API

    @property
    def url(self) -> str:
        """Where the site is, without a slash at the end."""
        return self.server.url

    @property
    def aliases(self) -> tuple[str, ...]:
        """The databases, each by one alias."""
        return self._states.aliases

    @property
    def memories(self) -> list[Memory]:
        """What goes back with the databases; to be added to before ``running()``."""
        return self._states.memories

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """The names of the states that there are; the first is the populated one."""
        return self._states.names

    def call(self, work: Callable[[], T]) -> T:
        """Return what ``work()`` returns in the main thread; raise what it raises. Requests may
        be running, and so may what ``exclusive()`` was entered for.
        """
        return self.loop.call(work)

    def run(self, work: Callable[[], T]) -> T:
        """Do ``work()`` in the main thread, in ``exclusive()``: what writes has to."""
        with self.exclusive():
            return self.loop.call(lambda: self._inside(work))

    def _inside(self, work: Callable[[], T]) -> T:
        """In the main thread: ``work`` may enter ``exclusive()`` again."""
        me = threading.get_ident()
        added = me not in self._holders
        self._holders.add(me)
        try:
            return work()
        finally:
            if added:
                self._holders.discard(me)

    @contextmanager
    def exclusive(self) -> Iterator[Closed]:
        """Requests that are running are waited for, as long as LIVE_SERVER_GRACE says; those
        that come while the block lasts wait for its end. May be entered again inside, where it
        does nothing. Yield what is known of the requests until now.
        """
        me = threading.get_ident()
        if me in self._holders or not self.server.is_running:
            yield Closed(OWNER)
            return
        with self._lock:
            self._holders.add(me)
            try:
                with self.server.held(OWNER) as closed:
                    yield closed
            finally:
                self._holders.discard(me)

    def reset(self) -> None:
        """Put the databases back to the populated state, with all that goes with it; clear
        caches, mail and sessions. Raises RewindError.
        """
        self.rollback(POPULATED)

    def rollback(self, name: str) -> None:
        """The same with a state of ``checkpoint()``. Raises UsageError for an unknown name."""
        self.run(lambda: self._roll_back(name))

    def _roll_back(self, name: str) -> None:
        self._states.rewind(name)
        leftovers.clear()

    def checkpoint(self, name: str) -> None:
        """Take what there is now as the state ``name``."""
        self.run(lambda: self._states.capture(name))

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """For ``run()``: if the block raises, all is as it was before, as far as it is known."""
        with leftovers.kept(), self._states.attempt():
            yield

    def state(self) -> dict[str, Any]:
        """Return what there is to know: plain values."""
        counts = self.call(self._states.counts)
        return {
            "url": self.url,
            "aliases": list(self.aliases),
            "counts": counts,
            "checkpoints": list(self.checkpoints),
            "uptime": round(time.time() - self._started, 3),  # seconds
            "mark": {"project": self.config.project, "run": this_run()},
            "seed": self.wanted.seed,
        }
