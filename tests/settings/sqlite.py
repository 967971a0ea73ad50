from .base import *  # noqa: F403

DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "not-a-test-database.sqlite3"},
    "replica": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "not-a-test-database.sqlite3",
        "TEST": {"MIRROR": "default"},
    },
    "audit": {"ENGINE": "django.db.backends.sqlite3", "NAME": "not-a-test-audit.sqlite3"},
}
