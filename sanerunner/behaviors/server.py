"""The live server: one for each process that runs tests, for all classes that need one."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import Any
from urllib.parse import urljoin

from django.test import LiveServerTestCase, TransactionTestCase, modify_settings

from ..collection.describing import dotted_name
from ..collection.kinds import attribute, class_switches, switched_on
from ..conf import Config
from ..exceptions import ServerError
from ..plugins import Plugin
from ..servers.application import application_for
from ..servers.process import ProcessServer
from . import sharing
from .plain import PlainIsolation
from .service import Service

__unittest = True  # unittest leaves the frames of this module out of tracebacks

_SWITCHES = frozenset({"start_live_server", "selenium_start"})


class LiveServerBehavior(Plugin):
    """``start_live_server``, and Django's LiveServerTestCase.

    The server starts when the first class that needs it begins. Its gate is open while the
    fixtures of such a class run, and from the begin of a test's ``setUp()`` to the end of its
    clean-ups; it is shut whenever databases are put back. ``isolation`` is for classes that are
    none of Django's. A class that has changed its server in a way that ours cannot follow
    (another port, another handler) has Django's own.
    """

    name = "http"
    test_attributes = (*sorted(_SWITCHES), "server_thread_class")

    def __init__(self, server: ProcessServer, isolation: PlainIsolation) -> None:
        self._server = server
        self._isolation = isolation
        self._class: Any = None
        self._service: Service | None = None  # of that class
        self._plain = False  # whether it is none of Django's
        self._class_stack = ExitStack()
        self._test_stack = ExitStack()
        self._leave: Callable[[], None] = lambda: None

    def worker_setup(self, worker: int) -> None:
        self._start_stock = sharing.original_start()
        self._leave = sharing.replace_start(lambda cls: self._start(cls))

    def worker_teardown(self, worker: int) -> None:
        self._leave()
        self._server.stop()

    def class_setup(self, test_class: type) -> None:
        self._class = test_class
        self._plain = not issubclass(test_class, LiveServerTestCase)
        if not self._plain:
            return
        asks = not _SWITCHES.isdisjoint(class_switches(test_class))
        if asks or _has_asking_method(test_class):
            self._start_server()  # here, where what starting changes is no test's leak
        if asks:
            if self._isolates(test_class):
                self._isolation.set_up_class(test_class)
            self._class_stack = self._serve_plain(test_class, with_fixtures=True)

    def class_teardown(self, test_class: type) -> None:
        service, self._service, self._class = self._service, None, None
        problems = service.shut(fails=_fails(test_class)) if service else []
        self._class_stack.close()
        self._isolation.tear_down_class()
        if problems:
            raise problems[0]

    def test_setup(self, test: unittest.TestCase) -> None:
        if self._service is not None:
            self._service.drain()
        if not self._wanted_by(test):
            return
        if self._service is None:  # the method asks for it, not the class
            self._test_stack = self._serve_plain(type(test), with_fixtures=False)
        if self._isolates(type(test)):
            self._isolation.set_up(test)
        assert self._service is not None
        _let_through(test, self._service)

    def test_teardown(self, test: unittest.TestCase) -> None:
        if self._service is None or not self._wanted_by(test):
            return
        self._service.drain()  # where the test has not come to its clean-ups
        if self._isolates(type(test)):
            self._isolation.tear_down(test)
        self._test_stack.close()

    def _start(self, test_class: Any) -> None:
        """In place of ``LiveServerTestCase._start_server_thread()``."""
        shared = sharing.can_share(
            test_class, interface=self._server.interface, host=self._server.host
        )
        if test_class is self._class and shared and self._is_up(test_class):
            self._serve(test_class, test_class.enterClassContext)
        else:
            self._start_stock(test_class)

    def _is_up(self, test_class: Any) -> bool:
        """Start the server; where it cannot, stock classes do without."""
        try:
            self._start_server()
        except ServerError:
            if sharing.is_sane(test_class):
                raise
            return False
        return True

    def _start_server(self) -> None:
        try:
            self._server.start()
        except ServerError as error:  # by what it was called is of no interest
            raise ServerError(str(error)) from None

    def _serve_plain(self, test_class: type, *, with_fixtures: bool) -> ExitStack:
        """Serve a class that is none of Django's until the stack that is returned is closed."""
        with ExitStack() as stack:
            stack.callback(setattr, self, "_service", None)
            self._serve(test_class, stack.enter_context, with_fixtures)
            self._give_names(stack, test_class)
            return stack.pop_all()

    def _serve(
        self, test_class: Any, enter: Callable[[Any], Any], with_fixtures: bool = True
    ) -> None:
        """Start the server for a class; ``enter`` enters a context for the rest of it.

        ``with_fixtures``: the class's own fixtures may send requests.
        """
        server, sane = self._server, sharing.is_sane(test_class) or self._plain
        shared: dict[str, Any] = {}
        if sane:
            enter(modify_settings(ALLOWED_HOSTS={"append": server.host}))
            application = application_for(server.interface)
        else:
            shared = enter(sharing.shared_connections(test_class))
            application = sharing.stock_application(test_class, shared)
        service = Service(server, dotted_name(test_class), application, sane=sane)
        if not self._plain:
            test_class.server_thread = sharing.SharedServerThread(
                test_class,
                url=server.url if sane else None,
                host=server.host if sane else test_class.host,
                port=server.port,
                connections_override=shared,
                tell_failures=service.tell_failures,
                drain=service.drain,
            )
        if with_fixtures:
            enter(sharing.around_tear_down(test_class, service.fixtures))
            enter(service.fixtures())
        self._service = service

    def _give_names(self, stack: ExitStack, test_class: Any) -> None:
        """Give a plain class ``live_server_url`` and ``url()``, for its time."""
        root = self._server.url
        for name, value in (
            ("live_server_url", root),
            ("url", staticmethod(lambda path="/": urljoin(f"{root}/", path))),
        ):
            if not hasattr(test_class, name):
                setattr(test_class, name, value)
                stack.callback(delattr, test_class, name)

    def _wanted_by(self, test: unittest.TestCase) -> bool:
        if self._plain:
            return not _SWITCHES.isdisjoint(switched_on(test))
        return self._service is not None  # else Django serves it

    def _isolates(self, test_class: type) -> bool:
        return self._plain and not issubclass(test_class, TransactionTestCase)


