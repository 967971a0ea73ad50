"""The image cache: databases as migrations have left them, kept by fingerprint.

A database whose fingerprint has been built before is loaded, not migrated. Images are files in
a folder, which a CI server can keep between runs, and on servers that can copy a database also
databases beside it, which are faster. The cache never asks anything, and nothing in it can make
a run fail: what cannot be used or stored is told in one line.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..exceptions import DatabaseConfigurationError
from .copies import Copies, ImageError, ServerImages
from .digests import digest_of
from .imagefiles import ImageFile, image_file, prune
from .operations import operations_for
from .vendors import in_memory

NEWEST = 20  # images that are kept, in a folder and on a server
DAYS = 30  # for which an image is kept that is not used


class ImageCache:
    """Images in ``folder``. ``log`` takes the lines for the user, each once."""

    def __init__(self, folder: Path, *, log: Callable[[str], None]) -> None:
        self._folder = folder
        self._log = log
        self._told: set[str] = set()
        self._seen: set[tuple[str, str]] = set()  # what was found to be there, and whole
        self._loaded = False
        self._not_on_server: set[str] = set()  # digests of which only a file was loaded

    def has_all(self, wanted: Iterable[tuple[BaseDatabaseWrapper, str]]) -> bool:
        """Whether there is an image that can be used of each database, given with its digest.

        If one has to be migrated all have to be, as its migrations may write to the others.
        """
        return all(self._has(connection, digest) for connection, digest in wanted)

    def _has(self, connection: BaseDatabaseWrapper, digest: str) -> bool:
        if (connection.vendor, digest) in self._seen:
            return True
        copies = _copies(connection)
        if copies is None:
            return False
        found = copies.server_images is not None and bool(
            self._find_on_server(copies.server_images, digest)
        )
        if not found:
            file = self._file(connection, digest)
            try:
                found = file.check()
            except (ImageError, OSError) as error:
                self._tell_unused(file, error)
        if found:
            self._seen.add((connection.vendor, digest))
        return found

    def load(
        self, connection: BaseDatabaseWrapper, digest: str, *, verbosity: int, autoclobber: bool
    ) -> bool:
        """Make the test database of ``connection`` from the image of ``digest``, which there is.

        It is then as ``create_test_db()`` would leave it, and so is ``connection``. A database
        that has the name is replaced by Django's rules. False if the image cannot be used after
        all; there is no database then. Raises DatabaseConfigurationError in that case if another
        database was loaded already: migrations, which now have to be run, may write to that one.
        """
        copies = _copies(connection)
        assert copies is not None, "else there is no image"
        server = copies.server_images
        if server is not None and (name := self._find_on_server(server, digest)) is not None:
            with server.used_as_template(name):
                _create_empty(connection, verbosity, autoclobber)
            server.finish(name)
        elif not self._load_file(connection, copies, digest, verbosity, autoclobber):
            return False
        elif server is not None:
            self._not_on_server.add(digest)
        connection.ensure_connection()
        self._loaded = True
        return True

    def lacks(self, digest: str) -> bool:
        """Whether an image that was loaded is yet to be stored on the server, too."""
        return digest in self._not_on_server

    def _load_file(
        self,
        connection: BaseDatabaseWrapper,
        copies: Copies,
        digest: str,
        verbosity: int,
        autoclobber: bool,
    ) -> bool:
        file = self._file(connection, digest)
        with tempfile.TemporaryDirectory(prefix="sanerunner-") as folder:
            image = Path(folder) / "image"
            try:
                if not file.read(image):
                    return False
            except (ImageError, OSError) as error:
                self._tell_unused(file, error)
                return False
            _create_empty(connection, verbosity, autoclobber)
            try:
                copies.load_image(image)
            except (ImageError, OSError) as error:
                self._give_up(connection, file, error)
                return False
        self._note_use(file)
        return True

    def _give_up(self, connection: BaseDatabaseWrapper, file: ImageFile, error: Exception) -> None:
        """Leave no database that is half loaded, and no image that cannot be."""
        message = f"Image cache: {file.path} cannot be loaded, and is removed: {_line(error)}."
        file.path.unlink(missing_ok=True)
        creation: Any = connection.creation
        BaseDatabaseWrapper.close(connection)  # SQLite's leaves a database in memory open
        if not in_memory(connection):
            with suppress(FileNotFoundError):  # SQLite may have made none yet
                creation._destroy_test_db(connection.settings_dict["NAME"], 0)
        if self._loaded:
            raise DatabaseConfigurationError(f"{message} Start the run again.")
        self._tell(message)

    def store(self, connection: BaseDatabaseWrapper, digest: str) -> None:
        """Keep the database of ``connection``, which has just been migrated, for ``digest``.

        One that was loaded from a file is stored on the server only.
        """
        copies = _copies(connection)
        if copies is None:
            self._tell(f"Image cache: there are no images of {connection.vendor} databases.")
            return
        if digest not in self._not_on_server:
            self._store_file(connection, copies, digest)
        if copies.server_images is not None:
            self._store_on_server(copies.server_images, digest)
        connection.ensure_connection()

    def _store_file(self, connection: BaseDatabaseWrapper, copies: Copies, digest: str) -> None:
        with tempfile.TemporaryDirectory(prefix="sanerunner-") as folder:
            image = Path(folder) / "image"
            try:
                copies.write_image(image)
                self._file(connection, digest).write(image)
                prune(self._folder, newest=NEWEST, days=DAYS)
            except (ImageError, OSError) as error:
                self._tell(f"Image cache: no image was stored in {self._folder}: {_line(error)}.")

    def _file(self, connection: BaseDatabaseWrapper, digest: str) -> ImageFile:
        return image_file(self._folder, connection.vendor, digest)

    def _find_on_server(self, server: ServerImages, digest: str) -> str | None:
        try:
            return server.find(digest)
        except DatabaseError as error:
            self._tell(f"Image cache: images on the server are not used: {_line(error)}.")
            return None

    def _store_on_server(self, server: ServerImages, digest: str) -> None:
        try:
            if not server.store(digest):
                self._tell(
                    "Image cache: no image was stored on the server: it does not permit it."
                )
                return
            server.prune(newest=NEWEST, days=DAYS)
        except DatabaseError as error:
            self._tell(f"Image cache: no image was stored on the server: {_line(error)}.")

    def _note_use(self, file: ImageFile) -> None:
        try:
            os.utime(file.path)
        except OSError as error:  # a folder that may be read only: it is not pruned either
            self._tell(f"Image cache: {file.path} cannot be marked as used: {_line(error)}.")

    def _tell_unused(self, file: ImageFile, error: Exception) -> None:
        self._tell(f"Image cache: {file.path} is not used: {_line(error)}.")

    def _tell(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._log(line)


def _copies(connection: BaseDatabaseWrapper) -> Copies | None:
    operations = operations_for(connection)
    return operations.copies() if operations is not None else None


def group_digest(digests: Mapping[str, str], alias: str) -> str:
    """Return what the image of ``alias`` is kept by, from the fingerprints of all databases of
    the run by alias: the migrations of each may write to it.
    """
    if len(digests) == 1:
        return digests[alias]
    return digest_of({"image": alias, **{f"fingerprint {key}": digests[key] for key in digests}})


def creates_as_django(connection: BaseDatabaseWrapper) -> bool:
    """Whether the project's backend makes test databases in Django's way, and no other."""
    creation: Any = type(connection.creation)
    return bool(creation.create_test_db.__module__.startswith("django."))


def _create_empty(connection: BaseDatabaseWrapper, verbosity: int, autoclobber: bool) -> None:
    """Do what ``create_test_db()`` does before it migrates."""
    creation: Any = connection.creation
    name = creation._get_test_db_name()
    if verbosity >= 1:
        display = creation._get_database_display_str(verbosity, name)
        creation.log(f"Creating test database for alias {display}...")
    creation._create_test_db(verbosity, autoclobber, keepdb=False)
    connection.close()
    connections.settings[connection.alias]["NAME"] = name
    connection.settings_dict["NAME"] = name


def _line(error: BaseException) -> str:
    """Return the first line of what an error says, without a full stop."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
