from decimal import Decimal


def price_of(list_price, quantity):
    """Ten and more of a plant cost a tenth less."""
    if quantity >= 10:
        return quantity * list_price * Decimal("0.9")
    return quantity * list_price
