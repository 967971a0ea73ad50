"""The shop's databases, for each vendor that the example runs on.

``default`` holds the shop. ``replica`` is a copy of it for heavy reading. ``ledger`` is a
database of its own: the record of all stock that ever came or went.
"""

import os

ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgresql": "django.db.backends.postgresql",
    "mariadb": "django.db.backends.mysql",
}
USERS = {"postgresql": "postgres", "mariadb": "root"}


def databases(vendor, base_dir):
    """Return Django's DATABASES for "sqlite", "postgresql" or "mariadb"."""
    if vendor not in ENGINES:
        known = ", ".join(ENGINES)
        raise SystemExit(f"EXAMPLE_DATABASE={vendor} is not known; choose one of: {known}")
    return {
        "default": connection(vendor, "nursery", base_dir),
        "replica": {
            **connection(vendor, "nursery", base_dir),
            # Nothing copies rows to a replica during tests. This makes it another name for
            # the default database, so that it shows what a test has just written.
            "TEST": {"MIRROR": "default"},
        },
        "ledger": {
            **connection(vendor, "nursery_ledger", base_dir),
            # The ledger's first migration of data reads the shop's plants.
            "TEST": {"DEPENDENCIES": ["default"]},
        },
    }


def connection(vendor, name, base_dir):
    if vendor == "sqlite":
        return {"ENGINE": ENGINES[vendor], "NAME": base_dir / f"{name}.sqlite3"}
    return {
        "ENGINE": ENGINES[vendor],
        "NAME": name,
        "HOST": os.environ.get("EXAMPLE_DATABASE_HOST", "127.0.0.1"),
        "PORT": os.environ.get("EXAMPLE_DATABASE_PORT", ""),
        "USER": os.environ.get("EXAMPLE_DATABASE_USER", USERS[vendor]),
        "PASSWORD": os.environ.get("EXAMPLE_DATABASE_PASSWORD", ""),
    }
