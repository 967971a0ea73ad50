SECRET_KEY = "tests need no secret"
INSTALLED_APPS = ["sanerunner", "polls"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
USE_TZ = True

TEST_RUNNER = "sanerunner.SaneRunner"
