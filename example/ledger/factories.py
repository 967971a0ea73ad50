import factory
from django.contrib.auth import get_user_model

from .models import Movement


class MovementFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Movement
        database = "ledger"

    sku = factory.Sequence(lambda n: f"plant-{n}")
    quantity = 10
    reason = Movement.Reason.DELIVERY


class StaffFactory(factory.django.DjangoModelFactory):
    """Those who may read the stock report."""

    class Meta:
        model = get_user_model()

    username = factory.Sequence(lambda n: f"staff-{n}")
    is_staff = True
