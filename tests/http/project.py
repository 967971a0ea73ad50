"""An inner project with pages, for tests that talk to its live server."""

from __future__ import annotations

import textwrap
import unittest
from typing import Any

from ..support.projects import InnerProject, inner_project

SETTINGS = """
ROOT_URLCONF = "app.urls"
STATIC_URL = "static/"
INSTALLED_APPS += ["django.contrib.sessions", "django.contrib.staticfiles"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
"""

URLS = """
from django.http import HttpResponse, HttpResponseServerError
from django.urls import path
from app import views

urlpatterns = [
    path("things/", views.things),
    path("add/", views.add),
    path("boom/", views.boom),
    path("me/", views.me),
    path("page/", views.page),
    path("slow/", views.slow),
    path("hang/", views.hang),
]
"""

VIEWS = """
import threading
from django.http import HttpResponse
from app.models import Thing

entered, go_on = threading.Event(), threading.Event()

def things(request):
    things = Thing.objects.using(request.GET.get("from", "default")).order_by("id")
    return HttpResponse(",".join(things.values_list("name", flat=True)))

def add(request):
    Thing.objects.create(name=request.GET.get("name", "new"))
    return HttpResponse("added")

def boom(request):
    raise LookupError("no such tree")

def me(request):
    return HttpResponse(request.user.get_username() or "nobody")

def page(request):
    return HttpResponse(
        '<html><body><div><a href="/things/"><b>things</b></a></div><i>no link</i>'
        '<form action="/add/"><input name="name"><input type="submit"></form></body></html>'
    )

def slow(request):
    "Writes when its test has ended."
    entered.set()
    go_on.wait(60)
    Thing.objects.create(name="too late")
    return HttpResponse("slow")

def hang(request):
    threading.Event().wait(600)
"""

HEADER = """
import threading, unittest
from urllib.error import HTTPError
from urllib.request import urlopen
from django.test import LiveServerTestCase
from sanerunner import HttpTestCase, HTTPServerError
from app import views
from app.models import Thing

def rows():
    return list(Thing.objects.order_by("id").values_list("name", flat=True))

def read(url):
    with urlopen(url, timeout=60) as response:
        return response.read().decode()
"""

FILE_DATABASE = 'DATABASES["default"]["TEST"] = {"NAME": BASE_DIR / "test.sqlite3"}\n'


def http_project(
    test: unittest.TestCase, tests: str, settings: str = FILE_DATABASE, **files: Any
) -> InnerProject:
    """Return a project whose ``app/tests.py`` is HEADER and ``tests``."""
    return inner_project(
        test,
        HEADER + textwrap.dedent(tests),
        SETTINGS + textwrap.dedent(settings),
        **{"app/urls.py": URLS, "app/views.py": VIEWS, **files},
    )
