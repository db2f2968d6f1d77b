import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0003_sessions_without_the_time_of_renewal"),
    ]

    operations = [
        migrations.AddField(
            model_name="webchat",
            name="widget",
            field=models.CharField(
                choices=[("own", "this site's own"), ("flex_ui", "Flex Webchat UI 2.x (legacy)")],
                default="own",
                help_text="What visitors see. Twilio's Flex Webchat UI is for the legacy API only, and pages that carry it have a weaker Content-Security-Policy: it needs 'unsafe-eval' and inline styles.",
                max_length=10,
                verbose_name="widget",
            ),
        ),
        migrations.AlterField(
            model_name="webchat",
            name="address_sid",
            field=models.CharField(
                blank=True,
                help_text="IG…, for Flex Conversations: Twilio Console, Flex, Channel management, Messaging. With the legacy API: where chats go when Twilio no longer serves it.",
                max_length=34,
                validators=[
                    django.core.validators.RegexValidator(
                        "\\AIG[0-9a-fA-F]{32}\\Z",
                        "This is not a SID of that kind: it starts with IG and goes on with 32 hex digits.",
                    )
                ],
                verbose_name="address SID",
            ),
        ),
    ]
