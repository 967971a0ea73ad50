"""Resets and checkpoints of a running integration server, on every vendor."""

from __future__ import annotations

import json
import unittest
from typing import Any

from ..support.services import require_mariadb, require_postgresql
from .site import Site

# Runs a server in its own process, as the command does, with what a test asks of it.
DRIVE = """
import os, sys, json, threading, urllib.error, urllib.request
from dataclasses import replace
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.core import mail
from django.core.cache import cache
from django.db import connection
from sanerunner import conf
from sanerunner.exceptions import UsageError
from sanerunner.integration.runtime import Integration, Wanted
from app.factories import NamedFactory
from app.models import Thing

def get(path):
    with urllib.request.urlopen(integration.url + path, timeout=60) as answer:
        return json.loads(answer.read())

def add(*names):
    for name in names:
        try:
            get(f"/add/?name={name}")
        except ValueError:
            pass

def last_pk():
    return list(Thing.objects.order_by("pk").values_list("pk", flat=True))[-1]

config = replace(conf.load({}), database_suffix="integration")
wanted = Wanted(
    populate=["app.factories.ThingFactory:2"],
    interactive=False,
    verbosity=0,
    server=os.environ.get("KIND", "wsgi"),
)
if "KEEP" in os.environ:  # as --reload does
    config = replace(config, keepdb=True)
integration = Integration(config, wanted)
told = {}
with integration.running():
    exec(sys.argv[1])
if len(sys.argv) > 2:
    kept = json.loads(json.dumps(kept))
    integration = Integration(config, replace(wanted, kept=kept))
    with integration.running():
        exec(sys.argv[2])
print(json.dumps(told))
"""
RESETS = """
told["first"] = get("/things/")
add("new"); told["pk"] = last_pk()
get("/send/"); cache.set("key", 1)
Thing.objects.filter(name="thing 0").delete()
told["changed"] = get("/things/")
drawn = NamedFactory.build().name
integration.reset()
told["after"] = get("/things/")
told["mail"], told["cache"] = len(mail.outbox), cache.get("key")
told["drawn again"] = NamedFactory.build().name == drawn
add("new"); told["pk again"] = last_pk() == told["pk"]
told["counts"] = integration.state()["counts"]["default"]["app.Thing"]
told["aliases"] = integration.state()["aliases"]
"""
CHECKPOINTS = """
add("a"); integration.checkpoint("with a")
add("b"); integration.checkpoint("with b")
integration.reset(); told["reset"] = get("/things/")
integration.rollback("with b"); told["b"] = get("/things/")
integration.rollback("with a"); told["a"] = get("/things/")
told["names"] = integration.checkpoints
try:
    integration.rollback("with c")
except UsageError as error:
    told["error"] = str(error)
told["still"] = get("/things/")
"""
# Requests of several clients while others put the database back, through the main thread.
TRAFFIC = """
failures = []
pending = threading.Semaphore(0)

def client(number):
    try:
        for index in range(25):
            add(f"{number}-{index}")
            assert len(get("/things/")) >= 2
    except Exception as error:
        failures.append(repr(error))
    finally:
        pending.release()

def reset():
    try:
        for _ in range(25):
            integration.reset()
    except Exception as error:
        failures.append(repr(error))
    finally:
        pending.release()

threads = [threading.Thread(target=client, args=[number]) for number in range(8)]
threads.append(threading.Thread(target=reset))

def wait():
    for _ in threads:
        pending.acquire()
    integration.loop.stop()

for thread in [*threads, threading.Thread(target=wait)]:
    thread.start()
integration.loop.run()
integration.loop = type(integration.loop)()  # the next one
integration.reset()
told["failures"], told["left"] = failures, get("/things/")
integration.loop.close()
"""
# What is done in the block: requests wait, and the block may use all of it again.
EXCLUSIVE = """
from sanerunner.servers.holding import Hold
answers, held, wait = [], threading.Event(), Hold.wait

def tell(hold, ticket):
    held.set()
    return wait(hold, ticket)

Hold.wait = tell

def ask():
    answers.append(get("/things/"))

with integration.exclusive():
    thread = threading.Thread(target=ask)
    thread.start()
    told["held"] = held.wait(60)
    Thing.objects.create(name="inside")
    integration.checkpoint("inside")
    integration.run(lambda: integration.rollback("inside"))
    told["before"] = list(answers)
thread.join()
told["after"] = answers
"""


