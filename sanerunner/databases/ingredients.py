"""What a test database is built from, each ingredient under a name that a person can read.

Every function yields pairs of a name and a digest, or a plain value where that says more.
Digests stand wherever a value could be a secret; paths are relative to apps, or to the current
folder, so that all checkouts of one state of a project have the same ingredients.
"""

from __future__ import annotations

import glob
import importlib.util
import inspect
import os
import re
import weakref
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.cache.backends.db import BaseDatabaseCache
from django.db import router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.models import Field, Model
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.module_loading import import_string

from .digests import digest_of, digest_of_code, digest_of_file
from .vendors import vendor_of

Ingredients = Iterable[tuple[str, str]]

_SETTINGS = (
    "INSTALLED_APPS",
    "MIGRATION_MODULES",
    "DATABASE_ROUTERS",
    "DEFAULT_AUTO_FIELD",
    "AUTH_USER_MODEL",
    "SITE_ID",
    "USE_TZ",
    "TIME_ZONE",
    "LANGUAGE_CODE",
    "DEFAULT_TABLESPACE",
    "DEFAULT_INDEX_TABLESPACE",
    "TEST_NON_SERIALIZED_APPS",
)
# What says which database is meant, or in which order they are made, but not what is in it.
_UNRELATED_TEST_SETTINGS = {"NAME", "MIRROR", "DEPENDENCIES", "MIGRATE"}
_SECRET = re.compile("pass|secret|token|key", re.IGNORECASE)  # needed to get at a database only
# Next to migrations these are data; others, such as notes and lock files, are not.
_SUFFIXES = {".py", ".sql", ".json", ".jsonl", ".csv", ".xml", ".yaml", ".yml"}
_BYTECODE = ".pyc"
# Of a field, what its column does not depend on, over and above what Django lists.
_BESIDE_COLUMN = {"storage", "upload_to", "path"}  # of files; may be absolute
_IN_COLUMN = {"db_column"}  # which Django lists, since it looks at it apart


def server(connection: BaseDatabaseWrapper) -> Ingredients:
    """Yield the versions of Django and of the server, and what leads from one to the other."""
    yield "Django", django.get_version()
    yield "engine", connection.settings_dict["ENGINE"]
    yield "server", vendor_of(connection).server(connection)
    yield "alias", connection.alias  # routers and data migrations ask for it


def database_settings(connection: BaseDatabaseWrapper) -> Ingredients:
    """Yield the settings of one database that its making depends on, without passwords."""
    options = connection.settings_dict["OPTIONS"]
    unrelated = {*vendor_of(connection).name_options}
    yield from _entries("database option", options, unrelated)
    given = {
        key: value
        for key, value in connection.settings_dict["TEST"].items()
        if value is not None  # which is what Django fills in
    }
    yield from _entries("test setting", given, _UNRELATED_TEST_SETTINGS)
    yield "database TIME_ZONE", digest_of(connection.settings_dict["TIME_ZONE"])


def project_settings() -> Ingredients:
    """Yield Django's settings that the making of a database depends on, and the routers."""
    for name in _SETTINGS:
        yield f"setting {name}", digest_of(getattr(settings, name, None))
    for alias, cache in settings.CACHES.items():
        backend = import_string(cache["BACKEND"])
        if isinstance(backend, type) and issubclass(backend, BaseDatabaseCache):
            yield f'setting CACHES["{alias}"]', digest_of(cache.get("LOCATION"))
    for each in router.routers:
        yield _code(f"router {_qualified_name(type(each))}", type(each))


def receivers() -> Ingredients:
    """Yield the receivers of pre_migrate and post_migrate, by the code of their modules.

    Those of Django are known by its version, and those without a source by their name.
    """
    for signal, name in ((pre_migrate, "pre_migrate"), (post_migrate, "post_migrate")):
        for _, receiver, *_ in signal.receivers:
            function = receiver() if isinstance(receiver, weakref.ReferenceType) else receiver
            if function is None:
                continue
            while isinstance(function, partial):
                function = function.func
            function = inspect.unwrap(function)
            if not hasattr(function, "__qualname__"):  # an object that can be called
                function = type(function)
            yield _code(f"{name} receiver {_qualified_name(function)}", function)


