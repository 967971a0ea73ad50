"""Amounts of money as people read them.

>>> from decimal import Decimal
>>> from django.utils import translation
>>> with translation.override("en"):
...     format_price(Decimal("1234.5"))
'€1234.50'
>>> with translation.override("cs"):
...     format_price(Decimal("1234.5")).replace(NO_BREAK_SPACE, " ")
'1234,50 €'
"""

from decimal import ROUND_HALF_UP, Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _

CENT = Decimal("0.01")
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def to_cents(amount):
    """Round to whole cents, halves away from zero, as a till does.

    >>> to_cents(Decimal("2.345"))
    Decimal('2.35')
    """
    return amount.quantize(CENT, ROUND_HALF_UP)


def format_price(amount):
    """Return the amount in euros, written as the active language writes it."""
    # Translators: the amount of money, with the sign of the euro where your language puts it.
    return _("€%(amount)s") % {"amount": number_format(to_cents(amount), 2)}