# A process that ends for a change of the code, and the next one.
LEAVE = """
add("a"); integration.checkpoint("with a")
add("b"); told["drawn"] = NamedFactory.build().name
kept = integration.keep()
"""
CONTINUE = """
told["found"] = get("/things/")
told["drawn on"] = NamedFactory.build().name
integration.rollback("with a"); told["a"] = get("/things/")
integration.reset(); told["reset"] = get("/things/")
told["drawn again"] = NamedFactory.build().name
"""


class StatesContract:
    """What holds on every vendor; ``settings`` are those of the site."""

    settings = ""

    def drive(self, *sources: str, **environment: str) -> dict[str, Any]:
        site = Site(self, self.settings, **{"drive.py": DRIVE})  # type: ignore[arg-type]
        ran = site.project.python(
            "drive.py", *sources, environment={**site.environment, **environment}
        )
        assert ran.returncode == 0, ran.output
        assert site.files() == []
        told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        return told

    def test_a_reset(self: Any) -> None:
        told = self.drive(RESETS)
        self.assertEqual(told["first"], ["thing 0", "thing 1"])
        self.assertEqual(told["changed"], ["thing 1", "new"])
        self.assertEqual(told["after"], told["first"])
        self.assertEqual((told["mail"], told["cache"]), (0, None))
        self.assertTrue(told["drawn again"])
        self.assertTrue(told["pk again"])
        self.assertEqual((told["counts"], told["aliases"]), (3, ["default"]))

    def test_checkpoints(self: Any) -> None:
        told = self.drive(CHECKPOINTS)
        populated = ["thing 0", "thing 1"]
        self.assertEqual(told["reset"], populated)
        self.assertEqual(told["b"], [*populated, "a", "b"])
        self.assertEqual(told["a"], [*populated, "a"])
        self.assertEqual(told["names"], ["populated", "with a", "with b"])
        self.assertIn("unknown checkpoint 'with c'", told["error"])
        self.assertEqual(told["still"], told["a"])

    def test_another_process_goes_on(self: Any) -> None:
        told = self.drive(LEAVE, CONTINUE, KEEP="1")
        populated = ["thing 0", "thing 1"]
        self.assertEqual(told["found"], [*populated, "a", "b"])
        self.assertEqual(told["a"], [*populated, "a"])
        self.assertEqual(told["reset"], populated)
        self.assertNotEqual(told["drawn on"], told["drawn"])
        self.assertEqual(told["drawn again"], told["drawn"])

    def test_requests_are_neither_refused_nor_seen_half(self: Any) -> None:
        for kind in ("wsgi", "asgi"):
            with self.subTest(kind):
                told = self.drive(TRAFFIC, KIND=kind)
                self.assertEqual(told["failures"], [])
                self.assertEqual(told["left"], ["thing 0", "thing 1"])


class SQLiteStatesTest(StatesContract, unittest.TestCase):
    def test_requests_wait_for_the_end_of_a_block(self) -> None:
        told = self.drive(EXCLUSIVE)
        self.assertEqual((told["held"], told["before"]), (True, []))
        self.assertEqual(told["after"], [["thing 0", "thing 1", "inside"]])


class PostgreSQLStatesTest(StatesContract, unittest.TestCase):
    def setUp(self) -> None:
        self.settings = f"DATABASES = {{'default': {require_postgresql(self, 'states')!r}}}"


class MariaDBStatesTest(StatesContract, unittest.TestCase):
    def setUp(self) -> None:
        self.settings = f"DATABASES = {{'default': {require_mariadb(self, 'states')!r}}}"
