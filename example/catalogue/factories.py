from decimal import Decimal

import factory

from .models import Category, Plant, Supplier


class CategoryFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Category

    name = factory.Sequence(lambda n: f"Category {n}")
    slug = factory.Sequence(lambda n: f"category-{n}")


class SupplierFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Supplier

    name = factory.Sequence(lambda n: f"Grower {n}")
    email = factory.Sequence(lambda n: f"grower-{n}@suppliers.example")


class PlantFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Plant

    class Params:
        sold_out = factory.Trait(stock=0)

    category = factory.SubFactory(CategoryFactory)
    supplier = factory.SubFactory(SupplierFactory)
    sku = factory.Sequence(lambda n: f"plant-{n}")
    name = factory.Sequence(lambda n: f"Plant {n}")
    price = Decimal("4.50")
    stock = 20
