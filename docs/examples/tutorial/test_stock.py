from sanerunner import DatabaseTestCase

from plants.models import Plant


class StockTest(DatabaseTestCase):
    @classmethod
    def setUpTestData(cls):
        cls.mint = Plant.objects.create(name="Mint", stock=20)

    def test_what_is_sold_is_gone(self):
        self.mint.sell(3)
        self.mint.refresh_from_db()
        self.assert_equal(self.mint.stock, 17)

    def test_starts_with_the_stock_of_the_class(self):
        self.assert_equal(Plant.objects.get().stock, 20)
