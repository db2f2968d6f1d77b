from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0015_rating_of_chats"),
    ]

    operations = [
        migrations.AddField(
            model_name="webchat",
            name="forget_at_twilio",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="When this site deletes a chat by its age, the worker first erases its conversation and its visitor at Twilio. Agents then find no transcript of it. Flex Insights keeps what its tasks said. Off: Twilio keeps everything.",
                verbose_name="retention at Twilio too",
            ),
        ),
    ]
