"""What the templates of every app share: prices, stock and the menu."""

from django import template
from django.core.cache import cache
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from catalogue.models import Category
from catalogue.money import format_price

MENU_CACHE_KEY = "catalogue.menu"
MENU_CACHE_SECONDS = 300

register = template.Library()


@register.filter
def money(amount):
    return format_price(amount)


@register.simple_tag
def stock_badge(plant):
    if not plant.stock:
        return format_html('<span class="stock-none">{}</span>', _("Sold out"))
    if plant.stock <= plant.reorder_at:
        left = ngettext("Only %(count)s left", "Only %(count)s left", plant.stock)
        return format_html('<span class="stock-low">{}</span>', left % {"count": plant.stock})
    return format_html('<span class="stock-good">{}</span>', _("In stock"))


@register.inclusion_tag("catalogue/menu.html")
def category_menu():
    """Links to all categories. They are on every page and change rarely, so they are cached."""
    return {
        "categories": cache.get_or_set(
            MENU_CACHE_KEY, lambda: list(Category.objects.all()), MENU_CACHE_SECONDS
        )
    }
