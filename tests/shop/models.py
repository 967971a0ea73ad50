"""A small app for the suite: foreign keys, a data migration, and a model in a second database."""

from django.db import models


class Category(models.Model):
    name = models.CharField(max_length=100, unique=True)

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    category = models.ForeignKey(Category, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class Entry(models.Model):
    """Lives in the database "audit"."""

    text = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.text
