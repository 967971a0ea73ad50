"""Database tests: what a test writes is rolled back after it."""

from django.db import IntegrityError
from django.db.models import ProtectedError
from sanerunner import DatabaseTestCase

from catalogue.factories import CategoryFactory, PlantFactory
from catalogue.models import Plant


class PlantTest(DatabaseTestCase):
    @classmethod
    def setUpTestData(cls):
        cls.category = CategoryFactory()
        cls.plenty = PlantFactory(category=cls.category, stock=30, reorder_at=5)
        cls.few = PlantFactory(category=cls.category, stock=5, reorder_at=5)
        cls.none = PlantFactory(category=cls.category, sold_out=True)

    def test_in_stock(self):
        self.assert_count_equal(self.category.plants.in_stock(), [self.plenty, self.few])

    def test_to_reorder(self):
        self.assert_count_equal(self.category.plants.to_reorder(), [self.few, self.none])

    def test_sku_is_unique(self):
        with self.assert_raises(IntegrityError), self.transaction.atomic():
            PlantFactory(sku=self.plenty.sku)
        self.assert_equal(Plant.objects.filter(sku=self.plenty.sku).count(), 1)

    def test_nothing_is_free(self):
        with self.assert_raises(IntegrityError), self.transaction.atomic():
            PlantFactory(price=0)

    def test_category_with_plants_cannot_be_deleted(self):
        with self.assert_raises(ProtectedError):
            self.category.delete()

    def test_class_data_may_be_changed_by_a_test(self):
        self.plenty.delete()
        self.assert_equal(self.category.plants.count(), 2)

    def test_class_data_is_whole_again_for_the_next_test(self):
        self.assert_equal(self.category.plants.count(), 3)
