"""What is raised when the server answers with an error."""

from __future__ import annotations

from urllib.error import HTTPError

SERVER_ERROR = 500  # the first status that says so


class HTTPServerError(HTTPError):
    """The live server has answered with a status of 500 or above.

    ``traceback`` is what has gone wrong there, as text, "" if that is not known; it is part of
    the message.
    """

    __module__ = "sanerunner"  # where it is public
    traceback = ""

    def __str__(self) -> str:
        first = f"HTTP Error {self.code}: {self.msg} ({self.url})"
        return f"{first}\n\n{self.traceback}" if self.traceback else first
