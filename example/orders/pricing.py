"""What things cost. Plain numbers in, plain numbers out: nothing here knows the database."""

from decimal import Decimal

from catalogue.money import to_cents

TRAY = 10  # plants; whoever takes a whole tray pays less for each
TRAY_PRICE = Decimal("0.9")
DELIVERY_CHARGE = Decimal("4.90")
FREE_DELIVERY_FROM = Decimal("50")


def unit_price(list_price, quantity):
    return to_cents(list_price * TRAY_PRICE) if quantity >= TRAY else list_price


def delivery_charge(goods_total):
    return Decimal(0) if goods_total >= FREE_DELIVERY_FROM else DELIVERY_CHARGE
