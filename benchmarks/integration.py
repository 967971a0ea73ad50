"""The integration server: ``POST /reset/`` beside Django's flush and loaddata of the same data,
and a load of clients with resets among their requests::

    python benchmarks/integration.py [--database postgresql] [--models 100] [--rounds 30]
    python benchmarks/integration.py --load [--database sqlite]

Each round a spec's request writes five rows to three tables; then the databases are put back,
each way in turn. Both are requests to the same server, so that neither starts a process.
Milliseconds, medians of interleaved rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import generated
import servers
from common import ROOT, compare, machine, project, table

URLS = """
import json
from pathlib import Path
from django.core.management import call_command
from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.urls import path
from a0.models import Model0, Model1, Model2

FIXTURE = Path(__file__).parent / "populated.json"

def spec(request):
    key = request.GET.get("key", "")
    with transaction.atomic():
        first = Model0.objects.create(name="a", slug=f"a{key}")
        second = Model0.objects.create(name="b", slug=f"b{key}")
        third = Model1.objects.create(name="c", slug=f"c{key}", parent=first)
        Model1.objects.create(name="d", slug=f"d{key}", parent=second)
        Model2.objects.create(name="e", slug=f"e{key}", parent=third)
    return HttpResponse("written")

def dump(request):
    call_command("dumpdata", output=str(FIXTURE), exclude=EXCLUDED, verbosity=0)
    return HttpResponse("dumped")

EXCLUDED = ["contenttypes", "auth.permission"]  # the flush makes them anew

def flush(request):
    call_command("flush", interactive=False, verbosity=0)
    call_command("loaddata", str(FIXTURE), verbosity=0)
    return HttpResponse("loaded")

def read(request):
    return JsonResponse(list(Model0.objects.order_by("pk").values("pk", "name")), safe=False)

urlpatterns = [
    path("spec/", spec), path("dump/", dump), path("flush/", flush), path("read/", read),
]
"""
FILL = """
from django.apps import apps
from django.core.serializers import serialize
from a0.models import Model0, Model1, Model2
from a1.models import Model0 as Other

ROWS = 50  # of each of four models

def fill():
    for model in (Model0, Model1, Model2, Other):
        for number in range(ROWS):
            model.objects.create(name="populated", slug=f"populated-{number}")

def contents():
    return {
        model._meta.label: serialize("json", model._base_manager.order_by("pk"))
        for model in apps.get_models(include_auto_created=True)
    }
"""
OFFERED = """
ROOT_URLCONF = "app.urls"
SANERUNNER = {"INTEGRATION": {
    "POPULATE": ["app.fill.fill"], "SCENARIOS": {"contents": "app.fill.contents"},
}}
"""
COMMAND = (sys.executable, "manage.py", "integrationserver", "0", "--noinput")
CLIENTS, REQUESTS, RESETS = 20, 500, 200


class Site:
    """A running integration server, and a connection to it that is kept open."""

    def __init__(self, url: str, token: str) -> None:
        self.port = urlsplit(url).port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection = HTTPConnection("127.0.0.1", self.port, timeout=600)

    def get(self, path: str) -> bytes:
        return self._send("GET", path)

    def post(self, path: str, data: Any) -> Any:
        return json.loads(self._send("POST", path, json.dumps(data).encode()))

    def _send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {text.decode()}")
        return text


@contextmanager
def site(database: str, models: int) -> Iterator[Site]:
    settings = generated.installed(models) + servers.settings(database) + OFFERED
    settings += "INSTALLED_APPS += ['sanerunner']\n"
    files = {**generated.sources(models), "app/urls.py": URLS, "app/fill.py": FILL}
    with project(files) as folder:
        path = folder / "settings.py"
        path.write_text(path.read_text() + settings)
        ready = folder / "ready.env"
        process = subprocess.Popen(
            [*COMMAND, "--ready-file", str(ready)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "settings"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            if not any("is ready" in line for line in process.stdout):
                raise SystemExit("the server has not started")
            values = dict(line.split("=", 1) for line in ready.read_text().splitlines())
            yield Site(values["SANE_BASE_URL"], values["SANE_CONTROL_TOKEN"])
        finally:
            process.terminate()
            process.communicate()


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare_resets(database: str, models: int, rounds: int) -> str:
    with site(database, models) as server:
        server.get("/dump/")

        def reset() -> float:
            server.get("/spec/")
            return timed(lambda: server.post("/__sane__/reset/", {}))

        def flush() -> float:
            server.get("/spec/")
            seconds = timed(lambda: server.get("/flush/"))
            server.post("/__sane__/reset/", {})
            return seconds

        for _ in range(5):  # prepared statements, triggers
            reset()
        before = server.post("/__sane__/scenario/contents/", {})
        sides = {"POST /reset/": reset, "flush + loaddata, in the server": flush}
        medians = compare(sides, rounds)
        assert server.post("/__sane__/scenario/contents/", {}) == before
        title = f"{database}, {models} models, 5 rows in 3 tables"
        ratio = medians["flush + loaddata, in the server"] / medians["POST /reset/"]
        return (
            table(title, medians, "POST /reset/", "ms") + f"\n\nreset is {ratio:.0f} times faster"
        )


def load(database: str, models: int) -> str:
    """Raise SystemExit where a request fails, or a reset leaves anything else than it should."""
    with site(database, models) as server:
        contents = "/__sane__/scenario/contents/"
        before = server.post(contents, {})
        statuses: Counter[int] = Counter()
        resets: list[float] = []
        started = threading.Barrier(CLIENTS + 1)

        def visit(number: int) -> None:
            started.wait()
            with closing(HTTPConnection("127.0.0.1", server.port, timeout=600)) as connection:
                for each in range(REQUESTS):
                    path = f"/spec/?key={number}-{each}" if each % 2 else "/read/"
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    answer.read()
                    statuses[answer.status] += 1

        def reset() -> None:
            started.wait()
            for _ in range(RESETS):
                resets.append(timed(lambda: server.post("/__sane__/reset/", {})))

        with ThreadPoolExecutor(CLIENTS + 1) as pool:
            begun = time.perf_counter()
            futures = [pool.submit(visit, number) for number in range(CLIENTS)]
            futures.append(pool.submit(reset))
            for future in futures:
                future.result()
            seconds = time.perf_counter() - begun
        server.post("/__sane__/reset/", {})
        exact = server.post(contents, {}) == before
        median = statistics.median(resets) * 1000
        line = (
            f"{database}: {CLIENTS} clients x {REQUESTS} requests, {RESETS} resets in "
            f"{seconds:.1f} s; statuses {dict(statuses)}; a reset {median:.1f} ms (median, with "
            f"the wait for requests); the data is {'exactly' if exact else 'NOT'} the checkpoint"
        )
        if set(statuses) != {200} or not exact:
            raise SystemExit(line)
        return line


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database", choices=servers.DATABASES, default="postgresql")
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--load", action="store_true", help="clients and resets at once")
    options = parser.parse_args()
    with servers.server(options.database) as version:
        print(machine([version]))
        if options.load:
            print(load(options.database, options.models))
        else:
            print(compare_resets(options.database, options.models, options.rounds))


if __name__ == "__main__":
    main()
