from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class Category(models.Model):
    name = models.CharField(_("name"), max_length=60)
    slug = models.SlugField(unique=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("catalogue:category", args=[self.slug])


class Supplier(models.Model):
    name = models.CharField(_("name"), max_length=60, unique=True)
    email = models.EmailField(_("e-mail"))

    class Meta:
        ordering = ["name"]
        verbose_name = _("supplier")
        verbose_name_plural = _("suppliers")

    def __str__(self):
        return self.name


class PlantQuerySet(models.QuerySet):
    def in_stock(self):
        return self.filter(stock__gt=0)

    def named_like(self, text):
        """The plants with ``text`` in their name, also the Latin one."""
        return self.filter(models.Q(name__icontains=text) | models.Q(latin_name__icontains=text))

    def to_reorder(self):
        """The plants of which so few are left that the supplier should send more."""
        return self.filter(stock__lte=models.F("reorder_at"))


class Plant(models.Model):
    category = models.ForeignKey(Category, models.PROTECT, related_name="plants")
    supplier = models.ForeignKey(Supplier, models.PROTECT, related_name="plants")
    sku = models.SlugField("SKU", max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=80)
    latin_name = models.CharField(_("Latin name"), max_length=80, blank=True)
    price = models.DecimalField(_("price"), max_digits=7, decimal_places=2)
    stock = models.PositiveIntegerField(_("stock"), default=0)
    reorder_at = models.PositiveIntegerField(_("reorder at"), default=5)

    objects = PlantQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("plant")
        verbose_name_plural = _("plants")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price__gt=0), name="catalogue_plant_price_positive"
            ),
        ]

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return reverse("catalogue:plant", args=[self.sku])
