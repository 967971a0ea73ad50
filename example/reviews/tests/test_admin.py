from django.contrib.auth.models import User
from django.urls import reverse
from sanerunner import DatabaseTestCase

from reviews.factories import ReviewFactory


class ReviewAdminTest(DatabaseTestCase):
    @classmethod
    def setUpTestData(cls):
        cls.gardener = User.objects.create(username="gardener", is_staff=True, is_superuser=True)
        cls.review = ReviewFactory(is_published=False)

    def setUp(self):
        self.client.force_login(self.gardener)
        self.url = reverse("admin:reviews_review_changelist")

    def test_lists_what_waits(self):
        response = self.client.get(self.url, {"is_published__exact": 0})
        self.assert_contains(response, self.review.plant.name)

    def test_publishes(self):
        self.client.post(self.url, {"action": "publish", "_selected_action": [self.review.pk]})
        self.review.refresh_from_db()
        self.assert_true(self.review.is_published)
