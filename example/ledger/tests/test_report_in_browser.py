"""The stock report in a browser, with a user who is logged in without the form."""

from django.contrib.auth.models import User
from sanerunner import SeleniumTestCase


class StockReportTest(SeleniumTestCase):
    multi_db = True

    def test_staff_sees_the_report(self):
        self.login(User.objects.create_user("clerk", is_staff=True))
        self.open("/ledger/")
        self.wait_for_text("The shop and the ledger agree.")

    def test_strangers_see_the_login(self):
        self.open("/ledger/")
        self.assert_in("login", self.selenium.current_url)
