from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from .models import Review


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    list_display = ["plant", "customer", "stars", "is_published"]
    list_filter = ["is_published", "stars"]
    list_select_related = ["plant", "customer"]
    actions = ["publish"]

    @admin.action(description=_("Publish"), permissions=["change"])
    def publish(self, request, queryset):
        queryset.update(is_published=True)
