"""The second database alone: ``databases``, as Django documents it."""

from django.db import connections
from sanerunner import DatabaseTestCase

from ledger.factories import MovementFactory
from ledger.models import Movement


class MovementTest(DatabaseTestCase):
    databases = {"ledger"}

    def test_balance_is_what_came_less_what_went(self):
        MovementFactory(sku="fern", quantity=12)
        MovementFactory(sku="fern", quantity=-5, reason=Movement.Reason.SALE)
        MovementFactory(sku="moss", quantity=3)
        balances = Movement.objects.filter(sku__in=["fern", "moss"]).balances()
        self.assert_equal(balances, {"fern": 7, "moss": 3})

    def test_is_written_to_the_ledger(self):
        self.assert_equal(MovementFactory()._state.db, "ledger")

    def test_the_ledger_has_no_tables_of_the_shop(self):
        tables = connections["ledger"].introspection.table_names()
        self.assert_in("ledger_movement", tables)
        self.assert_not_in("catalogue_plant", tables)
