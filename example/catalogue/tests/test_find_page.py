"""The page to find a plant, over HTTP: what its script does is done by the tests here."""

import json

from sanerunner import HttpTestCase

from catalogue.factories import PlantFactory


class FindPageTest(HttpTestCase):
    flush_django_cache = True

    @classmethod
    def setUpTestData(cls):
        cls.fern = PlantFactory(name="Fern", latin_name="Dryopteris")
        PlantFactory(name="Blue fern")
        PlantFactory(name="Moss")

    def find(self, text):
        found = json.load(self.urlopen(f"/find/plants/?q={text}"))
        return [plant["name"] for plant in found["plants"]]

    def test_page_and_its_script_are_there(self):
        page = self.urlopen("/find/").read().decode()
        self.assert_in('<script src="/static/catalogue/find.js"', page)
        self.assert_in(b"addEventListener", self.urlopen("/static/catalogue/find.js").read())

    def test_plants_are_found_by_both_names(self):
        self.assert_equal(self.find("fern"), ["Blue fern", "Fern"])
        self.assert_equal(self.find("dryo"), ["Fern"])

    def test_what_the_test_commits_is_found(self):
        PlantFactory(name="Tree fern")
        self.assert_equal(self.find("fern"), ["Blue fern", "Fern", "Tree fern"])


class WishListTest(HttpTestCase):
    flush_django_cache = True

    @classmethod
    def setUpTestData(cls):
        cls.fern = PlantFactory(name="Fern")

    def wish(self, plant):
        self.http.get("/find/")
        headers = {"X-CSRFToken": self.http.cookies["csrftoken"]}
        return self.http.post("/find/wish/", data={"sku": plant.sku}, headers=headers)

    def test_wishes_are_kept_in_the_session(self):
        self.assert_equal(self.wish(self.fern).json(), {"wishes": 1})
        self.assert_equal(self.wish(self.fern).json(), {"wishes": 1})
        self.assert_equal(self.wish(PlantFactory()).json(), {"wishes": 2})
        self.assert_in('<b id="wishes">2</b>', self.http.get("/find/").text)

    def test_each_test_has_cookies_of_its_own(self):
        self.assert_in('<b id="wishes">0</b>', self.http.get("/find/").text)

    def test_plants_that_are_not_there(self):
        self.assert_equal(self.wish(PlantFactory.build(sku="weed")).status_code, 404)
