from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0001_webchats_fields_and_sessions"),
    ]

    operations = [
        migrations.AddField(
            model_name="webchat",
            name="proof_after",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Past this many new chats in ten minutes, the visitor's browser solves a small puzzle by itself before a chat starts. Empty: never.",
                null=True,
                verbose_name="proof of work after",
            ),
        ),
        migrations.AddField(
            model_name="webchat",
            name="require_form",
            field=models.BooleanField(
                default=False,
                help_text="A chat starts only from a form that this site showed to the same browser, at least 2 seconds before. Visitors do not notice; scripts that post to the API without a form are refused.",
                verbose_name="only from the form",
            ),
        ),
    ]
