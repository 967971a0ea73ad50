from decimal import Decimal

from sanerunner import UnitTestCase

from orders.pricing import delivery_charge, unit_price


class UnitPriceTest(UnitTestCase):
    def test_less_than_a_tray_costs_the_list_price(self):
        self.assert_equal(unit_price(Decimal("3.90"), 9), Decimal("3.90"))

    def test_a_tray_is_cheaper(self):
        self.assert_equal(unit_price(Decimal("3.90"), 10), Decimal("3.51"))

    def test_is_in_whole_cents(self):
        self.assert_equal(unit_price(Decimal("2.25"), 10), Decimal("2.03"))


class DeliveryChargeTest(UnitTestCase):
    def test_is_free_from_fifty_euros(self):
        for goods, charge in [("0.01", "4.90"), ("49.99", "4.90"), ("50", "0"), ("80", "0")]:
            with self.subTest(goods=goods):
                self.assert_equal(delivery_charge(Decimal(goods)), Decimal(charge))
