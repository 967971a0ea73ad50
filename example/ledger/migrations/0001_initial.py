import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Movement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sku", models.SlugField(max_length=20, verbose_name="SKU")),
                ("quantity", models.IntegerField(verbose_name="quantity")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("opening", "opening stock"),
                            ("sale", "sale"),
                            ("return", "return"),
                            ("delivery", "delivery"),
                        ],
                        max_length=10,
                        verbose_name="reason",
                    ),
                ),
                (
                    "reference",
                    models.CharField(blank=True, max_length=36, verbose_name="reference"),
                ),
                (
                    "made_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="made at"
                    ),
                ),
            ],
            options={
                "verbose_name": "movement",
                "verbose_name_plural": "movements",
                "ordering": ["made_at", "pk"],
            },
        ),
    ]
