"""Databases from the image cache beside migrating, and clones beside Django's:
``python benchmarks/copies.py [--database sqlite|sqlite-file|postgresql|mariadb] [--apps 30]``.

An app has ten models and three migrations, three of the apps a data migration too. Databases are
made in one process, in turn, without baselines; what is timed is all that makes one ready.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
from pathlib import Path

from common import machine, project, table

ROOT = Path(__file__).resolve().parent.parent
CLONES = 4

FIELDS = """("id", models.BigAutoField(primary_key=True)),
    ("name", models.CharField(max_length=100)),
    ("slug", models.CharField(max_length=60, unique=True)),
    ("created", models.DateTimeField(auto_now_add=True)),
    ("note", models.TextField(blank=True)),"""
PARENT = """
    ("parent", models.ForeignKey("{app}.M{n}", models.CASCADE, null=True, related_name="+")),"""
MODEL = """
class M{n}(models.Model):
    name = models.CharField(max_length=100)
    slug = models.CharField(max_length=60, unique=True)
    created = models.DateTimeField(auto_now_add=True)
    note = models.TextField(blank=True)
    {parent}
    class Meta:
        indexes = [models.Index(fields=["name"], name="{app}_{n}")]
"""
MIGRATION = """
TOKEN = {token!r}  # an image that another run has left on a server is not that of this project
from django.db import migrations, models

def fill(apps, schema_editor):
    for n in range(15):
        apps.get_model("{app}", "M0").objects.create(name=str(n), slug=str(n))

class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = [{operations}]
"""

DRIVER = """
import json, os, shutil, statistics, sys, time
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from pathlib import Path
from django.db import connections
from sanerunner.databases.baseline import Baselines
from sanerunner.databases.clones import Clones
from sanerunner.databases.provisioning import Provisioner

CLONES, ROUNDS, IMAGES = int(sys.argv[1]), int(sys.argv[2]), Path("images")
times = {}

def timed(name, call):
    started = time.perf_counter()
    result = call()
    times.setdefault(name, []).append(time.perf_counter() - started)
    return result

def made(name, cache=None, prepare=lambda: None):
    provisioner = Provisioner(verbosity=0, interactive=False, image_cache=cache)
    with provisioner.guarded():
        prepare()
        timed(name, lambda: provisioner.require({"default": False}))

def forget_on_server():
    if connections["default"].vendor == "postgresql":
        with connections["default"]._nodb_cursor() as cursor:
            for image in IMAGES.iterdir():
                digest = image.name.partition("-")[2].partition(".")[0]
                cursor.execute(f'DROP DATABASE IF EXISTS "sane_image_{digest[:40]}"')

def cloned():
    baselines = Baselines()
    provisioner = Provisioner(verbosity=0, interactive=False, baselines=baselines,
                              image_cache=IMAGES)
    with provisioner.guarded():
        layout = provisioner.require({"default": False})
        creation = connections["default"].creation
        ours = Clones(guard=provisioner.guard, baselines=baselines, verbosity=0)
        for _ in range(ROUNDS):
            timed("clones", lambda: ours.ensure(layout.databases, range(1, CLONES + 1)))
            ours.destroy()
            if connections["default"].settings_dict["NAME"].startswith("file:"):
                continue
            def djangos():
                for number in range(1, CLONES + 1):
                    creation.clone_test_db(str(number), verbosity=0)
            with provisioner.guard.admitting("default"):
                baselines._operations["default"].close()
                timed("Django's clones", djangos)
                for number in range(1, CLONES + 1):
                    creation.destroy_test_db(suffix=str(number), verbosity=0)
                baselines._operations["default"].open()
                baselines._operations["default"].resume("migrated")

made("", IMAGES)
for _ in range(ROUNDS):
    made("migrated")
    if connections["default"].vendor == "postgresql":
        made("image on the server", IMAGES)
        made("image file", IMAGES, forget_on_server)
    else:
        made("image file", IMAGES)
cloned()
forget_on_server()
del times[""]
print(json.dumps({name: statistics.median(values) for name, values in times.items()}))
"""


def sources(apps: int) -> dict[str, str]:
    found, token = {}, secrets.token_hex(8)
    for number in range(apps):
        app = f"a{number:02}"
        models = [
            MODEL.format(
                app=app,
                n=n,
                parent=f'parent = models.ForeignKey("M{n - 1}", models.CASCADE, null=True, '
                'related_name="+")'
                if n
                else "",
            )
            for n in range(10)
        ]
        found[f"{app}/__init__.py"] = found[f"{app}/migrations/__init__.py"] = ""
        found[f"{app}/models.py"] = "from django.db import models\n" + "".join(models)
        creations = [
            f'migrations.CreateModel("M{n}", ['
            f"{FIELDS}{PARENT.format(app=app, n=n - 1) if n else ''}])"
            for n in range(10)
        ]
        indexes = [
            f'migrations.AddIndex("M{n}", models.Index(fields=["name"], name="{app}_{n}"))'
            for n in range(10)
        ]
        steps = [creations[:5], creations[5:], indexes]
        steps += [["migrations.RunPython(fill)"]] if number < 3 else []
        for step, operations in enumerate(steps, start=1):
            found[f"{app}/migrations/000{step}_step.py"] = MIGRATION.format(
                app=app,
                token=token,
                dependencies=[(app, f"000{step - 1}_step")] if step > 1 else [],
                operations=", ".join(operations),
            )
    return found


def settings(database: str, apps: int, name: str) -> str:
    sys.path.insert(0, str(ROOT))
    if database == "sqlite":
        entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": "real.sqlite3"}
    elif database == "sqlite-file":
        test = {"NAME": "test.sqlite3"}
        entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": "real.sqlite3", "TEST": test}
    else:
        module = __import__(f"tests.settings.{database}", fromlist=["DATABASES"])
        entry = {**module.DATABASES["default"], "NAME": name}
    labels = [f"a{number:02}" for number in range(apps)]
    return "\n".join(
        (
            'SECRET_KEY = "benchmark"',
            "USE_TZ = True",
            'INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth",'
            f' "sanerunner", *{labels!r}]',
            f"DATABASES = {{'default': {entry!r}}}",
            'DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"',
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--apps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--name", default="sanerunner_copies")
    options = parser.parse_args()
    files = {
        **sources(options.apps),
        "settings.py": settings(options.database, options.apps, options.name),
        "driver.py": DRIVER,
    }
    with project(files) as folder:
        completed = subprocess.run(
            [sys.executable, "driver.py", str(CLONES), str(options.rounds)],
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/local/bin:/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )
    if completed.returncode:
        raise SystemExit(completed.stdout + completed.stderr)
    medians = json.loads(completed.stdout)
    print(f"{machine()}; {options.database}, {options.apps * 10} models\n")
    clones = {name: value for name, value in medians.items() if "clones" in name}
    made = {name: value for name, value in medians.items() if name not in clones}
    print(table("database", made, "migrated", "ms"))
    if "Django's clones" in clones:
        print(table(f"{CLONES} clones", clones, "Django's clones", "ms"))
    else:
        print(table(f"{CLONES} clones", clones, "clones", "ms"))


if __name__ == "__main__":
    main()
