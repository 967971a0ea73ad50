"""One transaction for the whole class: what one test writes, the others see."""

from sanerunner import NonIsolatedDatabaseTestCase

from catalogue.factories import PlantFactory
from reviews.factories import ReviewFactory
from reviews.models import Review


class AverageStarsTest(NonIsolatedDatabaseTestCase):
    @classmethod
    def setUpTestData(cls):
        cls.plant = PlantFactory()
        for stars in (5, 4, 3):
            ReviewFactory(plant=cls.plant, stars=stars)
        ReviewFactory(plant=cls.plant, stars=2, is_published=False)

    def test_counts_only_what_is_published(self):
        self.assert_equal(self.plant.reviews.published().average_stars(), 4.0)

    def test_counts_all_if_asked(self):
        self.assert_equal(self.plant.reviews.average_stars(), 3.5)

    def test_no_reviews_have_no_average(self):
        self.assert_is_none(Review.objects.none().average_stars())


class GrowingTest(NonIsolatedDatabaseTestCase):
    written = 0

    @classmethod
    def setUpTestData(cls):
        cls.plant = PlantFactory()

    def write_one_more(self):
        ReviewFactory(plant=self.plant)
        type(self).written += 1
        self.assert_equal(Review.objects.filter(plant=self.plant).count(), self.written)

    def test_one_review(self):
        self.write_one_more()

    def test_another_review(self):
        self.write_one_more()
