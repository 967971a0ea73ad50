"""The live servers to choose from; each is imported when it is chosen."""

from __future__ import annotations

from importlib import import_module

from ..exceptions import ServerError, unknown
from .base import LiveServer

#: Name -> the class, and the extra of sanerunner that installs what it needs.
SERVERS: dict[str, tuple[str, str]] = {
    "wsgi": ("wsgi.ThreadedServer", ""),
    "cheroot": ("cheroot.CherootServer", "cheroot"),
    "asgi": ("asgi.UvicornServer", "asgi"),
}


def server_class(name: str) -> type[LiveServer]:
    """Return the class of the server ``name``.

    Raises ServerError for a name that is not known, and where a package is not installed.
    """
    if name not in SERVERS:
        raise ServerError(f"{unknown('live server', name, SERVERS)}.")
    path, extra = SERVERS[name]
    module_name, _, class_name = path.partition(".")
    try:
        module = import_module(f".{module_name}", __package__)
    except ImportError as error:
        if not extra or (error.name or "").startswith("sanerunner"):
            raise
        raise ServerError(
            f"The live server {name!r} needs {error.name}: pip install sanerunner[{extra}]"
        ) from error
    found: type[LiveServer] = getattr(module, class_name)
    return found
