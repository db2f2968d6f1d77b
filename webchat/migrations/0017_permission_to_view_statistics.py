from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0016_retention_at_twilio"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="webchat",
            options={
                "ordering": ["name"],
                "permissions": [
                    ("setup_flex", "Can set up webchats at Twilio"),
                    ("view_statistics", "Can view statistics of chats"),
                ],
                "verbose_name": "webchat",
                "verbose_name_plural": "webchats",
            },
        ),
    ]
