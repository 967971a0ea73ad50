"""Who may use the control API, and what is refused: nothing is changed then."""

from __future__ import annotations

import json
import socket
import unittest
from collections.abc import Mapping
from typing import Any

from sanerunner.integration.problems import Problem
from sanerunner.integration.requests import Request
from sanerunner.integration.security import Doorkeeper

from ..servers.contract import require
from .shop import Answer, Shop, open_shop

CREATE = json.dumps({"factory": "order"})


class RefusedTest(unittest.TestCase):
    """One server for the class, which none of its tests may change."""

    arguments: tuple[str, ...] = ()
    shop: Shop

    @classmethod
    def setUpClass(cls) -> None:
        require(cls.arguments[-1] if cls.arguments else "wsgi")
        cls.shop = open_shop(cls.addClassCleanup, *cls.arguments)

    def setUp(self) -> None:
        self.shop.client.reset()
        self.shop.get("/buy/?name=kept")  # which a reset would undo
        self.before = self.shop.client.state()["counts"]

    def assert_refused(
        self,
        status: int,
        path: str = "factory/",
        body: Any = CREATE,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        **changes: str | None,
    ) -> Answer:
        sent = headers if headers is not None else self.shop.headers(**changes)
        answer = self.shop.send(method, f"/__sane__/{path}", body, sent)
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual(json.loads(answer.text)["status"], status)
        self.assertNotIn(self.shop.token, answer.text)
        self.assertEqual(self.shop.client.state()["counts"], self.before)
        return answer

    def test_token(self) -> None:
        token = self.shop.token
        for wrong in (
            None,
            "",
            "Bearer",
            "Bearer ",
            f"Bearer {token[:-1]}",
            f"Bearer {token}x",
            f"Bearer {token.upper()}",
            f"Basic {token}",
            token,
            f"Bearer {token} {token}",
            "Bearer \xe9",
        ):
            for path in ("factory/", "reset/", "nothing/", ""):
                with self.subTest(wrong, path=path):
                    answer = self.assert_refused(401, path, Authorization=wrong)
                    self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
                    self.assertNotIn("order", answer.text)  # nor anything that there is
        for path in ("state/", "mail/"):
            self.assert_refused(401, path, None, method="GET", Authorization=None)
        self.assert_refused(401, f"reset/?token={token}", "{}", Authorization=None)

    def test_foreign_host(self) -> None:
        port = self.shop.port
        for wrong in (
            f"evil.example:{port}",
            "evil.example",
            f"127.0.0.1:{port}.evil.example",
            f"127.0.0.1.evil.example:{port}",
            f"localhost.evil.example:{port}",
            f"evillocalhost:{port}",
            f"user@127.0.0.1:{port}",
            f"127.0.0.1:{port}, evil.example",
            "127.0.0.1",
            f"127.0.0.1:{port}1",
            f"testserver:{port}",
            "",
        ):
            with self.subTest(wrong):
                self.assert_refused(403, Host=wrong)
        for right in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"):
            with self.subTest(right):
                answer = self.shop.send(
                    "GET", "/__sane__/state/", headers=self.shop.headers(Host=right)
                )
                self.assertEqual(answer.status, 200)

    def test_foreign_origin(self) -> None:
        port = self.shop.port
        for wrong in (
            "http://evil.example",
            f"http://evil.example:{port}",
            f"http://localhost:{port}",  # another origin than 127.0.0.1
            "http://127.0.0.1",
            f"http://127.0.0.1:{port}.evil.example",
            "null",
            "",
        ):
            with self.subTest(wrong):
                self.assert_refused(403, Origin=wrong)
        for site in ("cross-site", "same-site", "else"):
            self.assert_refused(403, Sec_Fetch_Site=site)
        own = self.shop.headers(Origin=self.shop.url, Sec_Fetch_Site="same-origin")
        self.assertEqual(self.shop.send("GET", "/__sane__/state/", headers=own).status, 200)

    def test_methods(self) -> None:
        posting = ("reset", "checkpoint", "rollback", "factory", "login", "time", "command")
        for path in (*posting, "scenario/sale"):
            for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
                with self.subTest(path, method=method):
                    answer = self.assert_refused(405, f"{path}/", method=method)
                    self.assertEqual(answer.headers["Allow"], "POST")
                    self.assertNotIn("Access-Control-Allow-Origin", answer.headers)
        for path in ("state/", "mail/"):
            answer = self.assert_refused(405, path)
            self.assertEqual(answer.headers["Allow"], "GET")
        overridden = self.shop.headers(X_HTTP_Method_Override="POST")
        self.assert_refused(405, "reset/", method="GET", headers=overridden)

    def test_bodies(self) -> None:
        form = "application/x-www-form-urlencoded"
        for wrong in (None, form, "text/plain", "multipart/form-data", "application/jsonp", ""):
            with self.subTest(wrong):
                self.assert_refused(415, Content_Type=wrong)
        for wrong_body in ("{", "nonsense", '{"count": NaN}', b"\xff", "[" * 100_000):
            with self.subTest(wrong_body[:10]):
                self.assert_refused(400, body=wrong_body)
        for unfit in (
            "[]",
            '"factory"',
            "null",
            "3",
            '{"factory": 5}',
            '{"factori": "order"}',
            "{}",
        ):
            with self.subTest(unfit):
                self.assert_refused(422, body=unfit)
        self.assert_refused(422, "command/", CREATE)

    def test_oversized_bodies(self) -> None:
        try:
            self.assert_refused(413, body=json.dumps({"factory": "order", "x": "y" * 1_000_000}))
        except ConnectionError:  # cheroot closes the connection while the client still sends
            self.assertEqual(self.shop.client.state()["counts"], self.before)
        self.assert_refused(413, body=None, Content_Length="1000001")
        endless = self.shop.headers(Content_Length="1" + "0" * 30)
        answer = self.shop.send("POST", "/__sane__/reset/", None, endless)
        self.assertIn(answer.status, (400, 413))  # uvicorn takes no such header
        self.assert_refused(411, body=None, Transfer_Encoding="chunked")
        count = json.dumps({"factory": "order", "count": 10_001})
        self.assert_refused(422, body=count)

    def test_paths(self) -> None:
        for path in (
            "",
            "nothing/",
            "factory/order/",
            "factory/../reset/",
            "./reset/",
            "RESET/",
            "reset%00/",
            "scenario/",
            "scenario/../reset/",
            "reset;x/",
            "re%73et%2f..%2fnothing/",
        ):
            with self.subTest(path):
                self.assert_refused(404, path)
        for name in ("..%2freset", "..%252freset"):
            self.assert_refused(404, f"scenario/{name}/", "{}")
        # What looks like the prefix is either the site's, which has nothing there, or ours, and
        # needs the token: servers differ in what they make of these.
        for path in (
            "/__SANE__/reset/",
            "//__sane__/reset/",
            "/./__sane__/reset/",
            "/__sane__x/reset/",
            "/x/../__sane__/reset/",
            "/__sane__%2freset/",
            "/%5f%5fsane__/reset/",
        ):
            with self.subTest(path):
                headers = self.shop.headers(Authorization=None)
                answer = self.shop.send("POST", path, "{}", headers)
                self.assertIn(answer.status, (400, 401, 404))
                self.assertEqual(self.shop.client.state()["counts"], self.before)

    def test_unregistered_factories(self) -> None:
        for name in (
            "os.system",
            "shop.models.Order",
            "AbstractFactory",
            "__class__",
            "",
            "customer",
        ):
            with self.subTest(name):
                self.assert_refused(404, body=json.dumps({"factory": name}))
        self.assert_refused(404, "scenario/_private/", "{}")
        self.assert_refused(404, "scenario/CustomerFactory/", "{}")

    def test_what_is_no_request(self) -> None:
        """Two headers that contradict each other are not the first one, nor the last one."""
        for extra in ("Host: evil.example", "Origin: http://evil.example"):
            with self.subTest(extra):
                lines = [
                    "POST /__sane__/reset/ HTTP/1.1",
                    f"Host: 127.0.0.1:{self.shop.port}",
                    f"Origin: http://127.0.0.1:{self.shop.port}",
                    extra,
                    f"Authorization: Bearer {self.shop.token}",
                    "Content-Type: application/json",
                    "Content-Length: 2",
                    "Connection: close",
                    "",
                    "{}",
                ]
                with socket.create_connection(("127.0.0.1", self.shop.port or 0)) as connection:
                    connection.sendall("\r\n".join(lines).encode())
                    status = connection.makefile("rb").readline().split()[1]
                self.assertIn(status, (b"400", b"403"))
                self.assertEqual(self.shop.client.state()["counts"], self.before)


