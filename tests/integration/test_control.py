"""The control API of a running integration server, by its Python client."""

from __future__ import annotations

import json
import unittest
from typing import Any

from sanerunner.integration import Client, ControlError

from ..servers.contract import require, require_package
from ..support.services import require_mariadb, require_postgresql
from .shop import Shop, open_shop

BEGINNING = [[0, "customer 0", "red"], [1, "customer 1", "green"], [2, "customer 2", "blue"]]
BOTH = "DATABASES['other'] = OTHER\n"


class ShopTest(unittest.TestCase):
    """One server for the class; each test begins with a reset."""

    arguments: tuple[str, ...] = ()
    settings = ""
    shop: Shop

    @classmethod
    def setUpClass(cls) -> None:
        cls.shop = open_shop(cls.addClassCleanup, *cls.arguments, settings=cls.settings)
        cls.client = cls.shop.client

    def setUp(self) -> None:
        self.client.reset()

    def orders(self) -> Any:
        return json.loads(self.shop.get("/orders/"))

    def customers(self, alias: str = "default") -> list[str]:
        found: list[str] = json.loads(self.shop.get(f"/customers/?alias={alias}"))
        return found

    def refused(self, status: int, *arguments: Any, **options: Any) -> Any:
        """Call the client's method ``arguments[0]``; return the problem. Nothing has changed."""
        name, *arguments_left = arguments
        before = self.client.state()["counts"]
        with self.assertRaises(ControlError) as caught:
            getattr(self.client, name)(*arguments_left, **options)
        self.assertEqual(caught.exception.status, status, caught.exception.problem)
        self.assertEqual(self.client.state()["counts"], before)
        self.assertEqual(caught.exception.problem["status"], status)
        return caught.exception.problem


class ResetTest(ShopTest):
    def test_all_goes_back(self) -> None:
        first = self.client.create("order_line")
        cookie = self.client.login("user0")
        logged_in = f"{cookie.name}={cookie.value}"
        self.assertEqual(self.shop.get("/me/", logged_in), "user0")
        self.shop.get("/buy/?name=new")
        self.shop.get("/remember/?value=kept")
        self.assertEqual(len(self.orders()), 5)
        self.client.reset()
        self.assertEqual(self.orders(), BEGINNING)
        self.assertEqual(self.shop.get("/me/", logged_in), "nobody")
        self.assertEqual(self.shop.get("/remembered/"), "None")
        self.assertEqual(self.client.mail(), [])
        # Sequences, iterators and random numbers go on from where the populating has left them.
        self.assertEqual(self.client.create("order_line"), first)

    def test_checkpoints(self) -> None:
        self.client.create("order")
        self.client.checkpoint("four orders")
        self.client.create("order")
        self.client.rollback("four orders")
        self.assertEqual(len(self.orders()), 4)
        self.assertEqual(self.client.create("order")["number"], 4)
        self.client.checkpoint("four orders")  # five, from now on
        self.client.reset()
        self.assertEqual(self.orders(), BEGINNING)
        self.client.rollback("four orders")
        self.assertEqual(len(self.orders()), 5)
        self.assertEqual(self.client.state()["checkpoints"], ["populated", "four orders"])
        problem = self.refused(404, "rollback", "for orders")
        self.assertEqual(problem["matches"], ["four orders"])
        self.refused(422, "checkpoint", "populated")
        self.refused(422, "checkpoint", "")


