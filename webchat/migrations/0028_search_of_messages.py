from __future__ import annotations

from django.conf import settings
from django.db import migrations, models

from webchat.concurrent_indexes import AddIndexConcurrently
from webchat.models.beginnings import UpperByCodePoint


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("webchat", "0027_fields_that_depend_on_others"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(
                condition=models.Q(("answered_at", None)), fields=["received_at"], name="webchat_message_unanswered"
            ),
        ),
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(UpperByCodePoint("customer_friendly_name"), name="webchat_message_customer"),
        ),
        AddIndexConcurrently(
            model_name="message", index=models.Index(UpperByCodePoint("email"), name="webchat_message_email")
        ),
    ]
