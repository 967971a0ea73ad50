import os

from .base import *  # noqa: F403

_SERVER = {
    "ENGINE": "django.db.backends.postgresql",
    "HOST": os.environ.get("POSTGRES_HOST", "127.0.0.1"),
    "PORT": os.environ.get("POSTGRES_PORT", "5432"),
    "USER": os.environ.get("POSTGRES_USER", "postgres"),
    "PASSWORD": os.environ.get("POSTGRES_PASSWORD", ""),
}
DATABASES = {
    "default": {**_SERVER, "NAME": "sanerunner"},
    "replica": {**_SERVER, "NAME": "sanerunner", "TEST": {"MIRROR": "default"}},
    "audit": {**_SERVER, "NAME": "sanerunner_audit"},
}