class FactoryTest(ShopTest):
    def test_traits_and_attributes(self) -> None:
        made = self.client.create(
            "order",
            "settled",
            number=77,
            placed="2030-01-31T12:00:00Z",
            customer={"name": "nested"},
        )
        self.assertEqual(made["number"], 77)
        self.assertIs(made["paid"], True)
        self.assertEqual(made["total"], "100.00")
        self.assertEqual(made["placed"], "2030-01-31T12:00:00Z")
        self.assertIn("nested", self.customers())
        again = self.client.create("order", customer=made["customer_id"], number=78)
        self.assertEqual(again["customer_id"], made["customer_id"])
        deep = self.client.create("order_line", order__customer__name="deep")
        self.assertEqual(self.customers()[-1], "deep")
        self.assertEqual(deep["pk"], deep["id"])

    def test_several(self) -> None:
        made = self.client.create_batch("order", 3)
        self.assertEqual([each["number"] for each in made], [3, 4, 5])
        self.assertEqual(self.client.create_batch("order", 0), [])

    def test_names(self) -> None:
        self.assertEqual(self.client.create("store.customer")["name"], "of the store")
        self.assertEqual(self.client.create("thing")["name"], "thing 0")  # of the setting
        problem = self.refused(404, "create", "oder")
        self.assertIn("order", problem["matches"])
        self.assertIn("shop.order", problem["known"])
        self.assertIn("Did you mean", problem["detail"])
        for name in ("customer", "abstract", "shop.factories.OrderFactory", "os.system"):
            with self.subTest(name):
                self.refused(404, "create", name)

    def test_invalid_attributes(self) -> None:
        for attributes, named in (
            ({"totl": 5}, "totl"),
            ({"customer__nam": "x"}, "customer__nam"),
            ({"customer": {"nam": "x"}}, "customer__nam"),
            ({"customer": 999}, "customer"),
            ({"total": "much"}, "total"),
            ({"placed": "yesterday"}, "placed"),
            ({"number__x": 1}, "number__x"),
            ({"__class__": 1}, "__class__"),
        ):
            with self.subTest(attributes):
                problem = self.refused(422, "create", "order", **attributes)
                self.assertEqual(problem["attribute"], named)
                self.assertIn(named, problem["detail"])
        problem = self.refused(422, "create", "order", totl=5)
        self.assertEqual(problem["matches"], ["total"])
        problem = self.refused(422, "create", "order", "setled")
        self.assertEqual((problem["trait"], problem["matches"]), ("setled", ["settled"]))
        for count in (-1, 10_001, "3", True, None):
            with self.subTest(count):
                self.refused(422, "create_batch", "order", count)

    def test_a_factory_that_raises(self) -> None:
        problem = self.refused(500, "create_batch", "broken", 2)
        self.assertEqual(problem["exception"], "ValueError")
        self.assertIn("the factory is broken", problem["detail"])
        self.assertIn("factories.py", problem["traceback"])
        self.assertEqual(self.client.mail(), [])
        # The third one is refused by the database; the sequence goes back as well.
        self.client.create("order", number=5)
        problem = self.refused(500, "create_batch", "order", 3)
        self.assertEqual(problem["exception"], "IntegrityError")
        self.assertEqual(self.client.create("order")["number"], 4)


class ScenarioTest(ShopTest):
    def test_scenarios(self) -> None:
        for name in ("sale", "big_sale", "shop.big_sale"):
            found = self.client.scenario(name, customer=name)
            self.assertEqual(found["customer"]["name"], name)
            self.assertEqual(len(found["numbers"]), 2)

    def test_wrong_ones(self) -> None:
        problem = self.refused(404, "scenario", "big_sail")
        self.assertIn("big_sale", problem["matches"])
        self.refused(404, "scenario", "_private")
        self.refused(404, "scenario", "../reset")
        self.refused(404, "scenario", "OrderFactory")  # imported there, not defined
        self.assertIn("'customer'", self.refused(422, "scenario", "sale")["detail"])
        self.assertIn("'x'", self.refused(422, "scenario", "sale", customer="a", x=1)["detail"])

    def test_what_is_done_on_commit(self) -> None:
        self.assertIs(self.client.scenario("hooked"), True)
        self.assertEqual(self.customers()[-1], "hooked")
        self.client.reset()
        with self.assertRaises(ControlError) as caught:
            self.client.scenario("hooked", fails=True)
        self.assertIs(caught.exception.problem["applied"], True)
        self.assertEqual(self.customers()[-1], "hooked")


