"""Which of Django's own tests are run."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

# 8,100 tests; both sides together take 2 to 3 minutes on two cores with SQLite. Left out are
# labels that wait (most of cache), start many processes (admin_scripts), hash passwords at
# length (auth_tests.test_hashers), repeat others (most of admin_views), or leave something
# behind that shows in another order (test_runner.test_debug_sql: force_debug_cursor).
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
    template_tests test_client test_client_regress
    test_runner.test_discover_runner test_runner.test_parallel
    test_runner.test_shuffler test_runner.tests test_utils
    transaction_hooks transactions update view_tests
"""

# 1,700 tests, of which many commit: for servers, where rewinding is another matter for each.
COMMITTING = """
    backends delete fixtures fixtures_regress migrations multiple_database select_for_update
    servers test_utils transaction_hooks transactions
"""

# Tests that fail in every way, added to Django's own, which hardly ever fail. They run in a
# process of their own, since some leave Django's app registry spoiled.
ZOO = "verdict_zoo"

MINIMA = {"ci": 3_000, "committing": 1_000, "full": 10_000}

# Not modules of tests, as runtests.py says; gis_tests needs a spatial database.
NO_MODULES = {"gis_tests", "import_error_package", "test_runner_apps", ZOO}

# Where SaneRunner is meant to differ; such a difference is printed, but does not count.
DELIBERATE = {
    "test_runner.tests.ManageCommandTests.test_durations_lt_py312": (
        "Deliberate: --durations works on every Python, not only from 3.12 on"
    ),
}

# Tests that measure seconds: on a busy machine their verdict when run alone counts.
TIMED = {"serializers.test_deserialization.TestDeserializer.test_crafted_xml_performance"}


class UnknownLabel(Exception):
    """A label that names none of Django's test modules."""


def add_zoo(tests: Path) -> None:
    """Put the tests of ``zoo/`` beside Django's, as a package with test modules."""
    target = tests / ZOO
    target.mkdir(exist_ok=True)
    (target / "__init__.py").touch()
    for source in (Path(__file__).parent / "zoo").glob("*.py"):
        shutil.copyfile(source, target / f"test_{source.name}")


def modules(tests: Path) -> list[str]:
    """All of Django's own test modules."""
    names = {path.parent.name for path in tests.glob("*/__init__.py")}
    return sorted(names - NO_MODULES)


def subset_labels(name: str, tests: Path) -> list[str]:
    """The labels of a subset that this Django has."""
    known = modules(tests)
    if name == "full":
        return known
    chosen = CI if name == "ci" else COMMITTING
    return [label for label in chosen.split() if label.partition(".")[0] in known]


def check_labels(labels: list[str], tests: Path) -> None:
    """Raise UnknownLabel for the first label that names no module of Django's tests."""
    known = [*modules(tests), ZOO]
    for label in labels:
        name = label.partition(".")[0]
        if name not in known:
            matches = difflib.get_close_matches(name, known, n=3)
            hint = f"; close to it: {', '.join(matches)}" if matches else ""
            raise UnknownLabel(f"Django's tests have no module {name!r}{hint}.")
