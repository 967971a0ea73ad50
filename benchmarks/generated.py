"""A generated project: ten models an app, with migrations, some of which write rows.

300 models are 30 apps with 93 migration files: two that make models and one that alters them
for each app, and a data migration for each of the first three. Django's own apps are there as
well, as in most projects.
"""

from __future__ import annotations

MODELS_PER_APP = 10
DATA_MIGRATIONS = 3
ROWS = 20  # of each data migration, in Model5 of its app

CONTRIB = ("admin", "auth", "contenttypes", "sessions", "messages", "sites")

_CONTRIB_SETTINGS = """
SITE_ID = 1
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
"""
_FIELDS = {
    "name": "models.CharField(max_length=100)",
    "slug": "models.CharField(max_length=60, unique=True)",
    "value": "models.IntegerField(default=0)",
    "note": "models.TextField(blank=True, default='')",
    "created": "models.DateTimeField(auto_now_add=True)",
    "active": "models.BooleanField(default=True)",
}
_ID = "models.BigAutoField(auto_created=True, primary_key=True, serialize=False)"
_ALTERED = "models.CharField(max_length=120)"

_MIGRATION = """from django.db import migrations, models
{before}
class Migration(migrations.Migration):
    initial = {initial}
    dependencies = {dependencies}
    operations = [
{operations}
    ]
"""
_WRITE = f"""
def write(apps, schema_editor):
    model = apps.get_model("{{app}}", "Model5")
    for number in range({ROWS}):
        model.objects.create(name="baseline", slug=f"baseline-{{{{number}}}}", value=number)

"""


def apps_of(models: int) -> list[str]:
    """Return the names of the apps of a project with so many models."""
    if models % MODELS_PER_APP:
        raise SystemExit(f"{models} models: a multiple of {MODELS_PER_APP} is needed.")
    return [f"a{number}" for number in range(models // MODELS_PER_APP)]


def installed(models: int) -> str:
    """Return what installs the apps, to be added to the settings."""
    contrib = [f"django.contrib.{name}" for name in CONTRIB]
    return f"{_CONTRIB_SETTINGS}INSTALLED_APPS = {[*contrib, 'app', *apps_of(models)]!r}\n"


def sources(models: int) -> dict[str, str]:
    """Return path -> source of the apps."""
    files = {}
    for number, app in enumerate(apps_of(models)):
        files[f"{app}/__init__.py"] = files[f"{app}/migrations/__init__.py"] = ""
        files[f"{app}/models.py"] = _models(app)
        files[f"{app}/migrations/0001_first.py"] = _creation(app, range(5), "")
        files[f"{app}/migrations/0002_second.py"] = _creation(app, range(5, 10), "0001_first")
        files[f"{app}/migrations/0003_altered.py"] = _alteration(app)
        if number < DATA_MIGRATIONS:
            files[f"{app}/migrations/0004_rows.py"] = _data(app)
    return files


def _fields(app: str, model: int) -> dict[str, str]:
    fields = dict(_FIELDS)
    if model:
        target = f"{app}.Model{model - 1}"
        fields["parent"] = f"models.ForeignKey({target!r}, models.CASCADE, null=True)"
    return fields


def _models(app: str) -> str:
    lines = ["from django.db import models"]
    for model in range(MODELS_PER_APP):
        fields = {**_fields(app, model), "name": _ALTERED}
        lines += ["", "", f"class Model{model}(models.Model):"]
        lines += [f"    {name} = {field}" for name, field in fields.items()]
        lines += ["", "    class Meta:", f"        indexes = [{_index(app, model)}]"]
    return "\n".join(lines) + "\n"


def _index(app: str, model: int) -> str:
    return f"models.Index(fields=['value'], name='{app}_{model}_value')"


def _creation(app: str, models: range, after: str) -> str:
    operations = []
    for model in models:
        fields = {"id": _ID, **_fields(app, model)}
        pairs = ", ".join(f"({name!r}, {field})" for name, field in fields.items())
        operations.append(f"migrations.CreateModel('Model{model}', [{pairs}])")
    return _migration([(app, after)] if after else [], operations)


def _alteration(app: str) -> str:
    operations = []
    for model in range(MODELS_PER_APP):
        operations.append(f"migrations.AddIndex('Model{model}', {_index(app, model)})")
        operations.append(f"migrations.AlterField('Model{model}', 'name', {_ALTERED})")
    return _migration([(app, "0002_second")], operations)


def _data(app: str) -> str:
    operations = ["migrations.RunPython(write, migrations.RunPython.noop)"]
    return _migration([(app, "0003_altered")], operations, _WRITE.format(app=app))


def _migration(
    dependencies: list[tuple[str, str]], operations: list[str], before: str = ""
) -> str:
    return _MIGRATION.format(
        before=before,
        initial=not dependencies,
        dependencies=dependencies,
        operations="\n".join(f"        {operation}," for operation in operations),
    )
