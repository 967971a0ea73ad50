"""The provisioner of a run, made from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..conf import Config
from .baseline import Baselines
from .making import Keeping
from .provisioning import Provisioner


def baselines_for(config: Config, say: Callable[[str], None]) -> Baselines | None:
    """Return what databases are rewound to; None where they are flushed."""
    if config.restore != "rewind" or config.flush_command is not None:
        return None
    return Baselines(verify=config.verify_rewind, watched=config.detects_leaks, say=say)


def provisioner_for(
    config: Config,
    *,
    keepdb: bool,
    created: Callable[[str], None],
    **arguments: Any,
) -> Provisioner:
    """Return a provisioner; ``arguments`` are those of ``Provisioner`` that ``config`` does not
    know. ``created`` is called if the configuration asks for it.
    """
    return Provisioner(
        created=created if config.flush_after_creation else None,
        keeping=Keeping(
            project=config.project,
            keepdb=keepdb,
            create_db=config.create_db,
            fingerprint_files=config.fingerprint_files,
        ),
        suffix=config.database_suffix,
        image_cache=config.image_cache,
        migrate=config.migrate,
        **arguments,
    )
