from sanerunner import UnitTestCase

from catalogue.models import Plant
from ledger.models import Movement
from ledger.router import LedgerRouter


class LedgerRouterTest(UnitTestCase):
    router = LedgerRouter()

    def test_movements_live_in_the_ledger(self):
        self.assert_equal(self.router.db_for_read(Movement), "ledger")
        self.assert_equal(self.router.db_for_write(Movement), "ledger")

    def test_other_models_are_none_of_its_business(self):
        self.assert_is_none(self.router.db_for_read(Plant))
        self.assert_is_none(self.router.db_for_write(Plant))

    def test_tables_are_made_where_they_belong(self):
        for database, app_label, allowed in [
            ("default", "catalogue", True),
            ("default", "ledger", False),
            ("ledger", "ledger", True),
            ("ledger", "catalogue", False),
            ("replica", "catalogue", False),
            ("replica", "ledger", False),
        ]:
            with self.subTest(database=database, app_label=app_label):
                self.assert_is(self.router.allow_migrate(database, app_label), allowed)