def live_server(config: Config) -> ProcessServer:
    """Return the server of this process; it is not started yet."""
    return ProcessServer(
        config.live_server,
        host=config.live_server_address,
        port=config.live_server_port,
        url_host=config.url_root_server_address,
        url_root=config.url_root,
        grace=config.live_server_grace,
    )


def _let_through(test: unittest.TestCase, service: Service) -> None:
    """Open the gate from ``setUp`` to the last clean-up: Django's own set-up, which comes before,
    puts databases back.
    """
    run: Any = test.run

    def run_served(result: unittest.TestResult | None = None) -> Any:
        service.open(test.id())
        test.addCleanup(_end, test, service)
        return run(result)

    test.run = run_served  # type: ignore[method-assign]


def _end(test: unittest.TestCase, service: Service) -> None:
    """The test's last clean-up; each thing that is wrong is an error of its own."""
    for problem in reversed(service.shut(fails=_fails(test))):
        test.addCleanup(_raise, problem)


def _raise(problem: Exception) -> None:
    raise problem


def _fails(owner: Any) -> bool:
    """Whether an exception in a view fails the test, or the class."""
    if isinstance(owner, unittest.TestCase):
        return attribute(owner, "raise_server_errors", False) is True
    return getattr(owner, "raise_server_errors", False) is True


@cache
def _has_asking_method(test_class: Any) -> bool:
    return any(
        getattr(member, switch, None) is True
        for base in test_class.__mro__
        for name, member in vars(base).items()
        if name.startswith("test")
        for switch in _SWITCHES
    )
