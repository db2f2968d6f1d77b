from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F

import webchat.clock


def name_browsers(apps, schema_editor):
    """Until now one key was both."""
    apps.get_model("webchat", "ChatSession").objects.update(browser=F("owner"))


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0005_queue_and_tasks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RetiredKey",
            fields=[
                ("key", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("retired_at", models.DateTimeField(default=webchat.clock.database_now)),
            ],
        ),
        migrations.AddField(
            model_name="chatsession",
            name="account",
            field=models.CharField(blank=True, db_default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="chatsession",
            name="browser",
            field=models.CharField(db_default="", editable=False, max_length=32),
        ),
        migrations.RunPython(name_browsers, migrations.RunPython.noop),
        migrations.RemoveConstraint(model_name="chatsession", name="webchat_session_key_unique"),
        migrations.AddConstraint(
            model_name="chatsession",
            constraint=models.UniqueConstraint(fields=("browser", "key"), name="webchat_session_key_unique"),
        ),
        migrations.AddIndex(
            model_name="chatsession",
            index=models.Index(fields=["owner"], name="webchat_session_owner"),
        ),
        migrations.AlterField(
            model_name="chatsession",
            name="owner",
            field=models.CharField(editable=False, max_length=32),
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
                ],
                max_length=10,
                verbose_name="ended by",
            ),
        ),
        migrations.AlterField(
            model_name="chatsession",
            name="user",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                to=settings.AUTH_USER_MODEL,
                verbose_name="user",
            ),
        ),
    ]
