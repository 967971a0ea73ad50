from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from catalogue.models import Plant
from orders.models import Customer

MOST_STARS = 5


class ReviewQuerySet(models.QuerySet):
    def published(self):
        return self.filter(is_published=True)

    def average_stars(self):
        """Return the mean, a float, or None if there are no reviews."""
        return self.aggregate(mean=models.Avg("stars", output_field=models.FloatField()))["mean"]


class Review(models.Model):
    plant = models.ForeignKey(Plant, models.CASCADE, related_name="reviews")
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="reviews")
    stars = models.PositiveSmallIntegerField(
        _("stars"), validators=[MinValueValidator(1), MaxValueValidator(MOST_STARS)]
    )
    text = models.TextField(_("text"), blank=True)
    is_published = models.BooleanField(_("is published"), default=False)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        constraints = [
            models.UniqueConstraint(
                fields=["plant", "customer"], name="reviews_once_per_customer_and_plant"
            ),
        ]

    def __str__(self):
        return f"{self.plant}: {self.stars}/{MOST_STARS}"
