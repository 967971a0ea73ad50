"""What the settings of all vendors share."""

from __future__ import annotations

SECRET_KEY = "tests"
USE_TZ = True
USE_I18N = True
LANGUAGE_CODE = "en"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "sanerunner",
    "tests.shop",
]
ROOT_URLCONF = "tests.shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASE_ROUTERS = ["tests.shop.routers.AuditRouter"]

TEST_RUNNER = "sanerunner.SaneRunner"
SANERUNNER = {
    "PLUGINS": ["tests.support.plugins.WarningsAreErrors"],
    "VERIFY_REWIND": True,
}
