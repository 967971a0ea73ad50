from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class MovementQuerySet(models.QuerySet):
    def balances(self):
        """Return how many of each plant there should be: a dict of SKU to number."""
        # No ordering: the default one would make a group of every movement.
        totals = self.order_by().values("sku").annotate(total=models.Sum("quantity"))
        return {row["sku"]: row["total"] for row in totals}


class Movement(models.Model):
    """Stock that came (a positive quantity) or went (a negative one).

    The plant is known by its SKU: no foreign key leads from one database to another.
    """

    class Reason(models.TextChoices):
        OPENING = "opening", _("opening stock")
        SALE = "sale", _("sale")
        RETURN = "return", _("return")
        DELIVERY = "delivery", _("delivery")

    sku = models.SlugField("SKU", max_length=20)
    quantity = models.IntegerField(_("quantity"))
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    reference = models.CharField(_("reference"), max_length=36, blank=True)
    made_at = models.DateTimeField(_("made at"), default=timezone.now)

    objects = MovementQuerySet.as_manager()

    class Meta:
        ordering = ["made_at", "pk"]
        verbose_name = _("movement")
        verbose_name_plural = _("movements")

    def __str__(self):
        return f"{self.quantity:+} {self.sku}"
