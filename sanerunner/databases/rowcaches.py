"""What Django remembers of rows, beside the database."""

from __future__ import annotations

from django.apps import apps

from .operations import Rewound


def clear_row_caches(rewound: Rewound) -> None:
    """Forget what Django remembers of rows that have just been put back."""
    if apps.is_installed("django.contrib.contenttypes"):
        from django.contrib.contenttypes.models import ContentType

        if rewound.rebuilt or ContentType._meta.db_table in rewound.tables:
            ContentType.objects.clear_cache()
    if apps.is_installed("django.contrib.sites"):
        from django.contrib.sites.models import Site

        if rewound.rebuilt or Site._meta.db_table in rewound.tables:
            Site.objects.clear_cache()
