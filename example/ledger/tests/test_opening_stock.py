"""Rows of data migrations in two databases, one of which was made from the other."""

from sanerunner import NoCleanupDatabaseTestCase

from catalogue.models import Plant
from ledger.models import Movement
from ledger.reports import stock_differences


class OpeningStockTest(NoCleanupDatabaseTestCase):
    multi_db = True

    def test_ledger_began_with_all_plants_of_the_shop(self):
        opening = Movement.objects.filter(reason=Movement.Reason.OPENING)
        self.assert_count_equal(
            opening.values_list("sku", "quantity"), Plant.objects.values_list("sku", "stock")
        )

    def test_shop_and_ledger_agree(self):
        self.assert_equal(stock_differences(), [])
