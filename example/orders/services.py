"""What can happen to an order."""

from functools import partial

from django.db import transaction

from catalogue.models import Plant
from ledger.models import Movement

from .mail import send_confirmation
from .models import Order
from .pricing import unit_price


class OutOfStock(Exception):
    def __init__(self, plant, wanted):
        super().__init__(f"{wanted} × {plant.name} wanted, {plant.stock} in stock")
        self.plant = plant
        self.wanted = wanted


def place_order(customer, basket):
    """Reserve the stock and write the order; tell the world once it is committed.

    ``basket`` is a dict of SKU to quantity. Raises OutOfStock, and then changes nothing.
    """
    with transaction.atomic():
        order = Order.objects.create(customer=customer)
        # Always in the same order, so that two orders never wait for each other's rows.
        for sku, quantity in sorted(basket.items()):
            plant = reserve(sku, quantity)
            order.lines.create(
                plant=plant, quantity=quantity, unit_price=unit_price(plant.price, quantity)
            )
        # The ledger is another database, which this transaction does not cover.
        transaction.on_commit(partial(record, order, Movement.Reason.SALE))
        transaction.on_commit(partial(send_confirmation, order))
    return order


def cancel_order(order):
    """Put the plants back on the shelf. An order that was sent or cancelled stays as it is."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order.pk)
        if order.status != Order.Status.PLACED:
            return
        for line in order.lines.order_by("plant__sku"):
            plant = Plant.objects.select_for_update().get(pk=line.plant_id)
            plant.stock += line.quantity
            plant.save(update_fields=["stock"])
        order.status = Order.Status.CANCELLED
        order.save(update_fields=["status"])
        transaction.on_commit(partial(record, order, Movement.Reason.RETURN))


def reserve(sku, quantity):
    """Take plants off the shelf; nobody else can until the transaction ends."""
    plant = Plant.objects.select_for_update().get(sku=sku)
    if plant.stock < quantity:
        raise OutOfStock(plant, quantity)
    plant.stock -= quantity
    plant.save(update_fields=["stock"])
    return plant


def record(order, reason):
    """Write the order's lines to the ledger."""
    sign = -1 if reason == Movement.Reason.SALE else 1
    Movement.objects.bulk_create(
        Movement(
            sku=line.plant.sku,
            quantity=sign * line.quantity,
            reason=reason,
            reference=str(order.reference),
        )
        for line in order.lines.select_related("plant")
    )