class RefusedByASGITest(RefusedTest):
    arguments = ("--server", "asgi")


class RefusedByCherootTest(RefusedTest):
    arguments = ("--server", "cheroot")


class DoorkeeperTest(unittest.TestCase):
    def admits(self, peer: str = "127.0.0.1", host: str = "web:80", **options: Any) -> bool:
        keeper = Doorkeeper("secret", **{"host": "127.0.0.1", "port": 8000, **options})
        headers = {"host": host, "authorization": "Bearer secret"}
        try:
            keeper.admit(Request("POST", "/__sane__/reset/", headers, peer))
        except Problem:
            return False
        return True

    def test_only_this_machine_unless_told_otherwise(self) -> None:
        host = "127.0.0.1:8000"
        for peer in ("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"):
            self.assertTrue(self.admits(peer, host), peer)
        for peer in ("10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "", "localhost"):
            self.assertFalse(self.admits(peer, host), peer)
        self.assertTrue(self.admits("10.0.0.1", "web:8000", others=["web"]))
        self.assertTrue(self.admits("10.0.0.1", "web:80", others=["web:80"]))

    def test_hosts(self) -> None:
        self.assertTrue(self.admits(host="t1.localhost:8000"))
        self.assertTrue(self.admits(host="[::1]:8000"))
        self.assertTrue(self.admits(host="localhost", port=80))
        for host in ("web:8000", "localhost", "[::2]:8000", ":8000", "localhost.:8000"):
            self.assertFalse(self.admits(host=host), host)
        self.assertFalse(self.admits(host="web:8001", others=["web"]))

    def test_no_token_is_no_token(self) -> None:
        with self.assertRaises(ValueError):
            Doorkeeper("", host="127.0.0.1", port=1)
