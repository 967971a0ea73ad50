from django.contrib.auth.models import User
from django.urls import reverse
from sanerunner import DatabaseTestCase

from ledger.factories import MovementFactory


class ReportPageTest(DatabaseTestCase):
    multi_db = True
    flush_django_cache = True

    @classmethod
    def setUpTestData(cls):
        cls.bookkeeper = User.objects.create(username="bookkeeper", is_staff=True)

    def test_is_for_staff(self):
        url = reverse("ledger:report")
        self.assert_redirects(self.client.get(url), f"/admin/login/?next={url}")

    def test_all_is_well(self):
        self.client.force_login(self.bookkeeper)
        response = self.client.get(reverse("ledger:report"))
        self.assert_contains(response, "The shop and the ledger agree.")

    def test_names_the_plants_that_differ(self):
        MovementFactory(sku="herb-thyme", quantity=2)
        self.client.force_login(self.bookkeeper)
        response = self.client.get(reverse("ledger:report"))
        row = "<tr><td>herb-thyme</td><td>40</td><td>42</td></tr>"
        self.assert_contains(response, row, html=True)
