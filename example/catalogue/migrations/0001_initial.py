import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Category",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                ("slug", models.SlugField(unique=True)),
            ],
            options={
                "verbose_name": "category",
                "verbose_name_plural": "categories",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Supplier",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60, unique=True, verbose_name="name")),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail")),
            ],
            options={
                "verbose_name": "supplier",
                "verbose_name_plural": "suppliers",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Plant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sku", models.SlugField(max_length=20, unique=True, verbose_name="SKU")),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                (
                    "latin_name",
                    models.CharField(blank=True, max_length=80, verbose_name="Latin name"),
                ),
                (
                    "price",
                    models.DecimalField(decimal_places=2, max_digits=7, verbose_name="price"),
                ),
                ("stock", models.PositiveIntegerField(default=0, verbose_name="stock")),
                ("reorder_at", models.PositiveIntegerField(default=5, verbose_name="reorder at")),
                (
                    "category",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plants",
                        to="catalogue.category",
                    ),
                ),
                (
                    "supplier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="plants",
                        to="catalogue.supplier",
                    ),
                ),
            ],
            options={
                "verbose_name": "plant",
                "verbose_name_plural": "plants",
                "ordering": ["name"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("price__gt", 0)), name="catalogue_plant_price_positive"
                    )
                ],
            },
        ),
    ]
