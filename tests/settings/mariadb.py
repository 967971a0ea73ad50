import os

from .base import *  # noqa: F403

_NAME = os.environ.get("SANERUNNER_TEST_NAME", "sanerunner")
_SERVER = {
    "ENGINE": "django.db.backends.mysql",
    "HOST": os.environ.get("MARIADB_HOST", "127.0.0.1"),
    "PORT": os.environ.get("MARIADB_PORT", "3306"),
    "USER": os.environ.get("MARIADB_USER", "root"),
    "PASSWORD": os.environ.get("MARIADB_PASSWORD", ""),
    "OPTIONS": {"charset": "utf8mb4"},
}
DATABASES = {
    "default": {**_SERVER, "NAME": _NAME},
    "replica": {**_SERVER, "NAME": _NAME, "TEST": {"MIRROR": "default"}},
    "audit": {**_SERVER, "NAME": f"{_NAME}_audit"},
}
