from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0026_texts_in_every_language"),
    ]

    operations = [
        migrations.AddField(
            model_name="preengagementfield",
            name="shown_if",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Another field on which this one depends. It is asked, checked and sent only then.",
                max_length=40,
                verbose_name="show only if",
            ),
        ),
        migrations.AddField(
            model_name="preengagementfield",
            name="shown_if_value",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=200),
        ),
    ]
