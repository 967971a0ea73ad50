import factory

from catalogue.factories import PlantFactory
from orders.factories import CustomerFactory

from .models import Review


class ReviewFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Review

    plant = factory.SubFactory(PlantFactory)
    customer = factory.SubFactory(CustomerFactory)
    stars = 4
    text = "Grows well."
    is_published = True
