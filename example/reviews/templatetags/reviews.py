from django import template

from reviews.models import MOST_STARS

register = template.Library()


@register.simple_tag
def stars(number):
    """Draw a number of stars, which may be a fraction: 3.6 is drawn as four."""
    filled = min(max(round(number), 0), MOST_STARS)
    return "★" * filled + "☆" * (MOST_STARS - filled)


@register.inclusion_tag("reviews/plant_reviews.html")
def plant_reviews(plant):
    reviews = plant.reviews.published()
    return {
        "average": reviews.average_stars(),
        "reviews": reviews.select_related("customer"),
    }
