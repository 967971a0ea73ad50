import os

from .base import *  # noqa: F403

_NAME = os.environ.get("SANERUNNER_TEST_NAME", "sanerunner")
_SERVER = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ.get("POSTGRES_HOST", "127.0.0.1"),
    "PORT": os.environ.get("POSTGRES_PORT", "5432"),
    "USER": os.environ.get("POSTGRES_USER", "postgres"),
    "PASSWORD": os.environ.get("POSTGRES_PASSWORD", ""),
}
DATABASES = {
    "default": {**_SERVER, "NAME": _NAME},
    "replica": {**_SERVER, "NAME": _NAME, "TEST": {"MIRROR": "default"}},
    "audit": {**_SERVER, "NAME": f"{_NAME}_audit"},
}
