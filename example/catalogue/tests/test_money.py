"""Unit tests: no database. A query in one of these would be an error."""

import doctest
from decimal import Decimal

from django.test.testcases import DatabaseOperationForbidden
from sanerunner import UnitTestCase

from catalogue import money
from catalogue.factories import PlantFactory
from catalogue.money import format_price, to_cents


class ToCentsTest(UnitTestCase):
    def test_halves_are_rounded_up(self):
        for amount, cents in [("0.005", "0.01"), ("2.345", "2.35"), ("2.344", "2.34")]:
            with self.subTest(amount=amount):
                self.assert_equal(to_cents(Decimal(amount)), Decimal(cents))


class FormatPriceTest(UnitTestCase):
    def test_always_has_two_decimals(self):
        self.assert_equal(format_price(Decimal(3)), "€3.00")

    def test_is_rounded_to_cents(self):
        self.assert_equal(format_price(Decimal("1.999")), "€2.00")


class NoDatabaseTest(UnitTestCase):
    def test_factories_build_plants_without_saving_them(self):
        plant = PlantFactory.build(name="Mint")
        self.assert_equal(str(plant), "Mint")
        self.assert_is_none(plant.pk)

    def test_a_query_is_an_error(self):
        with self.assert_raises(DatabaseOperationForbidden):
            PlantFactory.create()


def load_tests(loader, tests, pattern):
    """Doctests are unit tests too."""
    tests.addTests(doctest.DocTestSuite(money))
    return tests
