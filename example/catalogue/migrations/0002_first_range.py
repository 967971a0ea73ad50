"""The plants that the nursery opened with."""

from django.db import migrations

GROWER = {"name": "Greenfield Growers", "email": "sales@greenfield.example"}

# SKU, name, Latin name, price, stock
FIRST_RANGE = {
    ("Flowers", "flowers"): [
        ("flower-lavender", "Lavender", "Lavandula angustifolia", "6.40", 24),
        ("flower-coneflower", "Coneflower", "Echinacea purpurea", "7.20", 12),
    ],
    ("Herbs", "herbs"): [
        ("herb-thyme", "Thyme", "Thymus vulgaris", "3.90", 40),
        ("herb-sage", "Sage", "Salvia officinalis", "4.10", 3),
        ("herb-chives", "Chives", "Allium schoenoprasum", "3.50", 0),
    ],
    ("Vegetables", "vegetables"): [
        ("veg-tomato", "Tomato", "Solanum lycopersicum", "2.80", 80),
        ("veg-kale", "Kale", "Brassica oleracea", "2.20", 55),
    ],
}


def add_first_range(apps, schema_editor):
    Category = apps.get_model("catalogue", "Category")
    Plant = apps.get_model("catalogue", "Plant")
    Supplier = apps.get_model("catalogue", "Supplier")
    grower = Supplier.objects.create(**GROWER)
    for (category_name, slug), plants in FIRST_RANGE.items():
        category = Category.objects.create(name=category_name, slug=slug)
        for sku, name, latin_name, price, stock in plants:
            Plant.objects.create(
                category=category,
                supplier=grower,
                sku=sku,
                name=name,
                latin_name=latin_name,
                price=price,
                stock=stock,
            )


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0001_initial")]

    operations = [migrations.RunPython(add_first_range, migrations.RunPython.noop)]
