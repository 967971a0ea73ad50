"""A plain unittest class that sets the attributes gets the same behaviors."""

import unittest

from django.test.testcases import DatabaseOperationForbidden

from orders.factories import CustomerFactory
from orders.models import Customer


class CustomersTest(unittest.TestCase):
    database_single_transaction = True

    def setUp(self):
        self.assertFalse(Customer.objects.exists(), "an earlier test was not rolled back")

    def test_one(self):
        CustomerFactory()
        self.assertEqual(Customer.objects.count(), 1)

    def test_many(self):
        CustomerFactory.create_batch(3)
        self.assertEqual(Customer.objects.count(), 3)


class NoCustomersTest(unittest.TestCase):
    no_database_interaction = True

    def test_a_query_is_an_error(self):
        with self.assertRaises(DatabaseOperationForbidden):
            Customer.objects.count()
