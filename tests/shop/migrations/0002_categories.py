from django.db import migrations

NAMES = ["trees", "shrubs"]


def add_categories(apps, schema_editor):
    if schema_editor.connection.alias == "default":
        category = apps.get_model("shop", "Category")
        category.objects.bulk_create([category(name=name) for name in NAMES])


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(add_categories, migrations.RunPython.noop)]
