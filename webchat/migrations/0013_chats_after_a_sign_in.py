from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0012_permission_to_set_up"),
    ]

    operations = [
        migrations.AddField(
            model_name="chatsession",
            name="note",
            field=models.TextField(blank=True, db_default="", editable=False),
        ),
        migrations.AddField(
            model_name="chatsession",
            name="offered_to",
            field=models.CharField(blank=True, db_default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="chatsession",
            name="offered_until",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
