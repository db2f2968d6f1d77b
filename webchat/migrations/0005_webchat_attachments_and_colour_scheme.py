import django.core.validators
import webchat.attachments
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0004_webchat_widget_of_the_legacy_api"),
    ]

    operations = [
        migrations.AddField(
            model_name="webchat",
            name="attachment_kinds",
            field=models.JSONField(
                blank=True,
                default=webchat.attachments.default_kinds,
                validators=[webchat.attachments.validate_kinds],
                verbose_name="kinds of files",
            ),
        ),
        migrations.AddField(
            model_name="webchat",
            name="attachment_max_mb",
            field=models.PositiveSmallIntegerField(
                default=10,
                help_text="That the files of one message may have together: 1 to 150.",
                validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(150)],
                verbose_name="megabytes",
            ),
        ),
        migrations.AddField(
            model_name="webchat",
            name="attachments",
            field=models.BooleanField(
                default=False, help_text="Visitors may send files. Agents always may.", verbose_name="attachments"
            ),
        ),
        migrations.AddField(
            model_name="webchat",
            name="colour_scheme",
            field=models.CharField(
                choices=[("system", "as the visitor's device"), ("light", "light"), ("dark", "dark")],
                default="system",
                max_length=6,
                verbose_name="colour scheme",
            ),
        ),
    ]
