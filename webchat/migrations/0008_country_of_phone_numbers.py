"""The country whose phone numbers visitors may write without its code."""

from __future__ import annotations

from django.db import migrations, models

import webchat.models.webchat


class Migration(migrations.Migration):
    dependencies = [("webchat", "0007_longer_labels")]

    operations = [
        migrations.AddField(
            model_name="webchat",
            name="phone_region",
            field=models.CharField(
                default="",
                db_default="",
                blank=True,
                help_text="Visitors may leave out its code: with CH, 044 668 18 00 is +41 44 668 18 00. Empty: the code is needed.",
                max_length=2,
                validators=[webchat.models.webchat.validate_phone_region],
                verbose_name="country of phone numbers",
            ),
        ),
    ]
