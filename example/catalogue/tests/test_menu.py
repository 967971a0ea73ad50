"""The menu is cached. ``flush_django_cache`` gives each test an empty cache."""

from django.core.cache import cache
from sanerunner import DatabaseTestCase

from catalogue.factories import CategoryFactory
from catalogue.templatetags.nursery import MENU_CACHE_KEY, category_menu


class MenuTest(DatabaseTestCase):
    flush_django_cache = True

    def menu(self):
        return [category.name for category in category_menu()["categories"]]

    def test_cache_is_empty_at_first(self):
        self.assert_is_none(cache.get(MENU_CACHE_KEY))
        CategoryFactory(name="Cacti")
        self.assert_in("Cacti", self.menu())

    def test_what_another_test_cached_is_gone(self):
        self.assert_is_none(cache.get(MENU_CACHE_KEY))
        CategoryFactory(name="Mosses")
        self.assert_equal(self.menu(), ["Flowers", "Herbs", "Mosses", "Vegetables"])

    def test_second_time_costs_no_query(self):
        self.menu()
        with self.assert_num_queries(0):
            self.menu()
