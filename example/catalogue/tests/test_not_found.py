"""``urls`` gives a class its own URLconf. Here: a shop that has no orders."""

from django.urls import NoReverseMatch, reverse
from sanerunner import UnitTestCase


class NotFoundTest(UnitTestCase):
    urls = "catalogue.tests.urls"

    def test_page_needs_no_database(self):
        response = self.client.get("/order/")
        self.assert_contains(response, "Nothing grows here", status_code=404)

    def test_other_apps_have_no_addresses(self):
        with self.assert_raises(NoReverseMatch):
            reverse("ledger:report")


class AllUrlsTest(UnitTestCase):
    def test_the_site_has_its_own_urls_again(self):
        self.assert_equal(reverse("ledger:report"), "/ledger/")
