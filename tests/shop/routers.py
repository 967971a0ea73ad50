from typing import Any

from django.db import models


class AuditRouter:
    """Sends ``Entry`` to the database "audit", and everything else away from it."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return "audit" if model.__name__ == "Entry" else None

    db_for_write = db_for_read

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        if app_label == "shop" and model_name is not None:
            return (db == "audit") == (model_name == "entry")
        return None
