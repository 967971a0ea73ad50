"""Situations for end-to-end specs: ``sane.scenario("clerk")``."""

from .factories import MovementFactory, StaffFactory


def clerk(name="alice"):
    """Somebody who may read the stock report."""
    return StaffFactory(username=name)


def theft(sku, quantity=1):
    """Plants are gone: the ledger has more of them than the shop."""
    return MovementFactory(sku=sku, quantity=quantity)
