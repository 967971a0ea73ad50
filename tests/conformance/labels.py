"""Which of Django's own tests are run."""

from __future__ import annotations

import difflib
from pathlib import Path

CI = """
    admin_views.test_actions admin_views.test_adminsite
    admin_views.test_autocomplete_view admin_views.test_forms
    admin_views.test_history_view admin_views.test_multidb
    admin_views.test_nav_sidebar admin_views.test_templatetags
    admin_views.tests.AdminViewPermissionsTest
    admin_views.tests.AdminViewDeletedObjectsTest
    aggregation
    auth_tests.test_admin_multidb auth_tests.test_auth_backends
    auth_tests.test_context_processors auth_tests.test_decorators
    auth_tests.test_forms auth_tests.test_management
    auth_tests.test_migrations auth_tests.test_mixins
    auth_tests.test_models auth_tests.test_remote_user
    auth_tests.test_signals auth_tests.test_tokens
    backends basic bulk_create
    cache.tests.CacheHEADTest cache.tests.CacheUtils
    cache.tests.CreateCacheTableForDBCacheTests
    contenttypes_tests db_functions delete delete_regress
    expressions file_storage fixtures fixtures_regress forms_tests
    get_or_create i18n introspection lookup mail many_to_many
    messages_tests migrate_signals migration_test_data_persistence
    migrations.test_commands migrations.test_executor
    migrations.test_loader migrations.test_state
    model_forms multiple_database proxy_models queries
    select_for_update
    serializers servers
    sessions_tests.tests.CookieSessionTests
    sessions_tests.tests.DatabaseSessionTests
    sessions_tests.tests.SessionMiddlewareTests
    settings_tests signals sites_tests swappable_models
    template_tests test_client test_client_regress test_runner
    test_utils transaction_hooks transactions update view_tests
"""

# No labels: runtests.py takes every module it has.
FULL = ""

SUBSETS = {"ci": (CI, 3_000), "full": (FULL, 10_000)}


class UnknownLabel(Exception):
    """A label that names none of Django's test modules."""


def subset_labels(name: str, tests: Path) -> tuple[list[str], int]:
    """The labels of a subset that this Django has, and how many tests they must hold at least."""
    text, minimum = SUBSETS[name]
    return [label for label in text.split() if (tests / label.partition(".")[0]).is_dir()], minimum


def check_labels(labels: list[str], tests: Path) -> None:
    """Raise UnknownLabel for the first label that names no module of Django's tests."""
    known = sorted(path.parent.name for path in tests.glob("*/__init__.py"))
    for label in labels:
        name = label.partition(".")[0]
        if name not in known:
            matches = difflib.get_close_matches(name, known, n=3)
            hint = f"; close to it: {', '.join(matches)}" if matches else ""
            raise UnknownLabel(f"Django's tests have no module {name!r}{hint}.")
