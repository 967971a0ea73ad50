"""Does the shop have as many plants as the ledger says?"""

from typing import NamedTuple

from catalogue.models import Plant

from .models import Movement


class Difference(NamedTuple):
    sku: str
    in_shop: int
    in_ledger: int


def stock_differences():
    """Return a Difference for each plant whose stock is not what the ledger says, by SKU.

    It reads every plant, so it reads from the replica.
    """
    in_shop = dict(Plant.objects.using("replica").values_list("sku", "stock"))
    in_ledger = Movement.objects.balances()
    rows = (
        Difference(sku, in_shop.get(sku, 0), in_ledger.get(sku, 0))
        for sku in sorted(in_shop.keys() | in_ledger.keys())
    )
    return [row for row in rows if row.in_shop != row.in_ledger]
