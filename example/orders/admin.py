from django.contrib import admin, messages
from django.utils.translation import gettext_lazy as _

from .models import Customer, Order, OrderLine
from .services import cancel_order


class OrderLineInline(admin.TabularInline):
    model = OrderLine
    extra = 0


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):
    list_display = ["name", "email", "language"]
    search_fields = ["name", "email"]


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["reference", "customer", "status", "placed_at"]
    list_filter = ["status"]
    list_select_related = ["customer"]
    inlines = [OrderLineInline]
    actions = ["cancel"]

    @admin.action(description=_("Cancel, and put the plants back"), permissions=["change"])
    def cancel(self, request, queryset):
        for order in queryset:
            cancel_order(order)
        self.message_user(request, _("The orders are cancelled."), messages.SUCCESS)
