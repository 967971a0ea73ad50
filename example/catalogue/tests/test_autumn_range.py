"""``fixtures`` are loaded for the class and gone after it."""

from sanerunner import DatabaseTestCase

from catalogue.models import Category, Plant


class AutumnRangeTest(DatabaseTestCase):
    fixtures = ["autumn_range"]

    def test_has_bulbs(self):
        names = Plant.objects.filter(category__slug="bulbs").values_list("name", flat=True)
        self.assert_equal(list(names), ["Autumn crocus", "Saffron"])

    def test_joins_the_first_range(self):
        self.assert_equal(Category.objects.count(), 4)

    def test_saffron_is_nearly_gone(self):
        bulbs = Plant.objects.filter(category__slug="bulbs")
        self.assert_equal([plant.sku for plant in bulbs.to_reorder()], ["bulb-saffron"])
