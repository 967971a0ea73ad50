from django.contrib import admin

from .models import Movement


@admin.register(Movement)
class MovementAdmin(admin.ModelAdmin):
    """The ledger is only read: movements are never changed afterwards."""

    list_display = ["made_at", "sku", "quantity", "reason", "reference"]
    list_filter = ["reason"]
    search_fields = ["sku", "reference"]

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
