from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0023_groups_drafts_and_plain_words"),
    ]

    operations = [
        migrations.AddField(
            model_name="chatsession",
            name="answered_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="first answered"),
        ),
        migrations.AddField(
            model_name="chatsession",
            name="failure_code",
            field=models.CharField(blank=True, db_default="", max_length=20, verbose_name="kind of the failure"),
        ),
        migrations.AddField(
            model_name="chatsession",
            name="messages_told",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.CreateModel(
            name="HourlyCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.PositiveIntegerField()),
                ("name", models.CharField(max_length=30)),
                ("number", models.BigIntegerField()),
                (
                    "webchat",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="counts",
                        to="webchat.webchat",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["hour"], name="webchat_hourly_count_hour")],
                "constraints": [
                    models.UniqueConstraint(fields=("webchat", "hour", "name"), name="webchat_hourly_count_unique")
                ],
            },
        ),
    ]
