from django.contrib import admin

from .models import Category, Plant, Supplier


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Supplier)
class SupplierAdmin(admin.ModelAdmin):
    list_display = ["name", "email"]


@admin.register(Plant)
class PlantAdmin(admin.ModelAdmin):
    list_display = ["name", "sku", "category", "price", "stock"]
    list_filter = ["category", "supplier"]
    list_select_related = ["category"]
    search_fields = ["name", "latin_name", "sku"]
