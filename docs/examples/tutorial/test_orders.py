from django.core import mail
from sanerunner import DestructiveDatabaseTestCase

from plants.models import Plant


class OrderMoreTest(DestructiveDatabaseTestCase):
    def test_mail_goes_out_when_the_sale_is_committed(self):
        mint = Plant.objects.create(name="Mint", stock=6)
        mint.sell(2)
        [message] = mail.outbox
        self.assert_equal(message.subject, "More Mint, please")
