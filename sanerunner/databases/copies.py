"""What a vendor must be able to do, so that a whole test database can be copied.

Copies are made for two purposes: *clones* on the same server, one for each worker, and *images*,
from which a database is made without migrating. One module for each vendor implements this.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper


class ImageError(Exception):
    """An image cannot be written or loaded; the message says why, and what is needed."""


class ServerImages(abc.ABC):
    """Images that a database server keeps as databases of its own."""

    @abc.abstractmethod
    def find(self, digest: str) -> str | None:
        """Return the name of the image of ``digest``; None if there is none of ours."""

    @abc.abstractmethod
    def used_as_template(self, name: str) -> AbstractContextManager[None]:
        """Make Django create the test database from the image while the block lasts."""

    @abc.abstractmethod
    def finish(self, name: str) -> None:
        """Give the database that was created what a template does not pass on."""

    @abc.abstractmethod
    def store(self, digest: str) -> bool:
        """Keep the database as the image of ``digest``, unless there is one by now.

        Sessions to the database are ended. False if there is none in the end: the role may not
        create databases, or one that is not ours has the name.
        """

    @abc.abstractmethod
    def prune(self, *, newest: int, days: int) -> None:
        """Drop images of ours: all but the ``newest`` used last, and those unused for ``days``."""


class Copies(abc.ABC):
    """Copies the database that ``connection`` names. Holds no session between calls."""

    #: Where images are kept on the server too; None if the vendor has no such thing.
    server_images: ServerImages | None = None

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    @abc.abstractmethod
    def clone(self, name: str) -> None:
        """Make a copy under the NAME ``name``, with all that is kept beside the database.

        What has the name is replaced. To be called inside ``cloning()`` only, by any thread.
        """

    @contextmanager
    def cloning(self) -> Iterator[Callable[[str], None]]:
        """Yield ``clone``; what all clones have in common is done once, before and after.

        Nobody else may use the database meanwhile; where the vendor needs it sessions are ended.
        """
        yield self.clone

    @abc.abstractmethod
    def write_image(self, path: Path) -> None:
        """Write all that the database holds to the file ``path``. Raises ImageError."""

    @abc.abstractmethod
    def load_image(self, path: Path) -> None:
        """Fill the database, which is there and empty, from a file. Raises ImageError."""
