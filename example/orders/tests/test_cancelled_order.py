"""One committed story, told once for the class; each test looks at another side of it."""

from sanerunner import NonIsolatedDestructiveDatabaseTestCase

from catalogue.factories import PlantFactory
from ledger.models import Movement
from orders.factories import CustomerFactory
from orders.models import Order
from orders.services import cancel_order, place_order


class CancelledOrderTest(NonIsolatedDestructiveDatabaseTestCase):
    multi_db = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plant = PlantFactory(sku="bonsai", stock=3)
        cls.order = place_order(CustomerFactory(), {"bonsai": 2})
        cancel_order(cls.order)

    def test_order_is_cancelled(self):
        self.assert_equal(Order.objects.get(pk=self.order.pk).status, Order.Status.CANCELLED)

    def test_plants_are_back_on_the_shelf(self):
        self.plant.refresh_from_db()
        self.assert_equal(self.plant.stock, 3)

    def test_ledger_has_both_movements(self):
        movements = Movement.objects.filter(reference=str(self.order.reference))
        self.assert_equal([movement.quantity for movement in movements], [-2, 2])
