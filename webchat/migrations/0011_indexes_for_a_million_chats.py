from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import webchat.models.beginnings
import webchat.clock
from webchat.concurrent_indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("webchat", "0010_looks_of_webchats"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="chatsession",
            index=models.Index(
                condition=models.Q(("close_pending", True)),
                fields=["status", "lease_until"],
                name="webchat_session_to_close",
            ),
        ),
        AddIndexConcurrently(
            model_name="chatsession",
            index=models.Index(
                condition=models.Q(("answers", {}), _negated=True), fields=["created_at"], name="webchat_session_told"
            ),
        ),
        AddIndexConcurrently(
            model_name="chatsession",
            index=models.Index(fields=["webchat", "created_at"], name="webchat_session_webchat"),
        ),
        AddIndexConcurrently(
            model_name="chatsession",
            index=models.Index(
                webchat.models.beginnings.UpperByCodePoint("customer_friendly_name"), name="webchat_session_customer"
            ),
        ),
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(fields=["webchat", "received_at"], name="webchat_message_webchat"),
        ),
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(
                condition=models.Q(("text", ""), _negated=True), fields=["received_at"], name="webchat_message_told"
            ),
        ),
        AddIndexConcurrently(
            model_name="outgoingmail",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="webchat_mail_due"
            ),
        ),
        AddIndexConcurrently(
            model_name="outgoingmail",
            index=models.Index(condition=models.Q(("due_at", None)), fields=["created_at"], name="webchat_mail_done"),
        ),
        AddIndexConcurrently(
            model_name="retiredkey",
            index=models.Index(fields=["retired_at"], name="webchat_retired_at"),
        ),
        migrations.AlterField(
            model_name="outgoingmail",
            name="due_at",
            field=models.DateTimeField(default=webchat.clock.database_now, null=True),
        ),
        migrations.AlterField(
            model_name="chatsession",
            name="webchat",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="sessions",
                to="webchat.webchat",
                verbose_name="webchat",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="webchat",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="messages",
                to="webchat.webchat",
                verbose_name="webchat",
            ),
        ),
    ]
