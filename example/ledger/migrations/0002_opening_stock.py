"""The ledger begins with what the shop had when the ledger was made.

This migration writes to the ledger's database and reads from the shop's, which must have been
migrated before: ``manage.py migrate``, then ``manage.py migrate --database=ledger``. Test
databases are made in that order because of DEPENDENCIES in the settings.
"""

from django.db import migrations


def add_opening_stock(apps, schema_editor):
    Movement = apps.get_model("ledger", "Movement")
    Plant = apps.get_model("catalogue", "Plant")
    for sku, stock in Plant.objects.using("default").values_list("sku", "stock"):
        Movement.objects.create(sku=sku, quantity=stock, reason="opening")


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0001_initial"),
        ("catalogue", "0002_first_range"),
    ]

    operations = [migrations.RunPython(add_opening_stock, migrations.RunPython.noop)]
