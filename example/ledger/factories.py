import factory

from .models import Movement


class MovementFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Movement
        database = "ledger"

    sku = factory.Sequence(lambda n: f"plant-{n}")
    quantity = 10
    reason = Movement.Reason.DELIVERY
