import uuid

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalogue.models import Plant

from .pricing import delivery_charge


class Customer(models.Model):
    name = models.CharField(_("name"), max_length=80)
    email = models.EmailField(_("e-mail"), unique=True)
    language = models.CharField(
        _("language"), max_length=5, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE
    )

    class Meta:
        ordering = ["name"]
        verbose_name = _("customer")
        verbose_name_plural = _("customers")

    def __str__(self):
        return self.name


class Order(models.Model):
    class Status(models.TextChoices):
        PLACED = "placed", _("placed")
        SENT = "sent", _("sent")
        CANCELLED = "cancelled", _("cancelled")

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="orders")
    reference = models.UUIDField(_("reference"), default=uuid.uuid4, unique=True, editable=False)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PLACED
    )
    placed_at = models.DateTimeField(_("placed at"), default=timezone.now)

    class Meta:
        ordering = ["-placed_at"]
        verbose_name = _("order")
        verbose_name_plural = _("orders")

    def __str__(self):
        return str(self.reference)

    def get_absolute_url(self):
        return reverse("orders:detail", args=[self.reference])

    @property
    def goods_total(self):
        return sum(line.total for line in self.lines.all())

    @property
    def delivery(self):
        return delivery_charge(self.goods_total)

    @property
    def total(self):
        return self.goods_total + self.delivery


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    plant = models.ForeignKey(Plant, models.PROTECT, related_name="order_lines")
    quantity = models.PositiveIntegerField(_("quantity"), validators=[MinValueValidator(1)])
    unit_price = models.DecimalField(_("unit price"), max_digits=7, decimal_places=2)

    class Meta:
        ordering = ["pk"]
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            models.UniqueConstraint(fields=["order", "plant"], name="orders_line_once_per_plant"),
        ]

    def __str__(self):
        return f"{self.quantity} × {self.plant}"

    @property
    def total(self):
        return self.quantity * self.unit_price
