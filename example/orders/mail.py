from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _


def send_confirmation(order):
    """Write to the customer in the customer's language."""
    with translation.override(order.customer.language):
        send_mail(
            subject=_("Your order from the nursery"),
            message=render_to_string("orders/confirmation.txt", {"order": order}),
            from_email=None,
            recipient_list=[order.customer.email],
        )
