"""Destructive tests: these commit, and the databases are put back after each of them."""

from django.core import mail
from sanerunner import DestructiveDatabaseTestCase

from catalogue.factories import PlantFactory
from catalogue.models import Category
from ledger.models import Movement
from orders.factories import CustomerFactory
from orders.models import Order
from orders.services import cancel_order, place_order


class CommitTest(DestructiveDatabaseTestCase):
    multi_db = True

    def setUp(self):
        self.customer = CustomerFactory(name="Rosa", email="rosa@customers.example")
        self.fern = PlantFactory(sku="fern", name="Fern", stock=12)

    def movements(self):
        return list(Movement.objects.filter(sku="fern").values_list("quantity", "reason"))

    def test_order_is_confirmed_by_mail(self):
        place_order(self.customer, {"fern": 2})
        [message] = mail.outbox
        self.assert_equal(message.subject, "Your order from the nursery")
        self.assert_equal(message.to, ["rosa@customers.example"])
        self.assert_in("2 × Fern  €9.00", message.body)
        self.assert_in("Total: €13.90", message.body)

    def test_mail_is_in_the_language_of_the_customer(self):
        place_order(CustomerFactory(language="cs"), {"fern": 2})
        [message] = mail.outbox
        self.assert_equal(message.subject, "Vaše objednávka ze zahradnictví")
        self.assert_in("Celkem: 13,90", message.body)

    def test_order_and_return_are_written_to_the_ledger(self):
        order = place_order(self.customer, {"fern": 2})
        self.assert_equal(self.movements(), [(-2, "sale")])
        cancel_order(order)
        self.assert_equal(self.movements(), [(-2, "sale"), (2, "return")])

    def test_what_is_rolled_back_is_neither_mailed_nor_recorded(self):
        with self.transaction.atomic():
            place_order(self.customer, {"fern": 2})
            self.transaction.set_rollback(True)
        self.assert_equal((mail.outbox, self.movements()), ([], []))


class PutBackTest(DestructiveDatabaseTestCase):
    """Whichever of these two runs first, the other finds the rows of the data migrations."""

    multi_db = True

    def setUp(self):
        self.assert_equal(Category.objects.count(), 3)
        self.assert_equal(Movement.objects.count(), 7)
        self.assert_equal(Order.objects.count(), 0)

    def test_after_an_order_was_committed(self):
        place_order(CustomerFactory(), {"herb-thyme": 1})
        self.assert_equal(Movement.objects.count(), 8)

    def test_after_the_ledger_was_emptied(self):
        Movement.objects.all().delete()
        self.assert_false(Movement.objects.exists())
