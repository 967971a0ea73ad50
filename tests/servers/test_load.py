"""Many requests at once: every answer is right, on every server and database."""

from __future__ import annotations

import os
import threading
from collections import Counter

from sanerunner.servers.process import ProcessServer
from tests.shop.models import Category

from .contract import Client, ServerContract, for_each_server

THREADS = 20
#: Rows that all threads write.
SHARED = [f"shared{number}-" for number in range(16)]
REQUESTS = int(os.environ.get("SANERUNNER_LOAD_REQUESTS", "40"))


class User:
    """A thread that sends requests, and knows what each must be answered."""

    def __init__(self, number: int, case: ServerContract) -> None:
        self.name = f"u{number:02}"
        self.wrong: list[str] = []
        self.sent = 0
        self.grown: Counter[str] = Counter()
        self._case = case
        self._rows = 0
        self._thread = threading.Thread(target=self._run, name=self.name)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        client = Client(self._case.server.port)
        try:
            for number in range(REQUESTS):
                self._step(client, number)
        except Exception as error:
            self.wrong.append(repr(error))
        finally:
            client.close()

    def _step(self, client: Client, number: int) -> None:
        name = f"{self.name}-{number}"
        match number % 6:
            case 0:
                self._ask(client, f"create/{name}/", "1")
                self._rows += 1
            case 1:
                self._ask(client, f"count/{self.name}/", str(self._rows))
            case 2:
                self._ask(client, f"undo/{name}/", "1")
            case 3:
                shared = SHARED[number // 6 % len(SHARED)]
                self._ask(client, f"grow/{shared}/", "1")
                self.grown[shared] += 1
            case 4:
                self._ask(client, f"rename/{self.name}-{number - 4}/{name}/", "1")
            case 5:
                self._ask(client, "nothing/", "404")

    def _ask(self, client: Client, path: str, expected: str) -> None:
        found = client.get(self._case.url(path))
        self.sent += 1
        if found != expected and not (expected == "404" and found.startswith("404 ")):
            self.wrong.append(f"{path}: {found[:300]!r}, not {expected!r}")


class LoadContract(ServerContract):
    def test_every_answer_is_right(self) -> None:
        for name in SHARED:
            Category.objects.using(self.served).create(name=name)
        self.open().get("/ping/")
        users = [User(number, self) for number in range(THREADS)]
        for user in users:
            user.start()
        for user in users:
            user.join()
        closed = self.server.shut()
        self.assertEqual([line for user in users for line in user.wrong], [])
        self.assertEqual((closed.errors, closed.late), ((), ()))
        grown = sum((user.grown for user in users), Counter())
        self.assertLessEqual({name + "+" * grown[name] for name in SHARED}, self.names())
        self.assertEqual(sum(user.sent for user in users), THREADS * REQUESTS)

    def test_a_server_that_is_shut_keeps_out_of_it(self) -> None:
        other = ProcessServer(self.kind, grace=5)
        self.addCleanup(other.stop)
        other.open("another test")
        other.shut()
        self.open()
        for number in range(10):
            client = self.client_of_server()
            self.assertEqual(client.get(self.url(f"create/{number}/")), "1")
            client.close()  # so that the next request has a thread of its own
        self.assertEqual(self.names(), set("0123456789"))


globals().update(for_each_server(LoadContract, files=True))
del LoadContract
