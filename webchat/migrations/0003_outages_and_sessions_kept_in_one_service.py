from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webchat", "0002_field_rules"),
    ]

    operations = [
        migrations.CreateModel(
            name="Outage",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("since", models.FloatField()),
                ("failures", models.PositiveIntegerField(default=0)),
                ("open_until", models.FloatField(default=0)),
            ],
        ),
        migrations.AddField(
            model_name="chatsession",
            name="chat_service_sid",
            field=models.CharField(blank=True, default="", max_length=34, verbose_name="chat service SID"),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="chatsession",
            name="created_at",
            field=models.DateTimeField(auto_now_add=True, db_index=True, verbose_name="created"),
        ),
    ]