class CommandTest(ShopTest):
    settings = BOTH

    def names(self) -> list[list[str]]:
        return [self.customers(), self.customers("other")]

    def test_in_order(self) -> None:
        results = self.client.command(
            [
                {"command": "factory", "factory": "order"},
                {"command": "reset"},
                {"command": "factory", "factory": "order", "count": 2},
                {"command": "checkpoint", "name": "two more"},
                {"command": "scenario", "name": "everywhere", "arguments": {"name": "new"}},
                {"command": "login", "user": "user0"},
                {"command": "mail"},
            ]
        )
        self.assertEqual([each["number"] for each in results[2]["objects"]], [3, 4])
        self.assertEqual(results[6], {"messages": []})
        cookie = results[5]["cookie"]
        self.assertEqual(self.shop.get("/me/", f"{cookie['name']}={cookie['value']}"), "user0")
        self.assertEqual([names[-1] for names in self.names()], ["new", "new"])
        self.client.rollback("two more")
        self.assertEqual((len(self.orders()), self.customers("other")), (5, []))

    def test_none_if_one_fails(self) -> None:
        self.client.checkpoint("kept")
        self.shop.get("/buy/?name=kept")
        self.shop.get("/remember/?value=kept")
        self.client.create("order")
        before = self.names(), self.orders()
        states = self.client.state()["checkpoints"]
        everywhere = {"command": "scenario", "name": "everywhere"}
        fails = {**everywhere, "arguments": {"name": "new", "fails": True}}
        creates = {"command": "factory", "factory": "order", "count": 2}
        for commands in (
            [fails],
            [creates, fails],
            [{"command": "reset"}, creates, fails],
            [creates, {"command": "checkpoint", "name": "kept"}, fails],
            [creates, {"command": "checkpoint", "name": "new"}, fails],
            [{"command": "rollback", "name": "kept"}, fails],
            [{"command": "reset"}, {"command": "login", "user": "user0"}, fails],
        ):
            with self.subTest(commands):
                problem = self.refused(500, "command", commands)
                self.assertEqual(problem["command"], len(commands) - 1)
                self.assertEqual((self.names(), self.orders()), before)
                self.assertEqual(self.shop.get("/remembered/"), "kept")
                self.assertEqual(len(self.client.mail()), 1)
                self.assertEqual(self.client.state()["checkpoints"], states)
        self.assertEqual(self.client.create("order")["number"], 4)
        self.client.rollback("kept")  # it was not replaced
        self.assertEqual(self.orders(), BEGINNING)

    def test_none_if_one_is_wrong(self) -> None:
        creates = {"command": "factory", "factory": "order"}
        for wrong, status in (
            ({"command": "rest"}, 404),
            ({"command": "factory", "factory": "oder"}, 404),
            ({"command": "rollback", "name": "nothing"}, 404),
            ({"command": "factory"}, 422),
            ({"command": "reset", "x": 1}, 422),
            ({"command": "command"}, 404),
            ({}, 422),
            ("reset", 422),
        ):
            with self.subTest(wrong):
                problem = self.refused(status, "command", [creates, wrong])
                self.assertEqual(problem["command"], 1)
        self.refused(422, "command", [])

    def test_a_transaction_for_all_databases(self) -> None:
        before = self.names()
        self.refused(500, "scenario", "everywhere", name="new", fails=True)
        self.assertEqual(self.names(), before)
        self.client.scenario("everywhere", name="new")
        self.assertEqual([names[-1] for names in self.names()], ["new", "new"])


class MailTest(ShopTest):
    def test_messages(self) -> None:
        self.shop.get("/remember/?value=x")
        (message,) = self.client.mail()
        self.assertEqual(message["subject"], "A subject")
        self.assertEqual((message["body"], message["html"]), ("The text", "<p>The text</p>"))
        self.assertEqual(
            (message["from"], message["to"]), ("from@example.com", ["to@example.com"])
        )
        bill = {"filename": "bill.txt", "mimetype": "text/plain", "size": 6}
        self.assertEqual(message["attachments"], [bill])


class TimeTest(ShopTest):
    @classmethod
    def setUpClass(cls) -> None:
        require_package("time_machine", "time")
        super().setUpClass()

    def test_it_stands_still_until_it_is_let_go(self) -> None:
        for text in ("2030-01-01T12:00:00+02:00", "2030-01-01T10:00:00Z"):
            self.client.time(text)
            for _ in range(2):
                self.assertEqual(self.shop.get("/now/"), "2030-01-01T10:00:00+00:00")
        self.assertIn("2030-01-01T", str(self.client.state()["time"]))
        self.client.checkpoint("then")
        self.client.time(None)
        self.assertNotIn("2030", self.shop.get("/now/"))
        self.client.rollback("then")
        self.assertIn("2030", self.shop.get("/now/"))
        self.client.time("2031-05-05", tick=True)
        self.assertIn("2031-05-0", self.shop.get("/now/"))
        fails = {"command": "factory", "factory": "broken"}
        for commands in (
            [{"command": "time", "at": None}, fails],
            [{"command": "reset"}, {"command": "time", "at": "2032-01-01"}, fails],
        ):
            self.refused(500, "command", commands)
            self.assertIn("2031-05-0", self.shop.get("/now/"))
        self.client.reset()
        self.assertNotIn("203", self.shop.get("/now/"))
        for wrong in ("soon", "2030-13-01", 5):
            self.refused(422, "time", wrong)


class LoginTest(unittest.TestCase):
    def check(self, engine: str) -> None:
        shop = open_shop(
            self.addCleanup,
            settings=f"SESSION_ENGINE = 'django.contrib.sessions.backends.{engine}'\n",
        )
        client = shop.client
        users = client.create_batch("user", 2)
        for user in ("user1", users[0]["pk"], {"username": "user1"}):
            cookie = client.login(user)
            self.assertEqual(shop.get("/me/", f"{cookie.name}={cookie.value}"), "user1")
        body = json.dumps({"user": "user1"})
        answer = shop.send("POST", "/__sane__/login/", body, shop.headers())
        header = answer.headers["Set-Cookie"]
        self.assertRegex(header, r"^sessionid=[^;]+; HttpOnly; Path=/; SameSite=Lax$")
        self.assertEqual(shop.get("/me/", header.partition(";")[0]), "user1")
        problem = self.refused(client, 404, "user3")
        self.assertIn("user2", problem["matches"])
        self.refused(client, 404, {"username": "nobody"})
        self.refused(client, 422, {"username__startswith": "u"})
        self.refused(client, 422, {"usrname": "user1"})
        self.refused(client, 422, [])
        client.create("user", username="gone", is_active=False)
        self.refused(client, 422, "gone")
        client.reset()
        self.assertEqual(shop.get("/me/", header.partition(";")[0]), "nobody")
        shop.running.end()

    def refused(self, client: Client, status: int, user: Any) -> Any:
        with self.assertRaises(ControlError) as caught:
            client.login(user)
        self.assertEqual(caught.exception.status, status, caught.exception.problem)
        return caught.exception.problem

    def test_sessions_in_the_database(self) -> None:
        self.check("db")

    def test_sessions_in_a_cache(self) -> None:
        self.check("cache")

    def test_sessions_in_both(self) -> None:
        self.check("cached_db")

    def test_sessions_in_files(self) -> None:
        self.check("file")

    def test_sessions_in_cookies(self) -> None:
        self.check("signed_cookies")


