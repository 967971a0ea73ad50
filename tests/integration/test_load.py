"""Many clients at once, and resets among their requests: nobody sees a failure, and each reset
gives exactly what was populated.
"""

from __future__ import annotations

import threading
import unittest
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

from ..servers.contract import require
from ..support.services import require_mariadb, require_postgresql
from .shop import Shop, open_shop

DUMP = """
import json
from django.apps import apps
from django.core.serializers import serialize

def dump():
    found = {}
    for model in apps.get_models(include_auto_created=True):
        rows = model._base_manager.order_by("pk")
        found[model._meta.label] = json.loads(serialize("json", rows))
    return found
"""
PATHS = ("/orders/", "/customers/", "/buy/?name={}", "/me/", "/buy/?name={}")


class LoadTest(unittest.TestCase):
    clients = 6
    requests = 40
    resets = 30

    def check(self, *arguments: str, settings: str = "") -> None:
        settings += "SANERUNNER['INTEGRATION']['SCENARIOS']['dump'] = 'shop.dumping.dump'\n"
        shop = open_shop(
            self.addCleanup, *arguments, settings=settings, **{"shop/dumping.py": DUMP}
        )
        populated = shop.client.scenario("dump")
        self.assertEqual(len(populated["shop.Order"]), 3)
        statuses: Counter[Any] = Counter()
        barrier = threading.Barrier(self.clients + 2)
        with ThreadPoolExecutor(self.clients + 2) as pool:
            futures = [
                pool.submit(self.visit, shop, number, statuses, barrier)
                for number in range(self.clients)
            ]
            futures.append(pool.submit(self.reset, shop, populated, barrier))
            futures.append(pool.submit(self.create, shop, barrier))
            for future in futures:
                future.result()
        self.assertEqual(statuses, {200: self.clients * self.requests})
        shop.client.reset()
        self.assertEqual(shop.client.scenario("dump"), populated)
        _, _, errors = shop.running.finish(15)
        self.assertNotIn("locked", errors)
        self.assertNotIn("Traceback", errors)

    def visit(
        self, shop: Shop, number: int, statuses: Counter[Any], barrier: threading.Barrier
    ) -> None:
        """Send requests over one connection, as a browser does."""
        barrier.wait()
        with closing(HTTPConnection("127.0.0.1", shop.port, timeout=120)) as connection:
            for each in range(self.requests):
                path = PATHS[each % len(PATHS)].format(f"client-{number}-{each}")
                connection.request("GET", path)
                answer = connection.getresponse()
                answer.read()
                statuses[answer.status] += 1

    def reset(self, shop: Shop, populated: Any, barrier: threading.Barrier) -> None:
        barrier.wait()
        for number in range(self.resets):
            if number % 5:
                shop.client.reset()
                continue
            # Nothing comes between the reset and the dump.
            dump = {"command": "scenario", "name": "dump"}
            results = shop.client.command([{"command": "reset"}, dump])
            self.assertEqual(results[1]["result"], populated)

    def create(self, shop: Shop, barrier: threading.Barrier) -> None:
        barrier.wait()
        for _ in range(self.resets):
            shop.client.create_batch("order_line", 2)

    def on(self, require: Callable[[unittest.TestCase], Any]) -> None:
        self.check(settings=f"DATABASES['default'] = {require(self)!r}\n")

    def test_sqlite(self) -> None:
        self.check()

    def test_sqlite_and_asgi(self) -> None:
        require("asgi")
        self.check("--server", "asgi")

    def test_postgresql(self) -> None:
        self.on(require_postgresql)

    def test_mariadb(self) -> None:
        self.on(require_mariadb)
