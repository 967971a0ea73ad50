"""The rows that the data migration inserted. Tests that only read need no clean-up."""

from decimal import Decimal

from sanerunner import NoCleanupDatabaseTestCase

from catalogue.models import Category, Plant


class FirstRangeTest(NoCleanupDatabaseTestCase):
    def test_categories(self):
        names = Category.objects.values_list("name", flat=True)
        self.assert_equal(list(names), ["Flowers", "Herbs", "Vegetables"])

    def test_every_plant_has_a_supplier_who_can_be_reached(self):
        emails = set(Plant.objects.values_list("supplier__email", flat=True))
        self.assert_equal(emails, {"sales@greenfield.example"})

    def test_thyme(self):
        thyme = Plant.objects.get(sku="herb-thyme")
        self.assert_equal(
            (thyme.category.slug, thyme.price, thyme.stock), ("herbs", Decimal("3.90"), 40)
        )
