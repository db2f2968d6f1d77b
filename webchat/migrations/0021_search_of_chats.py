from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from webchat.concurrent_indexes import AddIndexConcurrently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("webchat", "0020_transcripts_and_moves"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="chatsession",
            options={
                "ordering": ["-created_at"],
                "permissions": [("end_chatsession", "Can end chats of visitors")],
                "verbose_name": "chat session",
                "verbose_name_plural": "chat sessions",
            },
        ),
        migrations.AddField(
            model_name="chatsession",
            name="words_known",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AlterField(
            model_name="chatsession",
            name="ended_by",
            field=models.CharField(
                blank=True,
                choices=[
                    ("visitor", "the visitor"),
                    ("agent", "the agent or Flex"),
                    ("sign_in", "sign-in of a user"),
                    ("logout", "sign-out"),
                    ("account", "a change of the account"),
                    ("age", "its age"),
                    ("staff", "staff, in the administration"),
                ],
                max_length=10,
                verbose_name="ended by",
            ),
        ),
        AddIndexConcurrently(
            model_name="chatsession",
            index=models.Index(
                condition=models.Q(("user__isnull", False)), fields=["created_at"], name="webchat_session_signed_in"
            ),
        ),
        AddIndexConcurrently(
            model_name="chatsession",
            index=models.Index(
                condition=models.Q(("account_matches", []), _negated=True),
                fields=["created_at"],
                name="webchat_session_matched",
            ),
        ),
        AddIndexConcurrently(
            model_name="chatsession",
            index=models.Index(
                condition=models.Q(("words_known", False)), fields=["created_at"], name="webchat_session_words"
            ),
        ),
        migrations.CreateModel(
            name="ChatWord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "session",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="words",
                        to="webchat.chatsession",
                    ),
                ),
                ("word", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["word", "-created_at"], name="webchat_word_latest")],
                "constraints": [
                    models.UniqueConstraint(fields=("session", "word"), name="webchat_word_once"),
                ],
            },
        ),
    ]
