"""The stock report, over HTTP: with a user who is logged in, and a second database."""

from django.contrib.auth.models import User
from sanerunner import HttpTestCase


class ReportTest(HttpTestCase):
    multi_db = True

    @classmethod
    def setUpTestData(cls):
        cls.clerk = User.objects.create_user("clerk", is_staff=True)

    def test_strangers_are_sent_to_the_login(self):
        response = self.http.get("/ledger/")
        self.assert_equal(response.status_code, 302)
        self.assert_in("login", response.headers["location"])

    def test_staff_sees_it(self):
        self.http.login(self.clerk)
        self.assert_in("The shop and the ledger agree.", self.http.get("/ledger/").text)
