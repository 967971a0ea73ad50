from decimal import Decimal

from sanerunner import UnitTestCase

from plants.pricing import price_of


class PriceTest(UnitTestCase):
    def test_few(self):
        self.assert_equal(price_of(Decimal(3), 9), 27)

    def test_many_cost_less(self):
        self.assert_equal(price_of(Decimal(3), 10), 27)
