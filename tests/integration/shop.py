"""A shop with factories and scenarios, for the control API."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Mapping
from contextlib import closing
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from sanerunner.integration import Client

from .site import Running, Site, variables_of

SETTINGS = """
INSTALLED_APPS += ["shop", "store"]
ROOT_URLCONF = "shop.urls"
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
OTHER = {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "other.sqlite3"}
SANERUNNER["INTEGRATION"] = {
    "POPULATE": ["shop.factories.OrderFactory:3", "shop.factories.UserFactory"],
    "FACTORIES": {"thing": "app.factories.ThingFactory"},
    "SCENARIOS": {"sale": "shop.scenarios.big_sale"},
}
"""
MODELS = """
from django.db import models

class Customer(models.Model):
    name = models.CharField(max_length=50, unique=True)

class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    number = models.IntegerField(unique=True)
    total = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    placed = models.DateTimeField(null=True)
    colour = models.CharField(max_length=10, default="")
    paid = models.BooleanField(default=False)

class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE)
    text = models.CharField(max_length=50)
"""
FACTORIES = """
import factory
from django.contrib.auth import get_user_model
from django.core import mail
from .models import Customer, Line, Order

class CustomerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Customer
    name = factory.Sequence(lambda n: f"customer {n}")

class OrderFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Order
    class Params:
        settled = factory.Trait(paid=True, total=100)
    customer = factory.SubFactory(CustomerFactory)
    number = factory.Sequence(lambda n: n)
    colour = factory.Iterator(["red", "green", "blue"])

class OrderLineFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Line
    order = factory.SubFactory(OrderFactory)
    text = factory.Faker("word")

class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = get_user_model()
    username = factory.Sequence(lambda n: f"user{n}")

class BrokenFactory(CustomerFactory):
    @factory.post_generation
    def fail(obj, create, extracted, **kwargs):
        mail.send_mail("broken", "", "from@example.com", ["to@example.com"])
        raise ValueError("the factory is broken")

class AbstractFactory(CustomerFactory):
    class Meta:
        abstract = True
"""
SCENARIOS = """
from django.db import connections, transaction
from .factories import CustomerFactory, OrderFactory
from .models import Customer

def big_sale(customer, orders: int = 2):
    found = CustomerFactory(name=customer)
    return {"customer": found, "numbers": [o.number for o in OrderFactory.create_batch(
        orders, customer=found)]}

def everywhere(name, fails=False):
    for alias in connections:
        Customer.objects.using(alias).create(name=name)
    if fails:
        raise ValueError("at last")

def hooked(fails=False):
    def hook():
        CustomerFactory(name="hooked")
        if fails:
            raise ValueError("the hook is wrong")
    transaction.on_commit(hook)
    return transaction.get_connection().in_atomic_block

def _private():
    pass
"""
URLS = """
import json
from django.contrib.auth.models import User
from django.core import mail
from django.core.cache import cache
from django.db import connections, transaction
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from shop.factories import OrderFactory
from shop.models import Customer, Line, Order

def orders(request):
    rows = Order.objects.order_by("pk").values_list("number", "customer__name", "colour")
    return JsonResponse([list(row) for row in rows], safe=False)

def customers(request):
    rows = Customer.objects.using(request.GET.get("alias", "default")).order_by("pk")
    return JsonResponse(list(rows.values_list("name", flat=True)), safe=False)

def buy(request):
    with transaction.atomic():
        count = Order.objects.count()
        customer = Customer.objects.create(name=request.GET["name"])
        order = Order.objects.create(customer=customer, number=-customer.pk, total=count)
        Line.objects.create(order=order, text="bought")
    return HttpResponse("bought")

def remember(request):
    cache.set("key", request.GET["value"], None)
    mail.EmailMultiAlternatives(
        "A subject", "The text", "from@example.com", ["to@example.com"],
        alternatives=[("<p>The text</p>", "text/html")],
        attachments=[("bill.txt", "to pay", "text/plain")],
    ).send()
    return HttpResponse("remembered")

def remembered(request):
    return HttpResponse(str(cache.get("key")))

def me(request):
    return HttpResponse(request.user.username or "nobody")

def now(request):
    return HttpResponse(timezone.now().isoformat())

urlpatterns = [
    path("orders/", orders), path("customers/", customers), path("buy/", buy), path("me/", me),
    path("remember/", remember), path("remembered/", remembered), path("now/", now),
]
"""
FILES = {
    "shop/__init__.py": "",
    "shop/models.py": MODELS,
    "shop/factories.py": FACTORIES,
    "shop/scenarios.py": SCENARIOS,
    "shop/urls.py": URLS,
    "store/__init__.py": "",
    # A second app with factories of the same name.
    "store/factories.py": """
        from shop.factories import CustomerFactory as Base
        class CustomerFactory(Base):
            name = "of the store"
    """,
}


class Answer(NamedTuple):
    status: int
    headers: Message  # names are found in any case
    text: str


class Shop:
    """An integration server of the shop, with a client of its control API."""

    def __init__(self, running: Running, values: Mapping[str, str]) -> None:
        self.running = running
        self.url = values["SANE_BASE_URL"]
        self.token = values["SANE_CONTROL_TOKEN"]
        self.port = urlsplit(self.url).port
        self.client = Client(self.url, self.token)

    def get(self, path: str, cookie: str = "") -> str:
        """Return what is at ``path``, which has to be there."""
        answer = self.send("GET", path, headers={"Cookie": cookie} if cookie else {})
        if answer.status != 200:
            raise AssertionError(f"{path}: {answer}")
        return answer.text

    def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request with these headers, and no others of significance."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answer(answer.status, answer.headers, text)

    def headers(self, **changes: str | None) -> dict[str, str]:
        """Return those of a good request; "_" in a name stands for "-", None leaves one out."""
        headers: dict[str, str | None] = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
        }
        headers.update((name.replace("_", "-"), value) for name, value in changes.items())
        return {name: value for name, value in headers.items() if value is not None}


def open_shop(
    add_cleanup: Callable[..., Any], *arguments: str, settings: str = "", **files: str
) -> Shop:
    """Start the server of a shop; ``add_cleanup`` is a test's, or a class's."""
    test = cast(unittest.TestCase, SimpleNamespace(addCleanup=add_cleanup))
    site = Site(test, SETTINGS + settings, **{**FILES, **files})
    ready = Path(site.project.folder) / "ready.env"
    running = site.start("0", "--ready-file", str(ready), *arguments).wait_until_ready()
    return Shop(running, variables_of(ready.read_text()))
