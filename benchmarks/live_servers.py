"""Live servers beside Django's own: ``python benchmarks/live_servers.py [--rounds 5]``.

All serve one view, without a database, through CommonMiddleware; the clients are in the same
process. Each round starts every server in turn. The goals: an answer over a connection that is
kept takes at most 0.5 ms with "wsgi", and its end with open connections at most 20 ms.

Many requests at once on databases, each answer checked, are a test:
``SANERUNNER_LOAD_REQUESTS=200 python runtests.py tests.servers.test_load --database=postgresql``.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.util
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import django
from common import machine
from django.conf import settings

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    STATIC_URL="/static/",
    SECRET_KEY="benchmark",
)
django.setup()

from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.test.testcases import (  # type: ignore[attr-defined]  # noqa: E402
    LiveServerThread,
    _StaticFilesHandler,
)
from django.urls import path  # noqa: E402

from sanerunner.servers.process import ProcessServer  # noqa: E402

OPEN = 6


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("a page" * 50)


urlpatterns = [path("", page)]


class Stock:
    """Django's server thread, as LiveServerTestCase uses it."""

    def open(self, owner: str) -> None:
        self._thread = LiveServerThread("127.0.0.1", _StaticFilesHandler)
        self._thread.daemon = True
        self._thread.start()
        self._thread.is_ready.wait()

    @property
    def port(self) -> int:
        return int(self._thread.port)

    def stop(self) -> None:
        self._thread.terminate()


def get(client: http.client.HTTPConnection) -> None:
    client.request("GET", "/")
    response = client.getresponse()
    response.read()
    if response.status != 200:
        raise SystemExit(f"{response.status} {response.reason}")


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def connected(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=30)


def kept(port: int, count: int) -> float:
    """Return the median of seconds for a request over a connection that is kept."""
    client = connected(port)
    get(client)
    found = statistics.median(seconds(lambda: get(client)) for _ in range(count))
    client.close()
    return found


def new(port: int, count: int) -> float:
    """The same with a connection for each."""

    def one() -> None:
        client = connected(port)
        get(client)
        client.close()

    return statistics.median(seconds(one) for _ in range(count))


def throughput(port: int, clients: int, count: int) -> float:
    """Return requests a second over ``clients`` connections, ``count`` over each."""

    def run() -> None:
        client = connected(port)
        for _ in range(count):
            get(client)
        client.close()

    threads = [threading.Thread(target=run) for _ in range(clients)]

    def all_of_them() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return clients * count / seconds(all_of_them)


def end(server: Any) -> tuple[float, int]:
    """Stop with open connections; return seconds, and how many still answer."""
    clients = [connected(server.port) for _ in range(OPEN)]
    for client in clients:
        get(client)
    took = seconds(server.stop)
    answered = 0
    for client in clients:
        client.auto_open = False
        try:
            get(client)
            answered += 1
        except (OSError, http.client.HTTPException):
            pass
        client.close()
    return took, answered


def measure(make: Callable[[], Any], requests: int) -> dict[str, float]:
    server = make()
    started = seconds(lambda: server.open("a test"))
    port = server.port
    found = {
        "kept connection, ms": kept(port, requests) * 1000,
        "new connection, ms": new(port, requests) * 1000,
        "requests/s, 1 connection": throughput(port, 1, requests),
        "requests/s, 16 connections": throughput(port, 16, max(1, requests // 8)),
        "start, ms": started * 1000,
    }
    took, answered = end(server)
    return {**found, f"end with {OPEN} open, ms": took * 1000, "still answered": answered}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=100)
    options = parser.parse_args()
    sides: dict[str, Callable[[], Any]] = {"Django's": Stock, "wsgi": ProcessServer}
    for kind, package in (("cheroot", "cheroot"), ("asgi", "uvicorn")):
        if importlib.util.find_spec(package):
            sides[kind] = lambda kind=kind: ProcessServer(kind)
        else:
            print(f"{kind} is left out: {package} is not installed")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, make in sides.items():
            found[name].append(measure(make, options.requests))
    print(machine())
    print(f"\n| | {' | '.join(sides)} |\n|---|{'---|' * len(sides)}")
    for what in found["wsgi"][0]:
        medians = [statistics.median(each[what] for each in found[name]) for name in sides]
        print(f"| {what} | {' | '.join(f'{value:.2f}' for value in medians)} |")


if __name__ == "__main__":
    main()
