"""Tests that were written for Django's own runner run as they are."""

from django.core import mail
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from catalogue.factories import PlantFactory
from orders.factories import CustomerFactory, OrderFactory, OrderLineFactory
from orders.forms import OrderForm
from orders.models import Order
from orders.services import place_order


class OrderFormTests(SimpleTestCase):
    def test_email_is_checked(self):
        form = OrderForm({"name": "Rosa", "email": "rosa", "quantity": 1})
        self.assertEqual(list(form.errors), ["email"])


class OrderTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.order = OrderFactory()

    def test_lines_add_up(self):
        OrderLineFactory(order=self.order, quantity=3)
        OrderLineFactory(order=self.order, quantity=1)
        self.assertEqual(str(self.order.goods_total), "18.00")

    def test_mail_is_sent_when_the_callbacks_run(self):
        plant = PlantFactory()
        with self.captureOnCommitCallbacks() as callbacks:
            order = place_order(CustomerFactory(), {plant.sku: 1})
        self.assertEqual(len(callbacks), 2)
        send_confirmation = callbacks[-1]
        send_confirmation()
        self.assertIn(order.customer.email, mail.outbox[0].to)


class OrderTransactionTests(TransactionTestCase):
    databases = {"default", "ledger"}

    def test_order_is_committed(self):
        plant = PlantFactory()
        place_order(CustomerFactory(), {plant.sku: 1})
        self.assertEqual(Order.objects.count(), 1)
        self.assertEqual(len(mail.outbox), 1)
