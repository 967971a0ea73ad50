"""The pages of the catalogue, through Django's test client."""

from sanerunner import DatabaseTestCase

from catalogue.factories import CategoryFactory, PlantFactory
from reviews.factories import ReviewFactory


class PagesTest(DatabaseTestCase):
    # Each page has the menu, which is cached: a cached menu would outlive the test's categories.
    flush_django_cache = True

    @classmethod
    def setUpTestData(cls):
        cls.category = CategoryFactory(name="Ferns")
        cls.plant = PlantFactory(category=cls.category, name="Maidenhair fern")
        cls.sold_out = PlantFactory(category=cls.category, name="Royal fern", sold_out=True)

    def test_home_shows_what_can_be_bought(self):
        response = self.client.get("/")
        self.assert_contains(response, "Maidenhair fern")
        self.assert_not_contains(response, "Royal fern")

    def test_category_shows_what_is_sold_out_too(self):
        response = self.client.get(self.category.get_absolute_url())
        self.assert_template_used(response, "catalogue/category.html")
        self.assert_contains(response, "Royal fern")

    def test_plant_can_be_ordered(self):
        response = self.client.get(self.plant.get_absolute_url())
        self.assert_contains(response, f"/order/new/{self.plant.sku}/")

    def test_sold_out_plant_cannot(self):
        response = self.client.get(self.sold_out.get_absolute_url())
        self.assert_contains(response, "Sold out")
        self.assert_not_contains(response, "/order/new/")

    def test_plant_shows_published_reviews(self):
        ReviewFactory(plant=self.plant, text="Lush.")
        ReviewFactory(plant=self.plant, text="Buy pills!", is_published=False)
        response = self.client.get(self.plant.get_absolute_url())
        self.assert_contains(response, "Lush.")
        self.assert_not_contains(response, "Buy pills!")

    def test_home_asks_twice_however_many_plants_there_are(self):
        PlantFactory.create_batch(5, category=self.category)
        with self.assert_num_queries(2):  # the plants and the menu
            self.client.get("/")

    def test_speaks_the_language_of_the_browser(self):
        response = self.client.get("/", headers={"accept-language": "cs"})
        self.assert_contains(response, "Připraveno k výsadbě")