class ServersTest(unittest.TestCase):
    """What depends on the server, or on the database."""

    def check(self, shop: Shop) -> None:
        client = shop.client
        client.create_batch("order", 2)
        shop.get("/buy/?name=new")
        cookie = client.login("user0")
        self.assertEqual(shop.get("/me/", f"{cookie.name}={cookie.value}"), "user0")
        with self.assertRaises(ControlError):
            client.command([{"command": "reset"}, {"command": "factory", "factory": "broken"}])
        self.assertEqual(len(json.loads(shop.get("/orders/"))), 6)
        client.checkpoint("six orders")
        client.reset()
        self.assertEqual(json.loads(shop.get("/orders/")), BEGINNING)
        client.rollback("six orders")
        self.assertEqual(len(json.loads(shop.get("/orders/"))), 6)
        answer = shop.send("POST", "/__sane__/reset/", "{}", shop.headers(Authorization=None))
        self.assertEqual(answer.status, 401)
        long = shop.headers(Content_Length=str(10**7))
        self.assertEqual(shop.send("POST", "/__sane__/reset/", None, long).status, 413)
        self.assertEqual(len(json.loads(shop.get("/orders/"))), 6)

    def test_cheroot(self) -> None:
        require("cheroot")
        self.check(open_shop(self.addCleanup, "--server", "cheroot"))

    def test_asgi(self) -> None:
        require("asgi")
        self.check(open_shop(self.addCleanup, "--server", "asgi"))

    def test_postgresql(self) -> None:
        self.on(require_postgresql(self))

    def test_mariadb(self) -> None:
        self.on(require_mariadb(self))

    def on(self, settings: Any) -> None:
        self.check(open_shop(self.addCleanup, settings=f"DATABASES['default'] = {settings!r}\n"))


class ClientTest(unittest.TestCase):
    def test_what_is_not_there(self) -> None:
        with self.assertRaisesRegex(ControlError, "SANE_BASE_URL"):
            Client()
        with self.assertRaisesRegex(ControlError, "SANE_CONTROL_TOKEN"):
            Client("http://127.0.0.1:1")
        with self.assertRaisesRegex(ControlError, "127.0.0.1:1 does not answer"):
            Client("http://127.0.0.1:1", "token").reset()

    def test_under_exec(self) -> None:
        from .shop import FILES, SETTINGS
        from .site import Site

        script = (
            "from sanerunner.integration import Client\n"
            "import sys\n"
            "print(Client().create('order')['number'], 'django.conf' in sys.modules)\n"
        )
        site = Site(self, SETTINGS, **{**FILES, "spec.py": script})
        ran = site.execute("python spec.py")
        self.assertEqual((ran.returncode, ran.stdout), (0, "3 False\n"), ran.output)


class OfferedTest(unittest.TestCase):
    """What is wrong with the project's own offers is told at the start."""

    def test_messages(self) -> None:
        from .shop import FILES, SETTINGS
        from .site import Site

        for key, path, message in (
            ("FACTORIES", "shop.nothing.F", "cannot import 'shop.nothing.F'"),
            ("FACTORIES", "shop.models.Order", "'shop.models.Order' is no factory"),
            ("FACTORIES", "shop.factories.AbstractFactory", "is an abstract factory"),
            ("SCENARIOS", "shop.models.Order", "'shop.models.Order' is no function"),
        ):
            with self.subTest(path):
                settings = f"SANERUNNER['INTEGRATION'][{key!r}] = {{'x': {path!r}}}\n"
                ran = Site(self, SETTINGS + settings, **FILES).execute("echo never")
                self.assertEqual(ran.returncode, 2, ran.output)
                self.assertIn(f"[\"{key}\"]: 'x'", ran.stderr)
                self.assertIn(message, ran.stderr)
                self.assertNotIn("never", ran.stdout)
                self.assertNotIn("Traceback", ran.stderr)
