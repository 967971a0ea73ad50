"""The page with the order form."""

from django.urls import reverse
from sanerunner import DatabaseTestCase

from catalogue.factories import PlantFactory
from orders.models import Customer, Order


class OrderPageTest(DatabaseTestCase):
    flush_django_cache = True

    @classmethod
    def setUpTestData(cls):
        cls.plant = PlantFactory(name="Fern", stock=3)

    def setUp(self):
        self.url = reverse("orders:new", args=[self.plant.sku])
        self.data = {"name": "Rosa", "email": "rosa@customers.example", "quantity": 2}

    def test_shows_the_form(self):
        self.assert_contains(self.client.get(self.url), '<form method="post" id="order">')

    def test_order_leads_to_its_own_page(self):
        response = self.client.post(self.url, self.data, follow=True)
        order = Order.objects.get()
        self.assert_redirects(response, order.get_absolute_url())
        self.assert_contains(response, "Thank you for your order, Rosa")
        self.assert_contains(response, "€13.90")

    def test_too_many(self):
        response = self.client.post(self.url, self.data | {"quantity": 4})
        self.assert_form_error(response.context["form"], "quantity", ["We have only 3 of these."])
        self.assert_false(Order.objects.exists())

    def test_none(self):
        response = self.client.post(self.url, self.data | {"quantity": 0})
        self.assert_equal(list(response.context["form"].errors), ["quantity"])

    def test_customer_is_known_the_second_time(self):
        self.client.post(self.url, self.data | {"quantity": 1})
        self.client.post(self.url, self.data | {"quantity": 1})
        self.assert_equal(Customer.objects.get().orders.count(), 2)

    def test_customer_is_written_to_in_the_language_of_the_page(self):
        self.client.post(self.url, self.data, headers={"accept-language": "cs"})
        self.assert_equal(Customer.objects.get().language, "cs")
