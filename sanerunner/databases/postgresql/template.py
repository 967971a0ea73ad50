"""A copy of the database, from which it is made anew when a test has changed the schema."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from ..vendors import name_of
from .session import INSUFFICIENT_PRIVILEGE, close_django, sqlstate

_SUFFIX = "_sane_template"
_MAX_BYTES = 63
COMMENT = "sanerunner template "

# What CREATE DATABASE does not take over from its template, as (setting, value, statement).
# A statement that ends in FROM CURRENT needs set_config() first: so lists stay lists.
_ATTRIBUTES = """
WITH d AS (SELECT oid, datdba, datacl, %s AS datname FROM pg_database WHERE datname = %s)
SELECT NULL, NULL, format('REVOKE ALL ON DATABASE %%I FROM PUBLIC, %%I', datname,
                          pg_get_userbyid(datdba)) FROM d WHERE datacl IS NOT NULL
UNION ALL
SELECT NULL, NULL, format('GRANT %%s ON DATABASE %%I TO %%s%%s', privilege_type, datname,
  CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
  CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
 FROM d, aclexplode(datacl)
UNION ALL
SELECT split_part(e, '=', 1), substr(e, strpos(e, '=') + 1),
  CASE setrole WHEN 0 THEN format('ALTER DATABASE %%I', datname)
  ELSE format('ALTER ROLE %%I IN DATABASE %%I', pg_get_userbyid(setrole), datname) END
  || format(' SET %%I FROM CURRENT', split_part(e, '=', 1))
 FROM d JOIN pg_db_role_setting s ON s.setdatabase = d.oid, unnest(setconfig) AS e
UNION ALL
SELECT NULL, NULL, format('COMMENT ON DATABASE %%I IS %%L', datname, c)
 FROM d, shobj_description(d.oid, 'pg_database') AS c WHERE c IS NOT NULL
UNION ALL
SELECT NULL, NULL, format('ALTER DATABASE %%I OWNER TO %%I', datname, pg_get_userbyid(datdba))
 FROM d WHERE pg_get_userbyid(datdba) <> current_user"""


@dataclass(frozen=True)
class Template:
    """A database by its name, and the token that tells whether it is still the one meant."""

    name: str
    token: str

    def as_dict(self) -> Mapping[str, str]:
        return {"name": self.name, "token": self.token}


def template_name(database: str, number: int) -> str:
    """Return the name of a template of ``database``, numbered from 0."""
    suffix = f"{_SUFFIX}_{number}" if number else _SUFFIX
    encoded = database.encode()
    if len(encoded) + len(suffix) <= _MAX_BYTES:
        return database + suffix
    digest = hashlib.md5(encoded).hexdigest()[:12]
    kept = encoded[: _MAX_BYTES - len(suffix) - 13].decode(errors="ignore")
    return f"{kept}_{digest}{suffix}"


class Templates:
    """Makes, uses and drops templates of the database of ``wrapper``."""

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self._wrapper = wrapper
        self._made: list[str] = []

    @property
    def _database(self) -> str:
        return str(name_of(self._wrapper))

    def plan(self) -> Template:
        """Return the next template, not made yet."""
        return Template(template_name(self._database, len(self._made)), uuid.uuid4().hex)

    def make(self, template: Template) -> bool:
        """Copy the database; every session to it is ended first. False without the privilege."""
        close_django(self._wrapper)
        source, target = self._quoted(self._database), self._quoted(template.name)
        with self._admin() as cursor:
            cursor.execute(
                "SELECT count(*) FILTER (WHERE NOT rolcreatedb AND NOT rolsuper) FROM pg_roles"
                " WHERE rolname = current_user"
            )
            if cursor.fetchone()[0]:
                return False
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
                " WHERE datname = %s AND backend_type = 'client backend'",
                [self._database],
            )
            cursor.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
            try:
                cursor.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
            except DatabaseError as error:
                if sqlstate(error) == INSUFFICIENT_PRIVILEGE:
                    return False
                raise
            cursor.execute(f"COMMENT ON DATABASE {target} IS %s", [COMMENT + template.token])
        self._made.append(template.name)
        return True

    def exists(self, template: Template) -> bool:
        with self._admin() as cursor:
            cursor.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s"
                " AND shobj_description(oid, 'pg_database') = %s",
                [template.name, COMMENT + template.token],
            )
            return cursor.fetchone() is not None

    def restore(self, template: Template) -> None:
        """Make the database anew; every session to it is ended."""
        close_django(self._wrapper)
        target, source = self._quoted(self._database), self._quoted(template.name)
        with self._admin() as cursor:
            attributes = read_attributes(cursor, self._database, self._database)
            cursor.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
            apply_attributes(cursor, attributes)

    def drop(self) -> None:
        """Drop all templates of this database, of this run and of earlier ones."""
        with self._admin() as cursor:
            names = {*self._made, template_name(self._database, 0)}
            for name in sorted(names):
                cursor.execute(f"DROP DATABASE IF EXISTS {self._quoted(name)} WITH (FORCE)")
        self._made.clear()

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        wrapper: Any = self._wrapper
        with wrapper._nodb_cursor() as cursor:
            cursor.connection.autocommit = True  # with AUTOCOMMIT off, too
            yield cursor

    def _quoted(self, name: str) -> str:
        return self._wrapper.ops.quote_name(name)


def read_attributes(cursor: Any, source: str, target: str) -> list[Any]:
    """Return what gives the database ``target`` the attributes that ``source`` has now."""
    cursor.execute(_ATTRIBUTES, [target, source])
    rows: list[Any] = cursor.fetchall()
    return rows


def apply_attributes(cursor: Any, attributes: list[Any]) -> None:
    for setting, value, statement in attributes:
        if setting is not None:
            cursor.execute("SELECT set_config(%s, %s, false)", [setting, value])
        cursor.execute(statement)


def copy_attributes(cursor: Any, source: str, target: str, *, comment: bool = True) -> None:
    """Give ``target`` what CREATE DATABASE does not take over: rights, settings, the comment."""
    attributes = read_attributes(cursor, source, target)
    kept = [each for each in attributes if comment or not each[2].startswith("COMMENT ")]
    apply_attributes(cursor, kept)
