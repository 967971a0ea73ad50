"""Keeps the garbage collector from looking at what a run needs until its end (``FREEZE_GC``)."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Almost all that is made in this block stays: nothing is collected in it, and what is there
    at its end is not looked at before ``release()``, be it garbage, of which imports leave little.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.unregister(gc.freeze)
        atexit.register(gc.freeze)  # what is there when the process ends need not be looked at
        if enabled:
            gc.enable()


def release() -> None:
    """Let the collector look at everything again."""
    gc.unfreeze()
