"""Copies of PostgreSQL databases: clones and images on the server, and dumps in files."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from ..copies import Copies, ImageError, ServerImages
from ..vendors import name_of
from .schema import SCHEMA
from .session import INSUFFICIENT_PRIVILEGE, close_django, sqlstate
from .template import Templates, copy_attributes

_PREFIX = "sane_image_"
_COMMENT = "sanerunner image "
_DUPLICATE = "42P04"
_OBJECT_IN_USE = "55006"

#: From this size on (or where the server syncs nothing) files are copied, and not their pages
#: written to the log: faster then, slower for small databases, as it makes two checkpoints.
_LARGE = 256 * 1024 * 1024
_STRATEGIES = 150000  # the first version of the server that has them


class PostgreSQLCopies(Copies):
    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        self.server_images = PostgreSQLImages(connection)
        self._strategy = ""

    @contextmanager
    def cloning(self) -> Iterator[Callable[[str], None]]:
        end_sessions(self.connection)
        self._strategy = self._choose_strategy()
        yield self.clone

    def clone(self, name: str) -> None:
        """Make the clone. OIDs and the age of rows are those of the database, so what is known
        of its states holds in the clone as well.
        """
        clone = self.connection.copy()
        clone.settings_dict["NAME"] = name
        Templates(clone).drop()  # those of a clone that had the name
        source, target = self._quoted(str(name_of(self.connection))), self._quoted(name)
        with admin(self.connection) as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {target} TEMPLATE {source}{self._strategy}")
            copy_attributes(cursor, str(name_of(self.connection)), name)

    def _choose_strategy(self) -> str:
        with admin(self.connection) as cursor:
            cursor.execute(
                "SELECT current_setting('server_version_num')::int, pg_database_size(%s),"
                " current_setting('fsync')",
                [name_of(self.connection)],
            )
            version, size, fsync = cursor.fetchone()
        if version < _STRATEGIES:
            return ""
        return " STRATEGY FILE_COPY" if size >= _LARGE or fsync == "off" else " STRATEGY WAL_LOG"

    def write_image(self, path: Path) -> None:
        own = f"--exclude-schema={SCHEMA}"  # which counts in transactions of this server
        self._run("pg_dump", "--format=custom", "--compress=1", own, f"--file={path}")

    def load_image(self, path: Path) -> None:
        # Django may have made the database from a template that has objects of its own.
        options = ("--clean", "--if-exists", "--exit-on-error", "--single-transaction")
        self._run("pg_restore", *options, str(path))
        close_django(self.connection)

    def _run(self, program: str, *arguments: str) -> None:
        """Run a client of PostgreSQL's on the database. Raises ImageError."""
        found = shutil.which(program)
        if found is None:
            raise ImageError(f"{program} is not installed (package postgresql-client)")
        client: Any = self.connection.client
        settings_dict = {**self.connection.settings_dict, "NAME": name_of(self.connection)}
        (_, *options, database), environment = client.settings_to_cmd_args_env(settings_dict, [])
        role = self.connection.settings_dict["OPTIONS"].get("assume_role")
        completed = subprocess.run(
            [
                *(found, *options, f"--dbname={database}", *arguments),
                *([f"--role={role}"] if role else []),
            ],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if completed.returncode:
            lines = completed.stderr.strip().splitlines() or [f"exit {completed.returncode}"]
            raise ImageError(lines[0])

    def _quoted(self, name: str) -> str:
        return self.connection.ops.quote_name(name)


class PostgreSQLImages(ServerImages):
    """Databases named ``sane_image_…``; a comment marks them as ours and says when one was used
    last. Nobody may connect to them.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection

    def find(self, digest: str) -> str | None:
        with admin(self._connection) as cursor:
            about = _about(cursor, _name(digest))
            if about is None or about.get("digest") != digest:
                return None
            used = datetime.fromisoformat(about["used"])
            if _now() - used > timedelta(hours=1):
                self._note_use(cursor, _name(digest), digest)
        return _name(digest)

    @contextmanager
    def used_as_template(self, name: str) -> Iterator[None]:
        test_settings: dict[str, Any] = self._connection.settings_dict["TEST"]
        before = {key: test_settings[key] for key in ("TEMPLATE",) if key in test_settings}
        test_settings["TEMPLATE"] = name
        try:
            yield
        finally:
            del test_settings["TEMPLATE"]
            test_settings.update(before)

    def finish(self, name: str) -> None:
        with admin(self._connection) as cursor:
            copy_attributes(cursor, name, str(name_of(self._connection)), comment=False)

    def store(self, digest: str) -> bool:
        source = str(name_of(self._connection))
        making = f"{_PREFIX}new_{secrets.token_hex(8)}"
        end_sessions(self._connection)
        with admin(self._connection) as cursor:
            if _about(cursor, _name(digest)) is not None:
                return True
            target = self._quoted(making)
            try:
                cursor.execute(f"CREATE DATABASE {target} TEMPLATE {self._quoted(source)}")
            except DatabaseError as error:
                if sqlstate(error) == INSUFFICIENT_PRIVILEGE:
                    return False
                raise
            try:
                self._note_use(cursor, making, digest)
                copy_attributes(cursor, source, making, comment=False)
                cursor.execute(f"ALTER DATABASE {target} ALLOW_CONNECTIONS false")
                cursor.execute(f"ALTER DATABASE {target} RENAME TO {self._quoted(_name(digest))}")
            except BaseException as error:
                cursor.execute(f"DROP DATABASE {target}")
                if isinstance(error, DatabaseError) and sqlstate(error) == _DUPLICATE:
                    return _about(cursor, _name(digest)) is not None  # another run was faster
                raise
        return True

    def prune(self, *, newest: int, days: int) -> None:
        with admin(self._connection) as cursor:
            cursor.execute(
                "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database"
                " WHERE starts_with(datname, %s) AND pg_has_role(datdba, 'USAGE')",
                [_PREFIX],
            )
            found = [(name, _parse(comment)) for name, comment in cursor.fetchall()]
            ours = [(about["used"], name) for name, about in found if about is not None]
            ours.sort(reverse=True)
            oldest = (_now() - timedelta(days=days)).isoformat()
            for number, (used, name) in enumerate(ours):
                if number >= newest or used < oldest:
                    self._drop(cursor, name)

    def _drop(self, cursor: Any, name: str) -> None:
        """Drop an image, unless a run makes a database of it right now."""
        try:
            cursor.execute(f"DROP DATABASE IF EXISTS {self._quoted(name)}")
        except DatabaseError as error:
            if sqlstate(error) != _OBJECT_IN_USE:
                raise

    def _note_use(self, cursor: Any, name: str, digest: str) -> None:
        about = json.dumps({"digest": digest, "used": _now().isoformat()})
        cursor.execute(f"COMMENT ON DATABASE {self._quoted(name)} IS %s", [f"{_COMMENT}{about}"])

    def _quoted(self, name: str) -> str:
        return self._connection.ops.quote_name(name)


def admin(connection: BaseDatabaseWrapper) -> Any:
    """Return a context manager that gives a cursor in another database of the server."""
    wrapper: Any = connection
    return wrapper._nodb_cursor()


def end_sessions(connection: BaseDatabaseWrapper) -> None:
    """End every session to the database: it can be copied only when there is none."""
    close_django(connection)
    with admin(connection) as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend'"
            " AND pid <> pg_backend_pid()",
            [str(name_of(connection))],
        )


def _name(digest: str) -> str:
    return _PREFIX + digest[:40]


def _about(cursor: Any, name: str) -> dict[str, str] | None:
    """Return what the comment says of an image; None if there is none, or it is not ours."""
    cursor.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
    )
    row = cursor.fetchone()
    return _parse(row[0]) if row else None


def _parse(comment: str | None) -> dict[str, str] | None:
    if comment is None or not comment.startswith(_COMMENT):
        return None
    try:
        about: dict[str, str] = json.loads(comment.removeprefix(_COMMENT))
        datetime.fromisoformat(about["used"])
    except (ValueError, KeyError, TypeError):
        return None
    return about


def _now() -> datetime:
    return datetime.now(timezone.utc)
