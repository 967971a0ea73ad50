"""Placing and cancelling orders, inside the transaction of a database test.

Nothing is committed here, so nothing that waits for a commit happens: see test_commit.py.
"""

from decimal import Decimal

from django.core import mail
from sanerunner import DatabaseTestCase

from catalogue.factories import PlantFactory
from orders.factories import CustomerFactory
from orders.models import Order
from orders.services import OutOfStock, cancel_order, place_order


class PlaceOrderTest(DatabaseTestCase):
    @classmethod
    def setUpTestData(cls):
        cls.customer = CustomerFactory()
        cls.fern = PlantFactory(sku="fern", price=Decimal("4.50"), stock=12)
        cls.moss = PlantFactory(sku="moss", price=Decimal("2.00"), stock=1)

    def stock(self):
        for plant in (self.fern, self.moss):
            plant.refresh_from_db()
        return self.fern.stock, self.moss.stock

    def test_takes_the_plants_off_the_shelf(self):
        place_order(self.customer, {"fern": 2, "moss": 1})
        self.assert_equal(self.stock(), (10, 0))

    def test_adds_up(self):
        order = place_order(self.customer, {"fern": 2, "moss": 1})
        self.assert_equal(order.goods_total, Decimal("11.00"))
        self.assert_equal(order.total, Decimal("15.90"))

    def test_keeps_the_price_of_the_day(self):
        order = place_order(self.customer, {"fern": 2})
        self.fern.price = Decimal("9.90")
        self.fern.save()
        self.assert_equal(order.goods_total, Decimal("9.00"))

    def test_all_or_nothing(self):
        with self.assert_raises_regex(OutOfStock, r"2 × Plant \d+ wanted, 1 in stock"):
            place_order(self.customer, {"fern": 2, "moss": 2})
        self.assert_equal(self.stock(), (12, 1))
        self.assert_false(Order.objects.exists())

    def test_nothing_is_mailed_before_the_commit(self):
        place_order(self.customer, {"fern": 1})
        self.assert_equal(mail.outbox, [])

    def test_cancelling_puts_the_plants_back(self):
        cancel_order(place_order(self.customer, {"fern": 2, "moss": 1}))
        self.assert_equal(self.stock(), (12, 1))
        self.assert_equal(Order.objects.get().status, Order.Status.CANCELLED)

    def test_cancelling_twice_does_no_more(self):
        order = place_order(self.customer, {"fern": 2})
        cancel_order(order)
        cancel_order(order)
        self.assert_equal(self.stock(), (12, 1))