def migrations_of(label: str) -> Ingredients | None:
    """Return the files of an app's migrations; None if it has none, by Django's own rules.

    They are read, not imported. Modules and data beside the migrations count as well.
    """
    module, _ = MigrationLoader.migrations_module(label)
    folders = _folders_of_package(module) if module else None
    return None if folders is None else _migration_files(label, folders)


def models_of(label: str, *, migrated: bool) -> Ingredients:
    """Yield the models of an app, each by what content types and permissions are made of.

    Of an app without migrations Django makes the tables from the models: fields, indexes and
    constraints count as well.
    """
    for model in apps.get_app_config(label).get_models(include_swapped=True):
        description = _description(model)
        if not migrated:
            description.append(_tables(model))
        yield f"model {model._meta.label}", digest_of(description)


def files(patterns: Sequence[str]) -> Ingredients:
    """Yield the files that match, by their paths relative to the current folder.

    A pattern without a match is yielded itself.
    """
    for pattern in patterns:
        found = sorted(
            path
            for path in glob.glob(pattern, recursive=True)
            if os.path.isfile(path) and not path.endswith(_BYTECODE)
        )
        for path in found:
            yield f"file {_relative(path)}", digest_of_file(path)
        if not found:
            yield f"file {_relative(pattern)}", "missing"


def _entries(kind: str, values: dict[str, Any], unrelated: Collection[str]) -> Ingredients:
    for key, value in values.items():
        if key not in unrelated and not _SECRET.search(key):
            yield f"{kind} {key}", digest_of(_without_folders(value))


def _without_folders(value: Any) -> Any:
    """Return ``value`` with only the last part of absolute paths in it: certificates and the
    like lie elsewhere on another machine.
    """
    if isinstance(value, dict):
        return {key: _without_folders(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_folders(each) for each in value]
    if isinstance(value, (str, os.PathLike)) and os.path.isabs(value):
        return os.path.basename(os.fspath(value))
    return value


def _code(name: str, value: Any) -> tuple[str, str]:
    qualified_name = _qualified_name(value)
    if qualified_name.startswith("django."):
        return name, qualified_name
    try:
        path = inspect.getsourcefile(value)
    except TypeError:  # written in C, or in a shell
        path = None
    if path is None or not os.path.isfile(path):
        return name, qualified_name
    return name, digest_of_code(path)


def _qualified_name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _folders_of_package(module: str) -> Sequence[str] | None:
    """Return where a package lies; None for a module, a namespace, and what is not there."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    folders: Any = spec and spec.submodule_search_locations
    if spec is None or folders is None:
        return None
    is_namespace = spec.origin is None and not isinstance(folders, list)
    return None if is_namespace else list(folders)


def _migration_files(label: str, folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for parent, subfolders, names in os.walk(folder):
            subfolders[:] = sorted(name for name in subfolders if name != "__pycache__")
            for name in sorted(names):
                stem, suffix = os.path.splitext(name)
                if suffix not in _SUFFIXES or name.startswith("."):
                    continue
                path = os.path.join(parent, name)
                if parent == folder and suffix == ".py" and stem[0] not in "_~":
                    yield f"migration {label}.{stem}", digest_of_file(path)
                else:
                    relative = Path(path).relative_to(folder).as_posix()
                    yield f"migration file {label}/{relative}", digest_of_file(path)


def _description(model: type[Model]) -> list[Any]:
    meta = model._meta
    return [
        meta.db_table,
        meta.managed,
        meta.proxy,
        meta.swapped,
        meta.verbose_name_raw,
        meta.default_permissions,
        meta.permissions,
        meta.required_db_vendor,
        meta.required_db_features,
    ]


def _tables(model: type[Model]) -> list[Any]:
    meta: Any = model._meta
    return [
        [_column(field) for field in (*meta.local_fields, *meta.local_many_to_many)],
        meta.indexes,
        meta.constraints,
        meta.unique_together,
        meta.db_tablespace,
        meta.db_table_comment,
    ]


def _column(field: Field[Any, Any]) -> list[Any]:
    name, path, arguments, keywords = field.deconstruct()
    unrelated = {*field.non_db_attrs, *_BESIDE_COLUMN} - _IN_COLUMN
    kept = {key: value for key, value in keywords.items() if key not in unrelated}
    return [name, path, arguments, kept]


def _relative(path: str) -> str:
    relative = os.path.relpath(path) if os.path.isabs(path) else os.path.normpath(path)
    return Path(relative).as_posix()
