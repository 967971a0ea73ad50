"""A mirror shows what was written to its primary, although nothing is committed."""

from sanerunner import DatabaseTestCase

from catalogue.factories import PlantFactory
from catalogue.models import Plant
from ledger.factories import MovementFactory
from ledger.reports import Difference, stock_differences


class ReplicaTest(DatabaseTestCase):
    multi_db = True

    def on_replica(self, plant):
        return Plant.objects.using("replica").filter(pk=plant.pk).exists()

    def test_shows_new_rows_before_any_commit(self):
        self.assert_true(self.on_replica(PlantFactory()))

    def test_no_longer_shows_what_was_rolled_back(self):
        with self.transaction.atomic():
            plant = PlantFactory()
            self.assert_true(self.on_replica(plant))
            self.transaction.set_rollback(True)
        self.assert_false(self.on_replica(plant))

    def test_transactions_on_both_nest(self):
        with self.transaction.atomic(using="default"):
            kept = PlantFactory()
            with self.transaction.atomic(using="replica"):
                undone = PlantFactory()
                self.transaction.set_rollback(True, using="replica")
        self.assert_equal((self.on_replica(kept), self.on_replica(undone)), (True, False))

    def test_rows_of_both_may_be_related(self):
        category = PlantFactory().category
        read = type(category).objects.using("replica").get(pk=category.pk)
        self.assert_equal(Plant.objects.using("default").filter(category=read).count(), 1)
        self.assert_equal(PlantFactory(category=read).category, category)


class StockDifferencesTest(DatabaseTestCase):
    multi_db = True

    def test_compares_the_replica_with_the_ledger(self):
        PlantFactory(sku="fern", stock=4)
        MovementFactory(sku="fern", quantity=6)
        PlantFactory(sku="moss", stock=9)
        MovementFactory(sku="moss", quantity=9)
        self.assert_equal(stock_differences(), [Difference("fern", in_shop=4, in_ledger=6)])

    def test_plant_that_only_one_of_them_knows(self):
        MovementFactory(sku="lost", quantity=2)
        PlantFactory(sku="found", stock=1)
        self.assert_equal(
            stock_differences(), [Difference("found", 1, 0), Difference("lost", 0, 2)]
        )

    def test_spares_the_default_database(self):
        with self.assert_num_queries(1, using="replica"):
            stock_differences()
