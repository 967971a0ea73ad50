"""Settings of the example: a plant nursery that sells over the web."""

import os
from pathlib import Path

import django
from django.utils.translation import gettext_lazy as _

from .databases import databases

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "an example needs no secret"
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "sanerunner",
    "catalogue",
    "orders",
    "reviews",
    "ledger",
]

# --- Tests ----------------------------------------------------------------------------------

TEST_RUNNER = "sanerunner.SaneRunner"

# Each option of the runner has a key here: its name in upper case. The command line wins.
SANERUNNER = {
    # A JUnit XML report of each run, for the CI server (--junit).
    "JUNIT": BASE_DIR / "reports" / "junit.xml",
    # Cheap tests first; a stage that fails stops the later ones (--stages). This is the default:
    # "STAGES": "unit/database/destructive,http/selenium",
    # Where there is no browser, browser tests are skipped; on the CI server they fail.
    "FORCE_BROWSERS": "ci",
    # What manage.py integrationserver fills its databases with (--populate).
    "INTEGRATION": {
        "POPULATE": [
            "orders.factories.OrderLineFactory:12",
            "reviews.factories.ReviewFactory:5",
            "ledger.scenarios.clerk",
        ],
    },
}

# --- Databases ------------------------------------------------------------------------------

DATABASES = databases(os.environ.get("EXAMPLE_DATABASE", "sqlite"), BASE_DIR)
DATABASE_ROUTERS = ["ledger.router.LedgerRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- The site -------------------------------------------------------------------------------

ROOT_URLCONF = "nursery.urls"
WSGI_APPLICATION = "nursery.wsgi.application"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "nursery" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

STATIC_URL = "static/"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("cs", _("Czech"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Mail is printed to the console. Django 6.1 has a new setting for it and deprecates the old one.
DEFAULT_FROM_EMAIL = "orders@nursery.example"
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
if django.VERSION < (6, 1):
    EMAIL_BACKEND = MAILERS["default"]["BACKEND"]
