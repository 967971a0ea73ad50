"""Orders from two customers at once; and a plain unittest class with a live server."""

import unittest
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import urlopen

from sanerunner import HttpTestCase

from catalogue.factories import PlantFactory
from orders.models import Order


class LastPlantTest(HttpTestCase):
    multi_db = True

    @classmethod
    def setUpTestData(cls):
        cls.fern = PlantFactory(sku="last-fern", name="Fern", stock=1)

    def order(self, name):
        """Fill in the order form; return the path of the page that follows."""
        import httpx

        with httpx.Client(base_url=self.live_server_url, follow_redirects=True) as customer:
            customer.get("/order/new/last-fern/")
            token = customer.cookies["csrftoken"]
            data = {"name": name, "email": f"{name}@customers.example", "quantity": 1}
            page = customer.post(
                "/order/new/last-fern/", data=data | {"csrfmiddlewaretoken": token}
            )
            return page.url.path

    def test_only_one_of_two_gets_it(self):
        self.http.get("/")  # skips the test where httpx is missing
        with ThreadPoolExecutor(2) as pool:
            paths = list(pool.map(self.order, ["rosa", "hana"]))
        self.fern.refresh_from_db()
        self.assert_equal(self.fern.stock, 0)
        [order] = Order.objects.all()
        self.assert_equal(
            sorted(paths), sorted([order.get_absolute_url(), "/order/new/last-fern/"])
        )


class PlainTest(unittest.TestCase):
    start_live_server = True

    def test_home(self):
        with urlopen(self.url("/")) as page:
            self.assertIn("The nursery", page.read().decode())

    def test_not_found(self):
        with self.assertRaises(HTTPError) as caught:
            urlopen(f"{self.live_server_url}/plants/weed/")
        caught.exception.close()
        self.assertEqual(caught.exception.code, 404)
